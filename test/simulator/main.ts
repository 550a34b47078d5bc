/* `npm run simulate`: one schedule after another, until one goes wrong. */
import { parseArgs } from 'node:util'
import { type Outcome, simulate } from './schedule.ts'

const TAIL_LINES = 120

const { values } = parseArgs({
  options: { seed: { type: 'string' }, schedules: { type: 'string' }, minutes: { type: 'string' }, trace: { type: 'boolean' }, 'keep-going': { type: 'boolean' } }
})
const first = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
const schedules = values.schedules !== undefined ? Number(values.schedules) : values.minutes !== undefined ? Infinity : values.seed !== undefined ? 1 : 1_000
const deadline = performance.now() + 60_000 * Number(values.minutes ?? Infinity)
const print = (line: string): void => { process.stdout.write(`${line}\n`) }

let played = 0
let tasks = 0
let events = 0
let runs = 0
let failed = 0
const started = performance.now()
let reported = started

for (let seed = first; played < schedules && performance.now() < deadline; seed++) {
  const outcome = await simulate(seed)
  played++
  tasks += outcome.tasks
  events += outcome.events
  runs += outcome.runs
  if (values.trace === true) for (const line of outcome.trace) print(line)
  if (outcome.violations.length > 0) {
    failed++
    report(outcome)
    if (values['keep-going'] !== true) break
  }
  if (performance.now() - reported > 10_000) {
    reported = performance.now()
    print(progress())
  }
}
print(progress())
process.exitCode = failed > 0 ? 1 : 0

function progress (): string {
  const seconds = ((performance.now() - started) / 1_000).toFixed(0)
  return `${played} schedules from seed ${first} in ${seconds} s: ${runs} runs, ${events} events, ${tasks} tasks, ${failed} failed`
}

function report ({ seed, violations, trace }: Outcome): void {
  if (values['keep-going'] !== true) for (const line of trace.slice(-TAIL_LINES)) print(line)
  for (const { rule, what } of violations) print(`seed ${seed}: ${rule}: ${what}`)
  print(`once more: npm run simulate -- --seed ${seed}`)
}

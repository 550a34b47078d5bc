/* How fast runs become durable beside one whose call to the store hangs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.ts'
import { type Comparison, compareRates } from './comparison.ts'
import type { RunsAppend } from './processes/runs-append.ts'

export async function hanging (quick: boolean, report: (comparison: Comparison) => void): Promise<void> {
  const { rounds, runs, events } = quick ? { rounds: 1, runs: 10, events: 50 } : { rounds: 7, runs: 100, events: 500 }
  const directory = mkdtempSync(join(tmpdir(), 'agent-runs-bench-'))
  const ours = Child.start<RunsAppend>('runs-append')
  const bare = Child.start<RunsAppend>('runs-append')
  try {
    let files = 0
    const round = async (child: Child<RunsAppend>, isHanging: boolean) =>
      child.ask('append', join(directory, `${files++}.db`), runs, { events, eventsPerTurn: 5, deltas: true }, isHanging)
    report(await compareRates('hanging', `${runs} runs at once, beside one whose append hangs`, '>= 0.9x', rounds, () => round(ours, true), () => round(bare, false)))
  } finally {
    await Promise.all([ours.stop(), bare.stop()])
    rmSync(directory, { recursive: true, force: true })
  }
}

/* Some schedules with every run of the tests; `npm run simulate` plays more. */
import { test } from 'tap'
import { spawnModule } from '../helpers/spawn-script.ts'

/** As many as fit into the time; on a fast machine all of them. */
const SCHEDULES = 1_500
const MINUTES = 0.75

// In a process of its own: the hooks of a test runner make promises slow.
test('whatever befalls servers, their database and their clients, the promises hold', async (t) => {
  const script = spawnModule(t, 'test/simulator/main.ts', ['--seed', '1', '--schedules', String(SCHEDULES), '--minutes', String(MINUTES)])
  const code = await script.exited
  t.equal(code, 0, script.lines.slice(code === 0 ? -1 : -40).join('\n'))
})

test('a seed is played from the command line too, and its trace shown', async (t) => {
  const script = spawnModule(t, 'test/simulator/main.ts', ['--seed', '7', '--trace'])
  t.equal(await script.exited, 0)
  t.match(script.lines[0], /^0 \{"store":/)
  t.match(script.lines.at(-1), /^1 schedules from seed 7 /)
})

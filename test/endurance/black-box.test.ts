/* The protocol from outside: whatever clients do and networks break, each has the session as it is in the end. */
import { join } from 'node:path'
import { test } from 'tap'
import { RandomSchedule } from '../helpers/random-client.ts'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** How many schedules are played; some of the many in the suite. */
const SCHEDULES = Number(process.env['BLACK_BOX_SCHEDULES'] ?? 40)
/** The first seed; with BLACK_BOX_SCHEDULES=1 the one to play again. */
const SEED = Number(process.env['BLACK_BOX_SEED'] ?? 1)
const AT_ONCE = 6

for (const isUnsteady of [false, true]) {
  test(`${SCHEDULES} random schedules from seed ${SEED}${isUnsteady ? ' on an unsteady store' : ''}: no gap, no double, no other order, one end for each run, and the text of the history`, async (t) => {
    const server = spawnScript(t, 'serve-random.ts', [join(tempDir(t), 'runs.db'), ...isUnsteady ? [String(SEED)] : []])
    const url = (await server.line('listening ')).split(' ')[1]!
    const sums = { events: 0, runs: 0, connections: 0, gaps: 0, faults: 0 }
    let next = 0
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < SCHEDULES) {
        const seed = SEED + next++
        const { faults, ...counts } = await new RandomSchedule(t, url, seed, { isUnsteady }).play()
        for (const [name, count] of Object.entries(counts)) sums[name as keyof typeof counts] += count
        sums.faults += faults.length
        t.strictSame(faults, [], `seed ${seed}; again: BLACK_BOX_SEED=${seed} BLACK_BOX_SCHEDULES=1`)
      }
    }))
    t.comment(JSON.stringify(sums))
    t.ok(sums.runs >= SCHEDULES)
  })
}

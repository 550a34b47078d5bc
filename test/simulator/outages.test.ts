/* Outages alone: a store that is away for 20 s costs no run its life, one that is away for a minute no session its freedom. */
import { test } from 'tap'
import { simulate } from './schedule.ts'
import type { Setting } from './setting.ts'

const SCHEDULES = 60
const OUTAGES: Partial<Setting> = { servers: 1, disasters: 1, kinds: { outage: 1, crash: 0, shutDown: 0, gust: 0 }, failing: 0, losing: 0, hanging: 0, slow: 0, deleting: 0 }

for (const seconds of [20, 60]) {
  test(`no schedule fails with an outage of ${seconds} s, in which calls fail or hang`, async (t) => {
    let hit = 0
    for (let seed = 1; seed <= SCHEDULES; seed++) {
      const { violations, trace } = await simulate(seed, { fixed: { ...OUTAGES, disasterMs: [seconds * 1_000] } })
      if (trace.some((line) => /append (hangs|fails)/.test(line))) hit++
      t.strictSame(violations, [], `seed ${seed}`)
    }
    t.ok(hit > SCHEDULES / 6, `runs have met it: ${hit}`)
  })
}

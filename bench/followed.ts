/* What an instance pays for the commits of another: by the sessions that changed, not by those that are followed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.ts'
import { type Comparison, firstFault, type Round } from './comparison.ts'
import { interleave, median } from './interleave.ts'
import type { Follower } from './processes/follower.ts'
import type { SlowWriter } from './processes/slow-writer.ts'

/** Each followed session beside the first is idle. */
const BUSY = 'busy'
const PAUSE_MS = 20

export async function followed (quick: boolean, report: (comparison: Comparison) => void): Promise<void> {
  const { rounds, sessions, deltas } = quick ? { rounds: 1, sessions: 200, deltas: 20 } : { rounds: 3, sessions: 10_000, deltas: 200 }
  const directory = mkdtempSync(join(tmpdir(), 'agent-runs-bench-'))
  const path = join(directory, 'runs.db')
  const writer = Child.start<SlowWriter>('slow-writer')
  const many = Child.start<Follower>('follower')
  const one = Child.start<Follower>('follower')
  const round = async (follower: Child<Follower>): Promise<Round> => {
    // Beside the deltas the user's message, the whole text, and the end.
    const following = follower.ask('follow', BUSY, deltas + 3)
    await writer.ask('write', path, BUSY, deltas, PAUSE_MS)
    return following
  }
  try {
    await one.ask('open', path, [BUSY])
    await many.ask('open', path, Array.from({ length: sessions }, (_, index) => `idle-${index}`))
    const { warmUp, pairs } = await interleave(rounds, () => round(many), () => round(one))
    const perEvent = ({ cpuUs, events }: Round): number => cpuUs / events
    const [ours, bare] = [median(pairs.map((pair) => perEvent(pair.ours))), median(pairs.map((pair) => perEvent(pair.bare)))]
    const ratio = median(pairs.map((pair) => perEvent(pair.ours) / perEvent(pair.bare)))
    report({
      bench: 'followed',
      what: `${sessions.toLocaleString('en')} followed sessions, one of them busy elsewhere`,
      ours: `${Math.round(ours)} µs`,
      bare: `${Math.round(bare)} µs`,
      ratio,
      aim: '<= 1.5x',
      cpu: { ours, bare, ratio },
      complete: `all of ${deltas + 3}`,
      fault: firstFault([warmUp, ...pairs])
    })
    await Promise.all([many.ask('close'), one.ask('close')])
  } finally {
    await Promise.all([writer.stop(), many.stop(), one.stop()])
    rmSync(directory, { recursive: true, force: true })
  }
}

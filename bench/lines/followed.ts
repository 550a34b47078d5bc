/* What an instance pays for the commits of another: by the sessions that changed, not by those that are followed. */
import { join } from 'node:path'
import { Child } from '../child.ts'
import { compare, type Report, type Round, type Settings } from '../measure/comparison.ts'
import { ratio } from '../measure/figure.ts'
import type { Follower } from '../processes/follower.ts'
import type { SlowWriter } from '../processes/slow-writer.ts'
import { inScratch } from '../scratch.ts'

/** Each followed session beside the first is idle. */
const BUSY = 'busy'
const PAUSE_MS = 20

export async function followed ({ quick }: Settings, report: Report): Promise<void> {
  const { rounds, sessions, deltas } = quick ? { rounds: 1, sessions: 200, deltas: 20 } : { rounds: 3, sessions: 10_000, deltas: 200 }
  const writer = Child.start<SlowWriter>('slow-writer')
  const many = Child.start<Follower>('follower')
  const one = Child.start<Follower>('follower')
  try {
    await inScratch(async (directory) => {
      const path = join(directory, 'runs.db')
      const side = (follower: Child<Follower>) => async (): Promise<Round> => {
        // Beside the deltas the user's message, the whole text, and the end.
        const following = follower.ask('follow', BUSY, deltas + 3)
        await writer.ask('write', path, BUSY, deltas, PAUSE_MS)
        const { cpuUs, events, fault } = await following
        return { figures: { 'CPU/event': cpuUs / events }, fault }
      }
      await one.ask('open', path, [BUSY])
      await many.ask('open', path, Array.from({ length: sessions }, (_, index) => `idle-${index}`))
      const lines = await compare({
        bench: 'followed',
        what: `${sessions.toLocaleString('en')} followed sessions, one busy elsewhere`,
        rounds,
        figures: { 'CPU/event': { unit: 'µs', goal: ratio('<=', 1.5) } },
        complete: `all of ${deltas + 3}`,
        sides: { ours: side(many), bare: side(one) }
      })
      lines.forEach(report)
      await Promise.all([many.ask('close'), one.ask('close')])
    })
  } finally {
    await Promise.all([writer.stop(), many.stop(), one.stop()])
  }
}

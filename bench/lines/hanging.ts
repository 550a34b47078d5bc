/* How fast runs become durable beside one whose call to the store hangs. */
import { join } from 'node:path'
import { Child } from '../child.ts'
import { compare, rated, rates, type Report, type Settings } from '../measure/comparison.ts'
import { ratio } from '../measure/figure.ts'
import type { RunsAppend } from '../processes/runs-append.ts'
import { inScratch } from '../scratch.ts'

export async function hanging ({ quick }: Settings, report: Report): Promise<void> {
  const { rounds, runs, events } = quick ? { rounds: 1, runs: 10, events: 50 } : { rounds: 7, runs: 100, events: 500 }
  const ours = Child.start<RunsAppend>('runs-append')
  const bare = Child.start<RunsAppend>('runs-append')
  let files = 0
  try {
    await inScratch(async (directory) => {
      const side = (child: Child<RunsAppend>, isHanging: boolean) => async () => {
        return rated(await child.ask('append', join(directory, `${files++}.db`), null, runs, { events, eventsPerTurn: 5, deltas: true }, isHanging))
      }
      const lines = await compare({
        bench: 'hanging',
        what: `${runs} runs at once, beside one whose append hangs`,
        rounds,
        figures: rates({ rate: ratio('>=', 0.9) }),
        complete: `all of ${(runs * (events + 2)).toLocaleString('en')}`,
        sides: { ours: side(ours, true), bare: side(bare, false) }
      })
      lines.forEach(report)
    })
  } finally {
    await Promise.all([ours.stop(), bare.stop()])
  }
}

/* What runs of a few words cost, each from its start to its end. */
import { join } from 'node:path'
import { Child } from '../child.ts'
import { compare, rated, rates, type Report, type Settings } from '../measure/comparison.ts'
import { ratio } from '../measure/figure.ts'
import type { BareAppend } from '../processes/bare-append.ts'
import type { AppendWork, RunsAppend } from '../processes/runs-append.ts'
import { SHORT_ANSWER_EVENTS } from '../processes/short-answer.ts'
import { inScratch } from '../scratch.ts'

export async function shortRuns ({ quick }: Settings, report: Report): Promise<void> {
  const { rounds, runs, atOnce } = quick ? { rounds: 1, runs: 50, atOnce: 10 } : { rounds: 9, runs: 1_000, atOnce: 50 }
  const ours = Child.start<RunsAppend>('runs-append')
  const bare = Child.start<BareAppend>('bare-append')
  let files = 0
  try {
    await inScratch(async (directory) => {
      const file = (): string => join(directory, `${files++}.db`)
      let source = ''
      let last: AppendWork | null = null
      const lines = await compare({
        bench: 'short-runs',
        what: `${runs.toLocaleString('en')} runs of ${SHORT_ANSWER_EVENTS} events, ${atOnce} at a time`,
        rounds,
        figures: rates({ rate: ratio('>=', 0.6) }),
        complete: `all of ${(runs * SHORT_ANSWER_EVENTS).toLocaleString('en')}`,
        sides: {
          ours: async () => {
            source = file()
            last = await ours.ask('shortRuns', file(), source, runs, atOnce)
            return rated(last)
          },
          bare: async () => rated(await bare.ask('shortRuns', source, file(), last!.transactions))
        }
      })
      lines.forEach(report)
    })
  } finally {
    await Promise.all([ours.stop(), bare.stop()])
  }
}

/* What readers that stop reading cost the server, while others read on. */
import { join } from 'node:path'
import { compare, type Report, type Round, type Settings } from '../measure/comparison.ts'
import { type FigureSpec, value } from '../measure/figure.ts'
import type { LargePace } from '../processes/large-agent.ts'
import type { RunsServer } from '../processes/runs-server.ts'
import { Audience } from '../readers/audience.ts'
import { inScratch } from '../scratch.ts'
import { withServer } from '../servers.ts'

const READERS = 20
const STALLED = 10
const SESSION = 'session'
/** The part of the events behind which they stall. */
const STALLED_BEHIND = 0.1

interface Flow extends LargePace {
  what: string
}

const FULL: Flow[] = [
  { what: '0.5 MB', bytes: 500_000, events: 100, perSecond: 20 },
  { what: '2 kB', bytes: 2_000, events: 10_000, perSecond: 2_000 }
]
const QUICK: Flow[] = [{ what: '0.5 MB', bytes: 500_000, events: 30, perSecond: 40 }]

const FIGURES: Record<string, FigureSpec> = {
  // What the server may take, and 1 MB more for each that is stalled.
  'peak RSS over base': { unit: 'MB', goal: value('<=', 64 + STALLED) },
  'of the rate': { unit: '%' },
  'caught up in': { unit: 'ms' }
}

export async function stalled ({ quick }: Settings, report: Report): Promise<void> {
  for (const flow of quick ? QUICK : FULL) {
    const lines = await compare({
      bench: 'stalled',
      what: `${STALLED} of ${READERS} readers, ${flow.perSecond.toLocaleString('en')} events/s of ${flow.what}`,
      rounds: quick ? 1 : 3,
      warmUp: false,
      figures: FIGURES,
      complete: `all of ${(READERS * (flow.events + 2)).toLocaleString('en')}`,
      sides: {
        ours: () => inScratch((directory) => withServer<RunsServer, Round>('runs-server', [join(directory, 'runs.db')], async ({ child, port }) => {
          await child.ask('createSessions', [SESSION])
          const open = (readers: number): Promise<Audience> => Audience.open(port, Array(readers).fill(`/sessions/${SESSION}/stream`), 0)
          const [fast, slow] = [await open(READERS - STALLED), await open(STALLED)]
          const base = await child.ask('watchMemory')
          const { events, perSecond, bytes } = flow
          const lastSeq = events + 2
          const start = performance.now()
          await child.ask('startRun', SESSION, 'large', { events, perSecond, bytes })
          await slow.reached(Math.round(events * STALLED_BEHIND))
          slow.pause()
          await fast.reached(lastSeq)
          const ms = performance.now() - start
          const stalledAt = slow.least
          const resumed = performance.now()
          slow.goOn()
          await slow.reached(lastSeq)
          const catchingUpMs = performance.now() - resumed
          const peak = await child.ask('peakMemory')
          const fault = await fast.fault(lastSeq) ?? await slow.fault(lastSeq)
          fast.close()
          slow.close()
          return {
            figures: {
              'peak RSS over base': (peak - base) / 1e6,
              'of the rate': Math.min(100, 100 * events / perSecond * 1_000 / ms),
              'caught up in': catchingUpMs
            },
            fault: fault ?? (stalledAt < lastSeq ? null : 'nobody was stalled')
          }
        }))
      }
    })
    lines.forEach(report)
  }
}

/* Many runs at once, each with a reader of its own, at the rate at which agents speak. */
import { join } from 'node:path'
import type { Child } from '../child.ts'
import { compare, type Report, type Round, type Settings } from '../measure/comparison.ts'
import { type FigureSpec, ratio, value } from '../measure/figure.ts'
import { presentPeers } from '../peers/packages.ts'
import type { BareRuns } from '../processes/bare-runs.ts'
import type { RunsServer } from '../processes/runs-server.ts'
import type { Rhythm } from '../processes/timed-agent.ts'
import { Audience } from '../readers/audience.ts'
import { inScratch } from '../scratch.ts'
import { withServer } from '../servers.ts'

interface Crowd {
  runs: number
  events: number
  perSecond: number
  rounds: number
}

const FULL: Crowd[] = [
  { runs: 100, events: 250, perSecond: 50, rounds: 3 },
  { runs: 1_000, events: 500, perSecond: 50, rounds: 3 }
]
const QUICK: Crowd[] = [{ runs: 20, events: 25, perSecond: 50, rounds: 1 }]

/** What is offered must arrive, about as cheaply as from the bare server. */
const FIGURES: Record<string, FigureSpec> = {
  'of the rate': { unit: '%', goal: value('>=', 97) },
  'CPU/event': { unit: 'µs', goal: ratio('<=', 1.25) },
  RSS: { unit: 'MB', goal: ratio('<=', 2) },
  'p50 latency': { unit: 'ms' },
  'p99 latency': { unit: 'ms', goal: ratio('<=', 2) }
}

export async function many ({ quick }: Settings, report: Report): Promise<void> {
  const peers = presentPeers(['@fastify/sse'], 'many', report)
  for (const crowd of quick ? QUICK : FULL) {
    const { runs, events, perSecond, rounds } = crowd
    const lines = await compare({
      bench: 'many',
      what: `${runs.toLocaleString('en')} runs of ${perSecond} events/s, a reader each`,
      rounds,
      // Each round has servers of its own, so that each begins with the same memory; in these seconds their code becomes fast.
      warmUp: false,
      figures: FIGURES,
      complete: `all of ${(runs * (events + 2)).toLocaleString('en')}`,
      sides: {
        ours: () => inScratch((directory) => withServer<RunsServer, Round>('runs-server', [join(directory, 'runs.db')], async ({ child, port }) => {
          const sessions = sessionsOf(crowd)
          await child.ask('createSessions', sessions)
          return listen(crowd, port, sessions.map((session) => `/sessions/${session}/stream`), child, (session, rhythm) => child.ask('startRun', session, 'timed', rhythm))
        })),
        bare: () => unstored('bare-runs', crowd),
        ...Object.fromEntries(peers.map((peer) => [peer, () => unstored('peer-runs', crowd)]))
      }
    })
    lines.forEach(report)
  }
}

/** A round of a server that stores nothing. */
function unstored (name: string, crowd: Crowd): Promise<Round> {
  return withServer<BareRuns, Round>(name, [], async ({ child, port }) => {
    return listen(crowd, port, sessionsOf(crowd).map((session) => `/${session}`), child, (session, rhythm) => child.ask('startRun', session, rhythm))
  })
}

function sessionsOf ({ runs }: Crowd): string[] {
  return Array.from({ length: runs }, (_, run) => `session-${run}`)
}

/** Opens the streams, starts the runs, lets them speak, and waits until each reader has everything. */
async function listen (crowd: Crowd, port: number, paths: string[], server: Child<RunsServer> | Child<BareRuns>, startRun: (session: string, rhythm: Rhythm) => Promise<void>): Promise<Round> {
  const { runs, events, perSecond } = crowd
  // Both servers answer these.
  const child = server as Child<BareRuns>
  const ages: number[] = []
  const audience = await Audience.open(port, paths, 0, { ages })
  for (const [run, session] of sessionsOf(crowd).entries()) await startRun(session, { events, perSecond, phaseMs: run * 1_000 / perSecond / runs })
  await audience.reached(1)
  await child.ask('watchMemory')
  const cpu = await child.ask('cpuUs')
  const start = performance.now()
  await child.ask('begin')
  await audience.reached(events + 2)
  const ms = performance.now() - start
  const cpuUs = await child.ask('cpuUs') - cpu
  const rss = await child.ask('peakMemory')
  const fault = await audience.fault(events + 2)
  audience.close()
  ages.sort((a, b) => a - b)
  const late = (share: number): number => (ages[Math.floor(ages.length * share)] ?? NaN) / 1_000
  return {
    figures: {
      // The last event is due one period before the end.
      'of the rate': Math.min(100, 100 * events / perSecond * 1_000 / ms),
      'CPU/event': cpuUs / (runs * events),
      RSS: rss / 1e6,
      'p50 latency': late(0.5),
      'p99 latency': late(0.99)
    },
    fault: fault ?? (ages.length === runs * events ? null : `${ages.length} of ${runs * events} events said when they were made`)
  }
}

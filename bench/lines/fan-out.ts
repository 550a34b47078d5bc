/* How fast the events of one run reach many subscribers. */
import { compare, rated, rates, type Report, type Settings, type Work } from '../measure/comparison.ts'
import { type Goal, ratio } from '../measure/figure.ts'
import { Audience } from '../readers/audience.ts'
import { withServers } from '../servers.ts'

/** Of so many readers one parses what it gets. */
const READERS_PER_PARSING = 200

interface Crowd {
  subscribers: number
  events: number
  eventsPerTurn: number
  goals: { rate?: Goal, cpu?: Goal }
}

const FULL: Crowd[] = [
  { subscribers: 100, events: 2_000, eventsPerTurn: 1, goals: { cpu: ratio('<=', 0.5) } },
  { subscribers: 1_000, events: 200, eventsPerTurn: 1, goals: { cpu: ratio('<=', 0.5) } },
  { subscribers: 100, events: 5_000, eventsPerTurn: 10, goals: { rate: ratio('>=', 2.5), cpu: ratio('<=', 0.32) } }
]
const QUICK: Crowd[] = [
  { subscribers: 20, events: 20, eventsPerTurn: 1, goals: {} },
  { subscribers: 20, events: 100, eventsPerTurn: 10, goals: {} }
]

export async function fanOut ({ quick }: Settings, report: Report): Promise<void> {
  await withServers(async ({ ours, bare }) => {
    let sessions = 0
    for (const { subscribers, events, eventsPerTurn, goals } of quick ? QUICK : FULL) {
      // The user's message and the run's `complete` are events too.
      const lastSeq = events + 2
      const parsing = Math.ceil(subscribers / READERS_PER_PARSING)
      // What ours sent is what the bare one sends.
      let sent: string[] = []
      const lines = await compare({
        bench: 'fan-out',
        what: `${subscribers.toLocaleString('en')} subscribers, ${eventsPerTurn} event${eventsPerTurn === 1 ? '' : 's'} a turn`,
        rounds: quick ? 1 : 7,
        figures: rates(goals),
        complete: `all of ${(lastSeq * subscribers).toLocaleString('en')}`,
        sides: {
          ours: async () => {
            const session = `session-${sessions++}`
            await ours.child.ask('createSessions', [session])
            const audience = await Audience.open(ours.port, Array(subscribers).fill(`/sessions/${session}/stream`), parsing)
            const work = await watch(audience, lastSeq, () => ours.child.ask('cpuUs'), () => {
              return ours.child.ask('startRun', session, 'paced', { events, eventsPerTurn, deltas: false })
            })
            sent = audience.frames
            return rated(work)
          },
          bare: async () => {
            const [preamble, ...frames] = sent
            await bare.child.ask('setPreamble', preamble!)
            const audience = await Audience.open(bare.port, Array(subscribers).fill('/'), parsing)
            return rated(await watch(audience, lastSeq, () => bare.child.ask('cpuUs'), () => bare.child.ask('broadcast', frames, eventsPerTurn)))
          }
        }
      })
      lines.forEach(report)
    }
  })
}

/** Starts the sending, and waits until everybody has everything. */
async function watch (audience: Audience, lastSeq: number, cpuUs: () => Promise<number>, send: () => Promise<void>): Promise<Work> {
  const cpu = await cpuUs()
  const start = performance.now()
  await Promise.all([send(), audience.reached(lastSeq)])
  const ms = performance.now() - start
  const used = await cpuUs() - cpu
  const fault = await audience.fault(lastSeq)
  audience.close()
  return { events: lastSeq * audience.size, ms, cpuUs: used, fault }
}

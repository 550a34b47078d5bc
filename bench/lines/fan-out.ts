/* How fast the events of one run reach many subscribers. */
import { compare, rated, rates, type Report, type Settings, type Work } from '../measure/comparison.ts'
import { type Goal, ratio } from '../measure/figure.ts'
import { presentPeers } from '../peers/packages.ts'
import type { SentEvent } from '../processes/peers/sse-peer.ts'
import { Audience } from '../readers/audience.ts'
import { partsOf } from '../readers/parsing-reader.ts'
import { withPeers, withServers } from '../servers.ts'

/** Of so many readers one parses what it gets. */
const READERS_PER_PARSING = 200
/** The part of the events that goes over Redis. */
const OVER_REDIS = 0.1

interface Crowd {
  subscribers: number
  events: number
  eventsPerTurn: number
  goals: { rate?: Goal, cpu?: Goal }
}

const FULL: Crowd[] = [
  { subscribers: 1_000, events: 200, eventsPerTurn: 1, goals: { cpu: ratio('<=', 0.5) } },
  { subscribers: 100, events: 5_000, eventsPerTurn: 10, goals: { rate: ratio('>=', 2.5), cpu: ratio('<=', 0.32) } }
]
const QUICK: Crowd[] = [
  { subscribers: 20, events: 20, eventsPerTurn: 1, goals: {} },
  { subscribers: 20, events: 100, eventsPerTurn: 10, goals: {} }
]

export async function fanOut ({ quick }: Settings, report: Report): Promise<void> {
  const names = presentPeers(['@fastify/sse', 'better-sse', 'resumable-stream'], 'fan-out', report)
  await withServers(({ ours, bare }) => withPeers(names, async (peers) => {
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
        rounds: quick ? 1 : 5,
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
          },
          ...Object.fromEntries(peers.map(({ name, peer: { child, port } }) => [name, async () => {
            // Over Redis each event goes to each reader by itself: of fewer events the rate is the same.
            const some = sent.slice(1, name === 'resumable-stream' ? 1 + Math.ceil(lastSeq * OVER_REDIS) : undefined).map(sentEvent)
            const audience = await Audience.open(port, Array(subscribers).fill('/'), parsing)
            return rated(await watch(audience, some.length, () => child.ask('cpuUs'), () => child.ask('broadcast', some, eventsPerTurn)))
          }]))
        }
      })
      lines.forEach(report)
    }
  }))
}

/** The event in one of our frames. */
function sentEvent (frame: string): SentEvent {
  const { id, json } = partsOf(frame)
  return { seq: Number(id), json: json! }
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

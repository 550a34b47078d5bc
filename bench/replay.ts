/* How fast a log that is stored reaches a client that asks for all of it. */
import { type Comparison, compareRates, type Round } from './comparison.ts'
import { Audience } from './readers/audience.ts'
import { withServers } from './servers.ts'

interface Replay {
  events: number
  /** How many clients at once. */
  clients: number
  /** How many times, one after the other, make a round: a short replay alone is over too soon to be measured. */
  times: number
}

const FULL: Replay[] = [
  { events: 5_000, clients: 1, times: 20 },
  { events: 5_000, clients: 8, times: 5 },
  { events: 50_000, clients: 1, times: 3 }
]
const QUICK: Replay[] = [
  { events: 1_200, clients: 1, times: 1 },
  { events: 1_200, clients: 3, times: 1 }
]

export async function replay (quick: boolean, report: (comparison: Comparison) => void): Promise<void> {
  await withServers(async ({ path, ours, bare }) => {
    const stored = new Set<string>()
    for (const { events, clients, times } of quick ? QUICK : FULL) {
      const session = `session-${events}`
      const lastSeq = events
      if (!stored.has(session)) {
        // The user's message and the run's `complete` make it full.
        await ours.child.ask('startRun', session, { events: events - 2, eventsPerTurn: 100, deltas: false })
        const witness = await Audience.open(ours.port, [`/sessions/${session}/stream`], 1)
        await witness.reached(lastSeq)
        witness.close()
        await bare.child.ask('useDatabase', path)
        stored.add(session)
      }
      const side = (port: number, streamPath: string, cpuUs: () => Promise<number>) => () => read(port, Array(clients).fill(streamPath), lastSeq, times, cpuUs)
      const what = `${events.toLocaleString('en')} events to ${clients} client${clients === 1 ? '' : 's at once'}`
      report(await compareRates('replay', what, '>= 0.7x', quick ? 1 : 7,
        side(ours.port, `/sessions/${session}/stream`, () => ours.child.ask('cpuUs')),
        side(bare.port, `/replay/${session}`, () => bare.child.ask('cpuUs'))
      ))
    }
  })
}

/** Opens streams of all paths, `times` times over, and reads them to their end; then once more, off the clock, every word. */
async function read (port: number, paths: string[], lastSeq: number, times: number, cpuUs: () => Promise<number>): Promise<Round> {
  const sum: Round = { events: 0, ms: 0, cpuUs: 0, fault: null }
  for (let time = 0; time < times; time++) {
    const cpu = await cpuUs()
    const start = performance.now()
    const audience = await Audience.open(port, paths, 0)
    await audience.reached(lastSeq)
    sum.ms += performance.now() - start
    sum.cpuUs += await cpuUs() - cpu
    sum.events += lastSeq * paths.length
    sum.fault ??= await audience.fault(lastSeq)
    audience.close()
  }
  const parsing = await Audience.open(port, paths.slice(0, 1), 1)
  await parsing.reached(lastSeq)
  sum.fault ??= await parsing.fault(lastSeq)
  parsing.close()
  return sum
}

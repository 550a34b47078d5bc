/* How fast a log that is stored reaches a client that asks for all of it. */
import { join } from 'node:path'
import { compare, rated, rates, type Report, type Settings, type Work } from '../measure/comparison.ts'
import { ratio } from '../measure/figure.ts'
import { presentPeers } from '../peers/packages.ts'
import { Audience } from '../readers/audience.ts'
import { withPeers, withServers } from '../servers.ts'
import { STORED, storedEvents, storeLog } from './stored-log.ts'

interface Replay {
  events: number
  /** How many clients at once. */
  clients: number
  /** How many times, one after the other, make a round: a short replay alone is over too soon to be measured. */
  times: number
}

const FULL: Replay[][] = [
  [{ events: 5_000, clients: 1, times: 20 }, { events: 5_000, clients: 8, times: 5 }],
  [{ events: 50_000, clients: 1, times: 3 }]
]
const QUICK: Replay[][] = [
  [{ events: 1_200, clients: 1, times: 1 }, { events: 1_200, clients: 3, times: 1 }]
]

export async function replay ({ quick }: Settings, report: Report): Promise<void> {
  const names = presentPeers(['@fastify/sse', 'resumable-stream'], 'replay', report)
  // Logs of the same length are read from the same servers.
  for (const replays of quick ? QUICK : FULL) {
    await withServers(({ path, directory, ours, bare }) => withPeers(names, async (peers) => {
      const copy = join(directory, 'reference.db')
      await storeLog(ours, path, copy, replays[0]!.events)
      await bare.child.ask('useDatabase', copy)
      for (const { peer } of peers) await peer.child.ask('keep', storedEvents(copy))
      for (const { events, clients, times } of replays) {
        const side = (port: number, streamPath: string, cpuUs: () => Promise<number>) => async () => rated(await read(port, Array(clients).fill(streamPath), events, times, cpuUs))
        const lines = await compare({
          bench: 'replay',
          what: `${events.toLocaleString('en')} events to ${clients} client${clients === 1 ? '' : 's at once'}`,
          rounds: quick ? 1 : 7,
          figures: rates({ rate: ratio('>=', 1, 2) }),
          complete: `all of ${(events * clients * times).toLocaleString('en')}`,
          sides: {
            ours: side(ours.port, `/sessions/${STORED}/stream`, () => ours.child.ask('cpuUs')),
            bare: side(bare.port, `/replay/${STORED}`, () => bare.child.ask('cpuUs')),
            ...Object.fromEntries(peers.map(({ name, peer: { child, port } }) => [name, side(port, '/replay', () => child.ask('cpuUs'))]))
          }
        })
        lines.forEach(report)
      }
    }))
  }
}

/** Opens streams of all paths, `times` times over, and reads them to their end; then once more, off the clock, every word. */
async function read (port: number, paths: string[], lastSeq: number, times: number, cpuUs: () => Promise<number>): Promise<Work> {
  const sum: Work = { events: 0, ms: 0, cpuUs: 0, fault: null }
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

/* Many clients that come back at once, each with the middle of a log as its Last-Event-ID. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from '../child.ts'
import { compare, rates, type Report, type Round, type Settings } from '../measure/comparison.ts'
import { ratio, value } from '../measure/figure.ts'
import { presentPeers } from '../peers/packages.ts'
import type { BareServer } from '../processes/bare-server.ts'
import type { PeerServer } from '../processes/peer-server.ts'
import type { RunsServer } from '../processes/runs-server.ts'
import { withStore } from '../reference/copy.ts'
import { Audience } from '../readers/audience.ts'
import { inScratch } from '../scratch.ts'
import { withServer } from '../servers.ts'
import { STORED, storedEvents, storeLog } from './stored-log.ts'

export async function reconnect ({ quick }: Settings, report: Report): Promise<void> {
  const { rounds, clients, events } = quick ? { rounds: 1, clients: 50, events: 1_000 } : { rounds: 7, clients: 500, events: 5_000 }
  const peers = presentPeers(['@fastify/sse'], 'reconnect', report)
  await inScratch(async (directory) => {
    const [path, copy] = [join(directory, 'runs.db'), join(directory, 'reference.db')]
    await withServer<RunsServer, void>('runs-server', [path], (server) => storeLog(server, path, copy, events))
    // The last to close a database leaves everything in its one file.
    await withStore(path, async () => {})
    let files = 0
    const lines = await compare({
      bench: 'reconnect',
      what: `${clients} clients at once, with ${(events / 2).toLocaleString('en')} of ${events.toLocaleString('en')} events`,
      rounds,
      // Each round has servers that have just started, as they have when everybody comes back.
      warmUp: false,
      figures: { ...rates({ rate: ratio('>=', 2) }), RSS: { unit: 'MB', goal: value('<=', 150) } },
      complete: `all of ${(clients * events / 2).toLocaleString('en')}`,
      sides: {
        ours: () => {
          const own = join(directory, `${files++}.db`)
          copyFileSync(path, own)
          return withServer<RunsServer, Round>('runs-server', [own], ({ child, port }) => comeBack(port, Array(clients).fill(`/sessions/${STORED}/stream`), events, child))
        },
        bare: () => withServer<BareServer, Round>('bare-server', [], async ({ child, port }) => {
          await child.ask('useDatabase', copy)
          return comeBack(port, Array(clients).fill(`/replay/${STORED}`), events, child)
        }),
        ...Object.fromEntries(peers.map((name) => [name, () => withServer<PeerServer, Round>('peer-server', [name], async ({ child, port }) => {
          await child.ask('keep', storedEvents(copy))
          return comeBack(port, Array(clients).fill('/replay'), events, child)
        })]))
      }
    })
    lines.forEach(report)
  })
}

/** Opens all streams at once in the middle of the log, and reads them to its end. */
async function comeBack (port: number, paths: string[], lastSeq: number, server: Child<RunsServer> | Child<BareServer> | Child<PeerServer>): Promise<Round> {
  // All of them answer these.
  const child = server as Child<BareServer>
  const after = lastSeq / 2
  const events = paths.length * (lastSeq - after)
  await child.ask('watchMemory')
  const cpu = await child.ask('cpuUs')
  const start = performance.now()
  const audience = await Audience.open(port, paths, 0, { after, openedAtOnce: paths.length })
  await audience.reached(lastSeq)
  const ms = performance.now() - start
  const cpuUs = await child.ask('cpuUs') - cpu
  const rss = await child.ask('peakMemory')
  const fault = await audience.fault(lastSeq)
  audience.close()
  return { figures: { rate: events / ms * 1_000, 'CPU/event': cpuUs / events, RSS: rss / 1e6 }, fault }
}

/* A log that is stored, for those who read it: in our database, and in one in the reference layout. */
import type { SentEvent } from '../processes/peers/sse-peer.ts'
import { faultInLog, readLog, withStore, writeReference } from '../reference/copy.ts'
import { allEvents, openReference } from '../reference/layout.ts'
import { Audience } from '../readers/audience.ts'
import type { RunsServer } from '../processes/runs-server.ts'
import type { Server } from '../servers.ts'

export const STORED = 'stored'

/** Lets our server store a log of `events` events in the session `STORED`, and copies it to a new file. */
export async function storeLog ({ child, port }: Server<RunsServer>, path: string, copy: string, events: number): Promise<void> {
  // The user's message and the run's `complete` make it full.
  await child.ask('startRun', STORED, 'paced', { events: events - 2, eventsPerTurn: 100, deltas: false })
  const witness = await Audience.open(port, [`/sessions/${STORED}/stream`], 1)
  await witness.reached(events)
  witness.close()
  await withStore(path, async (store) => {
    const log = await readLog(store, STORED)
    const fault = faultInLog(log, events)
    if (fault !== null) throw new Error(fault)
    writeReference(copy, [STORED], [log])
  })
}

/** The events of such a copy, for those who keep them in memory. */
export function storedEvents (copy: string): SentEvent[] {
  const database = openReference(copy)
  const events = allEvents(database)
  database.close()
  return events.map(({ seq, json }) => ({ seq, json }))
}

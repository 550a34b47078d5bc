/* @durable-streams/server on files: a stream for each session. Each of its appends waits for the disk, which ours does only at `durability: 'full'`. */
import { answer } from '../answer.ts'
import type { Work } from '../measure/comparison.ts'
import { cpuUs } from '../measure/usage.ts'
import { importPeer } from '../peers/packages.ts'
import { allEvents, openReference, type ReferenceEvent } from '../reference/layout.ts'
import type { Transaction } from './watched-appends.ts'

/** What of the package is used here. */
interface StreamStore {
  create (path: string, options: { contentType: string }): Promise<unknown>
  append (path: string, data: Uint8Array): Promise<unknown>
  read (path: string): { messages: Array<{ data: Uint8Array }> }
  close (): Promise<void>
}
interface DurableStreams { FileBackedStreamStore: new (options: { dataDir: string, maxFileHandles: number }) => StreamStore }

// The package tells of each start and each slow append there.
Object.assign(globalThis.console, { info: () => {}, warn: () => {} })

const { FileBackedStreamStore } = await importPeer<DurableStreams>('@durable-streams/server')

export type PeerAppend = typeof answers

const answers = {
  /** Appends the events of `commits` transactions of `source`, a database in the reference layout; those of one at once. */
  async append (source: string, directory: string, transactions: Transaction[], commits: number): Promise<Work> {
    const store = new FileBackedStreamStore({ dataDir: directory, maxFileHandles: transactions.length })
    const logs = logsOf(source)
    for (const session of logs.keys()) await store.create(pathOf(session), { contentType: 'application/json' })
    const written = new Map<number, number>()
    // An array of JSON is taken for as many messages.
    const next = (session: number, events: number): Uint8Array => {
      const at = written.get(session) ?? 0
      written.set(session, at + events)
      return Buffer.from(`[${logs.get(session)!.slice(at, at + events).map(({ json }) => json).join(',')}]`)
    }
    const appended = transactions.flatMap((transaction) => 'appended' in transaction ? [transaction.appended] : []).slice(0, commits)
    // The user's messages come before the clock starts.
    for (const session of logs.keys()) await store.append(pathOf(session), next(session, 1))
    const cpu = cpuUs()
    const start = performance.now()
    let events = 0
    for (const portions of appended) {
      await Promise.all(portions.map(([session, count]) => {
        events += count
        return store.append(pathOf(session + 1), next(session + 1, count))
      }))
    }
    const ms = performance.now() - start
    const used = cpuUs() - cpu
    const faults = [...logs].flatMap(([session, log]) => {
      const { messages } = store.read(pathOf(session))
      // Each message ends with a comma.
      const stored = JSON.parse(`[${Buffer.concat(messages.map(({ data }) => data)).toString().slice(0, -1)}]`) as Array<{ seq: number }>
      const isWhole = stored.length === written.get(session) && stored.every(({ seq }, index) => seq === log[index]!.seq)
      return isWhole ? [] : `${stored.length} of ${written.get(session)} events of a session are stored`
    })
    await store.close()
    return { events, ms, cpuUs: used, fault: faults[0] ?? null }
  }
}

function pathOf (session: number): string {
  return `/session-${session}`
}

/** The events of each session. */
function logsOf (source: string): Map<number, ReferenceEvent[]> {
  const database = openReference(source)
  const logs = new Map<number, ReferenceEvent[]>()
  for (const event of allEvents(database)) {
    const log = logs.get(event.session)
    if (log === undefined) logs.set(event.session, [event])
    else log.push(event)
  }
  database.close()
  return logs
}

answer(answers)

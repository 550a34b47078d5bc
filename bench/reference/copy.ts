/* What our store holds, read through its contract: to check it, and to give the bare sides the same events. */
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Store } from '../../index.ts'
import type { StoredEvent } from '../../lib/protocol/event.ts'
import { createReference, eventInsert, sessionInsert } from './layout.ts'

const PAGE = { rows: 500, bytes: 4 * 1024 * 1024 }

/** How many events of a session came at a time. Sessions are told by their place in a list. */
export type Portion = [session: number, events: number]

/** Reads a whole log. */
export async function readLog (store: Store, sessionId: string): Promise<StoredEvent[]> {
  const log: StoredEvent[] = []
  for (let after = 0; ;) {
    const page = await store.readEvents(sessionId, null, after, PAGE)
    if (page === null) return log
    log.push(...page.events)
    if (page.through >= page.lastSeq) return log
    after = page.through
  }
}

/** Opens one of our databases, does `work` with it, and closes it. */
export async function withStore<T> (path: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = sqliteStore({ path })
  await store.open()
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** What is wrong with a log of one run that should have `events` events, the last of them its end; null if nothing is. */
export function faultInLog (log: readonly StoredEvent[], events: number): string | null {
  if (log.length !== events) return `${log.length} of ${events} events are stored`
  const wrong = log.findIndex(({ seq, json }, index) => seq !== index + 1 || (JSON.parse(json) as { seq: number }).seq !== seq)
  if (wrong !== -1) return `the event ${wrong + 1} is stored as ${log[wrong]!.seq}`
  return log.findIndex(({ kind }) => kind === 'complete') === events - 1 ? null : 'the run did not end with its last event'
}

/**
 * Writes logs into a new database in the reference layout, in the order of `portions`; by default one session after the other.
 * A session's key there, and that of its run, is its place in the list, counted from 1.
 */
export function writeReference (path: string, sessionIds: readonly string[], logs: ReadonlyArray<readonly StoredEvent[]>, portions: readonly Portion[] = logs.map((log, index) => [index, log.length])): void {
  const database = createReference(path)
  const [insertEvent, insertSession] = [eventInsert(database), sessionInsert(database)]
  database.transaction(() => {
    for (const [index, id] of sessionIds.entries()) insertSession(index + 1, id, Date.now())
    const written = logs.map(() => 0)
    for (const [session, events] of portions) {
      const from = written[session]!
      for (const { seq, kind, transient, json } of logs[session]!.slice(from, from + events)) insertEvent({ session: session + 1, seq, run: session + 1, kind, transient, json })
      written[session] = from + events
    }
  }).immediate()
  // All of it is in the file: who reads it reads no write-ahead log.
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
}

/*
 * Compacts a run in slices that yield to the rest of the process. Between any two of them readers rebuild the same text:
 * first snapshots are written, beside the deltas that they hold; then the deltas go, the newest first, so that what is left
 * of a message is its beginning, and the snapshot or the whole text behind it says the rest.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { StoredEvent } from '../../lib/protocol/event.ts'
import { type CompactionPlanner, CompactionSurvey } from '../../lib/store/compaction.ts'
import type { PageLimit } from '../../lib/store/store.ts'
import { envelopeOf, type RunEnvelope, toEvents, toRows } from './event-rows.ts'
import { eventsAfter, insertRows, type LogKeys } from './log.ts'
import { takePage } from './page.ts'
import type { Queries, RunRow } from './queries.ts'

/** What one transaction reads, writes or removes. */
const SLICE: PageLimit = { rows: 500, bytes: 256 * 1024 }

interface RewrittenLog extends LogKeys {
  envelope: RunEnvelope
}

/** How transactions are made. */
export interface Transactions {
  read: <T>(work: (queries: Queries) => T) => Promise<T>
  write: <T>(work: (queries: Queries) => T) => Promise<T>
}

/** See `Store.compactRun`. What is rewritten has to be in the log: `seal` puts a running run's tail there. */
export async function compactRun (database: Transactions, runId: string, keep: number, seal: (queries: Queries, run: RunRow) => void = () => {}): Promise<number> {
  const run = await database.read((queries) => queries.run.get({ id: runId }))
  if (run === undefined) return 0
  const { cursor, completeSeq } = run
  const keys = { runKey: run.key, sessionKey: run.sessionKey, envelope: envelopeOf({ sessionId: run.sessionId, runId, provider: run.provider }) }
  const isOver = completeSeq !== null
  const through = await database.write((queries) => {
    const now = queries.run.get({ id: runId })
    if (now?.status === 'running') seal(queries, now)
    return queries.lastSeqInLog(keys.sessionKey)![0]
  })
  const survey = new CompactionSurvey()
  for await (const events of slices(database, keys.sessionKey, runId, cursor, through)) events.forEach((event) => survey.add(event))
  // The newest event of a session has to stay: its seq is the next one's measure.
  const planner = survey.planner(isOver ? keep : Math.max(1, keep))
  const removed = planner === null ? 0 : await carryOut(database, keys, planner, slices(database, keys.sessionKey, runId, cursor, survey.lastSeq))
  if (isOver && keep === 0) await database.write((queries) => queries.setCompacted.run(keys))
  if (removed > 0) await database.write((queries) => queries.deleteTailThrough(keys.sessionKey, through))
  return survey.transient - removed
}

/** Answers how many events were removed. */
async function carryOut (database: Transactions, keys: RewrittenLog, planner: CompactionPlanner, events: AsyncIterable<StoredEvent[]>): Promise<number> {
  const rewrite = async (snapshots: StoredEvent[]): Promise<void> => {
    if (snapshots.length > 0) await database.write((queries) => change(queries, keys, new Map(snapshots.map((event) => [event.seq, event]))))
  }
  for await (const some of events) await rewrite(some.flatMap((event) => planner.add(event)))
  await rewrite(planner.end())
  const { remove, through } = planner
  const newestFirst = remove.toReversed()
  while (newestFirst.length > 0) {
    const { items } = takePage(newestFirst, SLICE, ({ bytes }) => bytes)
    newestFirst.splice(0, items.length)
    await database.write((queries) => {
      queries.setCompactedThrough.run({ sessionKey: keys.sessionKey, through })
      change(queries, keys, new Map(items.map(({ seq }) => [seq, null])))
    })
    await nextTurn()
  }
  return remove.length
}

/** Replaces events of the log, or (null) removes them: row by row. */
function change (queries: Queries, keys: RewrittenLog, changes: ReadonlyMap<number, StoredEvent | null>): void {
  let done = 0
  for (const seq of [...changes.keys()].sort((a, b) => a - b)) {
    if (seq <= done) continue
    const [key, ...row] = queries.rowAt(keys.sessionKey, seq)!
    done = row[0]
    const events = toEvents(row).flatMap((event) => {
      const changed = changes.get(event.seq)
      return changed === undefined ? event : changed ?? []
    })
    queries.deleteRow(key)
    insertRows(queries, keys, toRows(events, keys.envelope))
  }
}

/** The events of a run that are retained, in order, up to a seq. */
async function * slices (database: Transactions, sessionKey: number, runId: string, cursor: number, through: number): AsyncGenerator<StoredEvent[]> {
  for (let after = cursor; ;) {
    const { events, more } = await database.read((queries) => eventsAfter(queries, sessionKey, after, SLICE))
    const end = events.findIndex((event) => event.runId !== runId || event.seq > through)
    yield end === -1 ? events : events.slice(0, end)
    if (!more || end !== -1) return
    after = events.at(-1)!.seq
    await nextTurn()
  }
}

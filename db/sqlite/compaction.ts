/*
 * Compacts a run in slices that yield to the rest of the process. Between any two of them readers rebuild the same text:
 * first snapshots are written, beside the deltas that they hold; then the deltas go, the newest first, so that what is left
 * of a message is its beginning, and the snapshot or the whole text behind it says the rest.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { StoredEvent } from '../../lib/protocol/event.ts'
import { type CompactionPlanner, CompactionSurvey } from '../../lib/store/compaction.ts'
import type { PageLimit } from '../../lib/store/store.ts'
import { takePage } from './page.ts'
import type { LogRow, Queries } from './queries.ts'
import { toStoredEvent } from './rows.ts'

/** What one transaction reads, writes or removes. */
const SLICE: PageLimit = { rows: 500, bytes: 256 * 1024 }

/** How transactions are made. */
export interface Transactions {
  read: <T>(work: (queries: Queries) => T) => Promise<T>
  write: <T>(work: (queries: Queries) => T) => Promise<T>
}

/** See `Store.compactRun`. */
export async function compactRun (database: Transactions, runId: string, keep: number): Promise<number> {
  const run = await database.read((queries) => queries.run.get({ id: runId }))
  if (run === undefined) return 0
  const { key: runKey, sessionKey, cursor, completeSeq } = run
  const isOver = completeSeq !== null
  const survey = new CompactionSurvey()
  for await (const events of slices(database, sessionKey, runId, cursor, Infinity)) events.forEach((event) => survey.add(event))
  // The newest event of a session has to stay: its seq is the next one's measure.
  const planner = survey.planner(isOver ? keep : Math.max(1, keep))
  const removed = planner === null ? 0 : await carryOut(database, sessionKey, planner, slices(database, sessionKey, runId, cursor, survey.lastSeq))
  if (isOver && keep === 0) await database.write((queries) => queries.setCompacted.run({ runKey }))
  return survey.transient - removed
}

/** Answers how many events were removed. */
async function carryOut (database: Transactions, sessionKey: number, planner: CompactionPlanner, events: AsyncIterable<StoredEvent[]>): Promise<number> {
  const rewrite = async (snapshots: StoredEvent[]): Promise<void> => {
    if (snapshots.length > 0) await database.write((queries) => { for (const { seq, json } of snapshots) queries.rewriteEvent.run({ sessionKey, seq, json }) })
  }
  for await (const some of events) await rewrite(some.flatMap((event) => planner.add(event)))
  await rewrite(planner.end())
  const { remove, through } = planner
  const newestFirst = remove.toReversed()
  while (newestFirst.length > 0) {
    const { items } = takePage(newestFirst, SLICE, ({ bytes }) => bytes)
    newestFirst.splice(0, items.length)
    await database.write((queries) => {
      queries.setCompactedThrough.run({ sessionKey, through })
      for (const { seq } of items) queries.deleteEvent.run({ sessionKey, seq })
    })
    await nextTurn()
  }
  return remove.length
}

/** The events of a run that are retained, in order, up to a seq. */
async function * slices (database: Transactions, sessionKey: number, runId: string, cursor: number, through: number): AsyncGenerator<StoredEvent[]> {
  for (let after = cursor; ;) {
    const { items, more } = await database.read((queries) => takePage(queries.eventsAfter({ sessionKey, after, limit: SLICE.rows + 1 }), SLICE, ([,,, json]: LogRow) => json.length))
    const events = items.map(toStoredEvent)
    const end = events.findIndex((event) => event.runId !== runId || event.seq > through)
    yield end === -1 ? events : events.slice(0, end)
    if (!more || end !== -1) return
    after = events.at(-1)!.seq
    await nextTurn()
  }
}

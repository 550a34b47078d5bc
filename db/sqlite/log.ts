/* What happens to the log of a session. Each function is inside one transaction of the caller. */
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { AppendGroup, AppendOutcome, EventsPage, HistoryPage, LogPage, PageLimit } from '../../lib/store/store.ts'
import { type EventRow, isOfApproval, type LogRow, merged, MOST_BYTES, MOST_EVENTS, type RunEnvelope, toEvents, toRows } from './event-rows.ts'
import { followLog } from './permissions.ts'
import type { Queries, RunKeys, RunRow, SessionHeadRow, SessionRow } from './queries.ts'
import { toSessionState } from './rows.ts'
import type { TailRow } from './tail.ts'

/** Where a run's events go. */
export type LogKeys = Pick<RunKeys, 'runKey' | 'sessionKey'>

/** The tail of one run, as the transaction has it. */
export interface RunTail {
  places: TailRow[]
  rows: EventRow[]
  events: number
  bytes: number
}

/** A run that appends, and the end of its log. */
export interface DrivenRun extends RunKeys {
  /** The newest seq of the session. */
  lastSeq: number
  envelope: RunEnvelope
  tail: RunTail
  /** The keys of rows of the tail that this transaction has put into the log. */
  sealed: number[]
}

/** A group of as many events goes into the log without a stay in the tail. */
const LARGE_GROUP = MOST_EVENTS / 2

/** Inserts events into the log, each as it is; the session has nothing in the tail. */
export function insertEvents (queries: Queries, keys: LogKeys, events: readonly StoredEvent[]): void {
  insertRows(queries, keys, events.map(({ seq, kind, transient, json }) => ({ seq, kind, transient: transient ? 1 : 0, json })))
}

/** Inserts rows into the log; what the session has in the tail follows them. */
export function insertRows (queries: Queries, { runKey, sessionKey }: LogKeys, rows: readonly EventRow[]): void {
  for (const { seq, kind, transient, json } of rows) queries.insertEvent(sessionKey, runKey, seq, kind, transient, json)
}

/** Appends one group of a run that `instanceId` drives, but for what its ending means to the run. */
export function appendGroup (queries: Queries, run: DrivenRun, instanceId: string, group: AppendGroup): AppendOutcome | 'repeated' {
  const { runId, events } = group
  // Only the driver of a running run appends to its session: what it has appended is the end of the log.
  if (events[0]!.seq === run.lastSeq + 1 && queries.isDriven(run.runKey, instanceId)) {
    const isOfApprovals = events.some(({ kind }) => isOfApproval(kind))
    append(queries, run, events, isOfApprovals || group.ending !== null)
    if (isOfApprovals) followLog(queries, run, events)
    run.lastSeq = events.at(-1)!.seq
    return 'ok'
  }
  const row = queries.run.get({ id: runId })
  if (row?.instanceId !== instanceId) return 'stale'
  run.lastSeq = row.lastSeq
  if (isStored(row, group)) return 'repeated'
  return row.status === 'running' ? 'conflict' : 'stale'
}

/** With `isRead` all goes into the log, where SQL finds it. */
function append (queries: Queries, run: DrivenRun, events: StoredEvent[], isRead: boolean): void {
  const rows = toRows(events, run.envelope)
  let bytes = 0
  for (const { json } of rows) bytes += json.length
  if (isRead || events.length >= LARGE_GROUP || bytes >= MOST_BYTES) return seal(queries, run, rows)
  if (run.tail.events + events.length > MOST_EVENTS || run.tail.bytes + bytes > MOST_BYTES) seal(queries, run, [])
  const { tail } = run
  for (const row of rows) {
    tail.places.push({ key: queries.insertTail(run.sessionKey, run.runKey, row.seq, row.kind, row.transient, row.json), seq: row.seq })
    tail.rows.push(row)
  }
  tail.events += events.length
  tail.bytes += bytes
}

/** Puts a run's tail into the log, and what follows it. */
function seal (queries: Queries, run: DrivenRun, following: EventRow[]): void {
  const { places, rows } = run.tail
  if (rows.length === 0) return insertRows(queries, run, following)
  insertRows(queries, run, merged([...rows, ...following]))
  for (const { key } of places) run.sealed.push(key)
  // Anew: the index has the array of before for as long as this is not committed.
  run.tail = { places: [], rows: [], events: 0, bytes: 0 }
}

/** Moves a session's tail into the log, whoever has written it. */
export function sealTail (queries: Queries, keys: LogKeys): void {
  const { places, rows } = readTail(queries, keys.sessionKey)
  insertRows(queries, keys, merged(rows.map(([seq, kind, transient, json]) => ({ seq, kind, transient, json }))))
  for (const { key } of places) queries.deleteTailRange(key, key)
  if (places.length > 0) queries.tail.invalidate()
}

/** The tail of a run that this instance did not append to before. */
export function takeOver (queries: Queries, sessionKey: number): RunTail {
  const { places, rows } = readTail(queries, sessionKey)
  const bytes = rows.reduce((sum, row) => sum + row[3].length, 0)
  return { places, rows: rows.map(([seq, kind, transient, json]) => ({ seq, kind, transient, json })), events: rows.flatMap(toEvents).length, bytes }
}

/** Removes a session's tail; false if there is none. */
export function deleteTail (queries: Queries, sessionKey: number): boolean {
  const deleted = queries.tail.rowsOf(sessionKey).filter(({ key }) => queries.deleteTailRange(key, key) > 0)
  if (deleted.length > 0) queries.tail.invalidate()
  return deleted.length > 0
}

/** A session's tail. */
function readTail (queries: Queries, sessionKey: number): { places: TailRow[], rows: LogRow[] } {
  const known = queries.tail.rowsOf(sessionKey)
  const lastSeq = known.length > 0 ? queries.lastSeqInLog(sessionKey)![0] : 0
  const places: TailRow[] = []
  const rows: LogRow[] = []
  for (const place of known) {
    const row = place.seq > lastSeq ? queries.tailRow(place.key) : undefined
    if (row === undefined) continue
    places.push(place)
    rows.push(row)
  }
  return { places, rows }
}

/**
 * Whether a group is in the log of a run that only its sender has appended to. Told by where it would stand: compaction changes what
 * stands there.
 */
function isStored ({ cursor, completeSeq, lastSeq }: RunRow, { events, ending }: AppendGroup): boolean {
  const [first, last] = [events[0]!.seq, events.at(-1)!.seq]
  return first > cursor + 1 && last <= (completeSeq ?? lastSeq) && (last === completeSeq) === (ending !== null)
}

/** An event that has a row of its own: the first and the last one of a run, and those of approvals. */
export function eventAt (queries: Queries, sessionKey: number, seq: number): StoredEvent {
  return toEvents(queries.rowOf(sessionKey, seq)!)[0]!
}

/** A page of everything after a seq, without the session's view. */
export function readEvents (queries: Queries, { key: sessionKey, lastSeq, compactedThrough }: SessionHeadRow, after: number, limit: PageLimit): EventsPage {
  const { events, more } = eventsAfter(queries, sessionKey, after, limit)
  return { events, through: more ? events.at(-1)!.seq : lastSeq, lastSeq, compactedThrough }
}

/** The same with the view, of one snapshot. */
export function readLog (queries: Queries, session: SessionRow, after: number, limit: PageLimit): LogPage {
  return { session: toSessionState(session), ...readEvents(queries, session, after, limit) }
}

/** A page of the history; see `Store.readHistory`. */
export function readHistory (queries: Queries, session: SessionRow, before: number | null, limit: PageLimit): HistoryPage {
  const cursor = session.runCursor ?? session.lastSeq
  const through = before === null ? cursor : before - 1
  const page = new Page(limit)
  takeNewest(page, queries, session.key, through)
  return { session: toSessionState(session), events: page.events.reverse(), hasMore: page.more, cursor }
}

/** Events within a limit, at least one, and whether there are more. */
class Page {
  readonly events: StoredEvent[] = []
  more = false
  readonly #limit: PageLimit
  #bytes = 0

  constructor (limit: PageLimit) {
    this.#limit = limit
  }

  /** Takes the next event; false if there is no room for it. */
  take (event: StoredEvent): boolean {
    this.more = this.events.length === this.#limit.rows || this.#bytes >= this.#limit.bytes
    if (this.more) return false
    this.#bytes += event.json.length
    this.events.push(event)
    return true
  }
}

/** The first events behind a seq, in order: of the log, then of the tail. */
export function eventsAfter (queries: Queries, sessionKey: number, after: number, limit: PageLimit): Page {
  const page = new Page(limit)
  const takeAll = (events: readonly StoredEvent[], last: number): boolean => events.every((event) => event.seq <= last || page.take(event))
  for (const row of queries.rowsAfter(sessionKey, after)) {
    if (!takeAll(toEvents(row), after)) return page
  }
  const last = page.events.at(-1)?.seq ?? after
  for (const { key, seq } of queries.tail.rowsOf(sessionKey)) {
    const row = seq > last ? queries.tailRow(key) : undefined
    if (row !== undefined && !takeAll(toEvents(row), last)) return page
  }
  return page
}

/** The last durable events up to a seq, newest first. */
function takeNewest (page: Page, queries: Queries, sessionKey: number, through: number): void {
  const takeAll = (events: StoredEvent[]): boolean => events.reverse().every((event) => event.transient || event.seq > through || page.take(event))
  if (!takeAll(readTail(queries, sessionKey).rows.flatMap(toEvents))) return
  for (const row of queries.durableRowsThrough(sessionKey, sessionKey, through, through)) {
    if (!takeAll(toEvents(row))) return
  }
}

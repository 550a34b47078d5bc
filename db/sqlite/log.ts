/* What happens to the log of a session. Each function is inside one transaction of the caller. */
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { AppendGroup, AppendOutcome, EventsPage, HistoryPage, LogPage, PageLimit } from '../../lib/store/store.ts'
import { type EventRow, MOST_BYTES, MOST_EVENTS, type RunEnvelope, toEvents, toRows } from './event-rows.ts'
import { followLog } from './permissions.ts'
import type { Queries, RunKeys, RunRow, SessionHeadRow, SessionRow } from './queries.ts'
import { toSessionState } from './rows.ts'
import type { TailRow } from './tail.ts'

/** Where a run's events go. */
export type LogKeys = Pick<RunKeys, 'runKey' | 'sessionKey'>

/** The tail of one run, as the transaction sees it. Its texts are in SQLite only: kept here too, they would be most of the memory of a busy process. */
export interface RunTail {
  rows: TailRow[]
  events: number
  bytes: number
}

/** A run that appends, and the end of its log. */
export interface DrivenRun extends RunKeys {
  /** The newest seq of the session. */
  lastSeq: number
  envelope: RunEnvelope
  /** The epoch in which it was found to be running, and this instance's. */
  drivenAt: number
  tail: RunTail
  /** The keys of rows of the tail that this transaction has put into the log. */
  sealed: number[]
  /** Whether this transaction has appended to it. */
  hasChanged: boolean
}

/** A group of as many events goes into the log without a stay in the tail. */
const LARGE_GROUP = MOST_EVENTS / 2

/** Inserts events into the log, each as it is. The session must have nothing in the tail. */
export function insertEvents (queries: Queries, keys: LogKeys, events: readonly StoredEvent[]): void {
  insertRows(queries, keys, events.map(({ seq, kind, transient, json }) => ({ seq, kind, transient: transient ? 1 : 0, json })))
}

/** Inserts rows into the log. */
export function insertRows (queries: Queries, { runKey, sessionKey }: LogKeys, rows: readonly EventRow[]): void {
  for (const { seq, kind, transient, json } of rows) queries.insertEvent(sessionKey, runKey, seq, kind, transient, json)
}

/** Appends one group of a run that `instanceId` drives, but for what its ending means to the run. */
export function appendGroup (queries: Queries, run: DrivenRun, instanceId: string, epoch: number, group: AppendGroup): AppendOutcome | 'repeated' {
  const { runId, events } = group
  // Only the driver of a running run appends to its session: what it has appended is the end of the log.
  if (events[0]!.seq === run.lastSeq + 1 && isDriven(queries, run, instanceId, epoch)) {
    run.drivenAt = epoch
    append(queries, run, events)
    followLog(queries, run, events)
    run.hasChanged = true
    run.lastSeq = events.at(-1)!.seq
    return 'ok'
  }
  const row = queries.run.get({ id: runId })
  if (row?.instanceId !== instanceId) return 'stale'
  // What this transaction has put into the tail only `run` knows.
  run.lastSeq = Math.max(run.lastSeq, row.lastSeq)
  if (isStored({ ...row, lastSeq: run.lastSeq }, group)) return 'repeated'
  return row.status === 'running' ? 'conflict' : 'stale'
}

/** The fence: whether the run is running and that instance's. Looked up once an epoch, in which nothing else was written. */
function isDriven (queries: Queries, run: DrivenRun, instanceId: string, epoch: number): boolean {
  if (run.drivenAt === epoch) return true
  // Another instance that compacted the run has put its tail into the log.
  const newest = run.tail.rows.at(-1)
  if (newest !== undefined && queries.tailRow(newest.key) === undefined) run.tail = emptyTail()
  return queries.isDriven(run.runKey, instanceId) !== undefined
}

const emptyTail = (): RunTail => ({ rows: [], events: 0, bytes: 0 })

function append (queries: Queries, run: DrivenRun, events: StoredEvent[]): void {
  const rows = toRows(events, run.envelope)
  let bytes = 0
  let isOfLines = true
  for (const { kind, json } of rows) {
    bytes += json.length
    isOfLines &&= kind === ''
  }
  const goesIntoLog = !isOfLines || events.length >= LARGE_GROUP || bytes >= MOST_BYTES
  if (goesIntoLog || run.tail.events + events.length > MOST_EVENTS || run.tail.bytes + bytes > MOST_BYTES) seal(queries, run)
  if (goesIntoLog) return insertRows(queries, run, rows)
  const { tail } = run
  for (const { seq, transient, json } of rows) tail.rows.push({ key: queries.insertTail(run.sessionKey, run.runKey, seq, transient, json), seq, transient })
  tail.events += events.length
  tail.bytes += bytes
}

/** Puts a run's tail into the log. */
function seal (queries: Queries, run: DrivenRun): void {
  const { rows } = run.tail
  if (rows.length === 0) return
  copyIntoLog(queries, run, rows)
  for (const { key } of rows) run.sealed.push(key)
  // A new array: the index uses the old one until this is committed.
  run.tail = emptyTail()
}

function copyIntoLog (queries: Queries, { runKey, sessionKey }: LogKeys, rows: TailRow[]): void {
  for (let start = 0, end = 0; start < rows.length; start = end) {
    const { transient } = rows[start]!
    while (end < rows.length && rows[end]!.transient === transient) end++
    const some = rows.slice(start, end)
    queries.copyTail(sessionKey, runKey, some.at(-1)!.seq, transient, JSON.stringify(some.map(({ key }) => key)))
  }
}

/** Moves a session's tail into the log; another instance may have written it. */
export function sealTail (queries: Queries, keys: LogKeys): void {
  const rows = liveTail(queries, keys.sessionKey)
  copyIntoLog(queries, keys, rows)
  for (const { key } of rows) queries.deleteTailRange(key, key)
  if (rows.length > 0) queries.tail.removes(keys.sessionKey)
}

/** The tail of a run that this instance did not append to before. Counted as full: the next append puts it into the log. */
export function takeOver (queries: Queries, { sessionKey, status }: RunRow): RunTail {
  // The tail of a session is its running run's.
  const rows = status === 'running' ? liveTail(queries, sessionKey) : []
  return { rows, events: rows.length > 0 ? MOST_EVENTS : 0, bytes: 0 }
}

/** Removes what a session has in the tail, garbage of every instance with it; false if there is nothing. */
export function deleteTail (queries: Queries, sessionKey: number): boolean {
  const isFound = queries.deleteTailThrough(sessionKey, Number.MAX_SAFE_INTEGER) > 0
  if (isFound) queries.tail.removes(sessionKey)
  return isFound
}

/** The rows of a session's tail that are not in the log. */
function liveTail (queries: Queries, sessionKey: number): TailRow[] {
  const rows = queries.tail.rowsOf(sessionKey)
  if (rows.length === 0) return rows
  const lastSeq = queries.lastSeqInLog(sessionKey)![0]
  return rows.filter(({ key, seq }) => seq > lastSeq && queries.tailRow(key) !== undefined)
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
  if (!takeAll(liveTail(queries, sessionKey).flatMap(({ key }) => toEvents(queries.tailRow(key)!)))) return
  for (const row of queries.durableRowsThrough(sessionKey, sessionKey, through, through)) {
    if (!takeAll(toEvents(row))) return
  }
}

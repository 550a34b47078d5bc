/* What happens to the log of a session. Each function is inside one transaction of the caller. */
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { AppendGroup, AppendOutcome, EventsPage, HistoryPage, LogPage, PageLimit } from '../../lib/store/store.ts'
import { takePage } from './page.ts'
import { followLog } from './permissions.ts'
import type { LogRow, Queries, RunKeys, RunRow, SessionHeadRow, SessionRow } from './queries.ts'
import { toSessionState, toStoredEvent } from './rows.ts'

export function insertEvents (queries: Queries, { runKey, sessionKey }: Pick<RunKeys, 'runKey' | 'sessionKey'>, events: StoredEvent[]): void {
  for (const { seq, kind, transient, json } of events) queries.insertEvent(sessionKey, runKey, seq, kind, transient ? 1 : 0, json)
}

/** Appends one group of a run that `instanceId` drives, but for what its ending means to the run. */
export function appendGroup (queries: Queries, keys: RunKeys, instanceId: string, group: AppendGroup): AppendOutcome | 'repeated' {
  const { runId, events } = group
  // Only the driver of a running run appends to its session: what it has appended is the end of the log.
  if (events[0]!.seq === keys.lastSeq + 1 && queries.isDriven(keys.runKey, instanceId)) {
    insertEvents(queries, keys, events)
    followLog(queries, keys, events)
    keys.lastSeq = events.at(-1)!.seq
    return 'ok'
  }
  const run = queries.run.get({ id: runId })
  if (run?.instanceId !== instanceId) return 'stale'
  keys.lastSeq = run.lastSeq
  if (isStored(run, group)) return 'repeated'
  return run.status === 'running' ? 'conflict' : 'stale'
}

/**
 * Whether a group is in the log of a run that only its sender has appended to. Told by where it would stand: compaction changes what
 * stands there.
 */
function isStored ({ cursor, completeSeq, lastSeq }: RunRow, { events, ending }: AppendGroup): boolean {
  const [first, last] = [events[0]!.seq, events.at(-1)!.seq]
  return first > cursor + 1 && last <= (completeSeq ?? lastSeq) && (last === completeSeq) === (ending !== null)
}

/** A page of everything after a seq, without the session's view. */
export function readEvents (queries: Queries, { key: sessionKey, lastSeq, compactedThrough }: SessionHeadRow, after: number, limit: PageLimit): EventsPage {
  const { events, more } = take(queries.eventsAfter({ sessionKey, after, limit: limit.rows + 1 }), limit)
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
  const { events, more } = take(queries.durableThrough({ sessionKey: session.key, through, limit: limit.rows + 1 }), limit)
  return { session: toSessionState(session), events: events.reverse(), hasMore: more, cursor }
}

function take (rows: Iterable<LogRow>, limit: PageLimit): { events: StoredEvent[], more: boolean } {
  const { items, more } = takePage(rows, limit, ([,,, json]) => json.length)
  return { events: items.map(toStoredEvent), more }
}

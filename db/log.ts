/* What happens to the log of a session. Each function is inside one transaction of the caller. */
import { planCompaction } from '../lib/compaction.ts'
import type { StoredEvent } from '../lib/event.ts'
import type { AppendGroup, AppendOutcome, HistoryPage, LogPage, PageLimit } from '../lib/store.ts'
import { followLog } from './permissions.ts'
import type { LogRow, Queries, SessionRow } from './queries.ts'
import { toSessionState, toStoredEvent } from './rows.ts'

/** Where a run is. */
export interface RunKeys {
  runKey: number
  sessionKey: number
  sessionId: string
}

export function insertEvents (queries: Queries, { runKey, sessionKey }: Pick<RunKeys, 'runKey' | 'sessionKey'>, events: StoredEvent[]): void {
  for (const { seq, kind, transient, json } of events) queries.insertEvent({ sessionKey, runKey, seq, kind, transient: transient ? 1 : 0, json })
}

/** Appends one group of a run that `instanceId` drives, but for what its ending means to the run. */
export function appendGroup (queries: Queries, keys: RunKeys, instanceId: string, { runId, events }: AppendGroup): AppendOutcome | 'repeated' {
  const [first, ...rest] = events as [StoredEvent, ...StoredEvent[]]
  const { runKey, sessionKey } = keys
  const { seq, kind, transient, json } = first
  if (queries.insertFirst({ sessionKey, runKey, instanceId, seq, kind, transient: transient ? 1 : 0, json }) > 0) {
    insertEvents(queries, keys, rest)
    followLog(queries, keys, events)
    return 'ok'
  }
  // Sent again after its answer was lost: the events are there, under these seqs.
  const last = events.at(-1)!
  if (queries.event.get({ sessionKey, seq: last.seq })?.json === last.json) return 'repeated'
  const run = queries.run.get({ id: runId })
  return run?.status === 'running' && run.instanceId === instanceId ? 'conflict' : 'stale'
}

/** Compacts a run; see `Store.compactRun`. */
export function compactRun (queries: Queries, runId: string, keep: number): number {
  const run = queries.run.get({ id: runId })
  if (run === undefined) return 0
  const { key: runKey, sessionKey, cursor, completeSeq } = run
  const events: StoredEvent[] = []
  for (const row of queries.eventsAfter({ sessionKey, after: cursor, limit: -1 })) {
    const event = toStoredEvent(row)
    if (event.runId !== runId) break
    events.push(event)
  }
  // The newest event of a session has to stay: its seq is the next one's measure.
  const plan = planCompaction(events, completeSeq === null ? Math.max(1, keep) : keep)
  if (completeSeq !== null && keep === 0) queries.setCompacted.run({ runKey })
  const transient = events.reduce((count, event) => event.transient ? count + 1 : count, 0)
  if (plan === null) return transient
  for (const seq of plan.remove) queries.deleteEvent.run({ sessionKey, seq })
  for (const { seq, json } of plan.rewrite) queries.rewriteEvent.run({ sessionKey, seq, json })
  queries.setCompactedThrough.run({ sessionKey, through: plan.through })
  return transient - plan.remove.length
}

/** A page of everything after a seq. */
export function readLog (queries: Queries, session: SessionRow, after: number, limit: PageLimit): LogPage {
  const { events, more } = take(queries.eventsAfter({ sessionKey: session.key, after, limit: limit.rows + 1 }), limit)
  return { session: toSessionState(session), events, through: more ? events.at(-1)!.seq : session.lastSeq }
}

/** A page of the history; see `Store.readHistory`. */
export function readHistory (queries: Queries, session: SessionRow, before: number | null, limit: PageLimit): HistoryPage {
  const cursor = session.runCursor ?? session.lastSeq
  const through = before === null ? cursor : before - 1
  const { events, more } = take(queries.durableThrough({ sessionKey: session.key, through, limit: limit.rows + 1 }), limit)
  return { session: toSessionState(session), events: events.reverse(), hasMore: more, cursor }
}

function take (rows: Iterable<LogRow>, limit: PageLimit): { events: StoredEvent[], more: boolean } {
  const events: StoredEvent[] = []
  let bytes = 0
  for (const row of rows) {
    if (events.length === limit.rows || (bytes >= limit.bytes)) return { events, more: true }
    const event = toStoredEvent(row)
    bytes += event.json.length
    events.push(event)
  }
  return { events, more: false }
}

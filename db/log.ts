/* What happens to the log of a session, each function inside one transaction of the caller. */
import { planCompaction } from '../lib/compaction.ts'
import { type CompleteEvent, eventEncoder, parseEvent, type PendingEvent, pendingEvent, type StoredEvent } from '../lib/event.ts'
import { unfinishedMessages } from '../lib/fold.ts'
import { completeFields } from '../lib/run-ending.ts'
import type { AppendGroup, AppendOutcome, HistoryPage, LogPage, PageLimit } from '../lib/store.ts'
import type { RunEnding } from '../lib/types.ts'
import type { LogRow, Queries, SessionRow } from './queries.ts'
import { toSessionState, toStoredEvent } from './rows.ts'

export interface RunKeys {
  runKey: number
  sessionKey: number
}

export function insertEvents (queries: Queries, { runKey, sessionKey }: RunKeys, events: StoredEvent[]): void {
  for (const { seq, kind, transient, json } of events) queries.insertEvent.run({ sessionKey, runKey, seq, kind, transient, json })
}

/** Appends one group of a run that `instanceId` drives. */
export function appendGroup (queries: Queries, keys: RunKeys, instanceId: string, { runId, events, ending }: AppendGroup): AppendOutcome {
  const lastSeq = events.at(-1)!.seq
  const { changes } = queries.claimSeqs.run({ ...keys, instanceId, previousSeq: events[0]!.seq - 1, lastSeq })
  if (changes === 0) {
    const there = queries.event.get({ sessionKey: keys.sessionKey, seq: lastSeq })
    // Sent again after its answer was lost: the events are there, under these seqs.
    if (there?.json === events.at(-1)!.json) return 'ok'
    const run = queries.run.get({ id: runId })
    return run?.status === 'running' && run.instanceId === instanceId ? 'conflict' : 'stale'
  }
  insertEvents(queries, keys, events)
  if (ending !== null) complete(queries, keys.runKey, lastSeq, ending)
  return 'ok'
}

function complete (queries: Queries, runKey: number, completeSeq: number, { exitCode, aborted, reason }: RunEnding): void {
  queries.completeRun.run({ runKey, completeSeq, exitCode, aborted: aborted ? 1 : 0, reason, now: Date.now() })
}

/** Ends a run from outside; see `Store.closeRun`. */
export function closeRun (queries: Queries, runId: string, ending: RunEnding): { events: StoredEvent[], complete: CompleteEvent } | null {
  const run = queries.run.get({ id: runId })
  if (run === undefined) return null
  const { key: runKey, sessionKey, sessionId, provider } = run
  if (run.completeSeq !== null) {
    return { events: [], complete: parseEvent(queries.event.get({ sessionKey, seq: run.completeSeq })!) as CompleteEvent }
  }
  const pending: PendingEvent[] = unfinishedMessages(parsed(queries.messagesAfter({ sessionKey, after: run.cursor })))
    .map(({ kind, messageId, content }) => kind === 'text'
      ? pendingEvent('text', { role: 'assistant', messageId, content })
      : pendingEvent('thinking', { messageId, content }))
  pending.push(pendingEvent('complete', completeFields(sessionId, ending)))
  const encode = eventEncoder({ sessionId, runId, provider })
  const events = pending.map((event, index) => encode(event, run.lastSeq + 1 + index))
  const last = events.at(-1)!
  insertEvents(queries, { runKey, sessionKey }, events)
  queries.setLastSeq.run({ sessionKey, lastSeq: last.seq, now: Date.now() })
  complete(queries, runKey, last.seq, ending)
  return { events, complete: parseEvent(last) as CompleteEvent }
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
  const plan = planCompaction(events, keep)
  if (completeSeq !== null && keep === 0) queries.setCompacted.run({ runKey })
  const transient = events.reduce((count, event) => event.transient ? count + 1 : count, 0)
  if (plan === null) return transient
  for (const seq of plan.remove) queries.deleteEvent.run({ sessionKey, seq })
  for (const { seq, json } of plan.rewrite) queries.rewriteEvent.run({ sessionKey, seq, json })
  queries.setCompactedThrough.run({ sessionKey, through: plan.through })
  return transient - plan.remove.length
}

function * parsed (rows: Iterable<LogRow>) {
  for (const row of rows) yield parseEvent(toStoredEvent(row))
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

/* What happens to the log of a session in memory. Nothing here awaits: what is begun is done before anybody else looks. */
import { eventEncoder, parseEvent, type PendingEvent, pendingEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { ABORTED, completeFields } from '../../lib/protocol/run-ending.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import { planCompaction } from '../../lib/store/compaction.ts'
import { unfinishedMessages } from '../../lib/store/delta-accumulator.ts'
import type { AppendAnswer, AppendGroup, EventsPage, HistoryPage, PageLimit, Promotion } from '../../lib/store/store.ts'
import type { MemoryDatabase, MemoryRun, MemorySession } from './database.ts'
import { cancellations, followLog } from './permissions.ts'
import { claimOf, toClaimedRun, toEvents, toSessionState } from './states.ts'

/** What sets nothing in motion. */
export function standstill (sessionId: string): Promotion {
  return { sessionId, events: [], claimed: null }
}

/** Appends one event of a run under the next seq. */
function appendEvent ({ runId, session, provider }: MemoryRun, event: PendingEvent): StoredEvent {
  const stored = eventEncoder({ sessionId: session.id, runId, provider })(event, ++session.lastSeq)
  session.events.push(stored)
  return stored
}

/** The user's message; it carries the time at which it took its place in the log. */
function appendMessage (run: MemoryRun): StoredEvent {
  const now = Date.now()
  run.startedAt = now
  run.cursor = run.session.lastSeq
  run.session.updatedAt = now
  return appendEvent(run, { ...run.message, timestamp: new Date(now).toISOString() })
}

function appendComplete (run: MemoryRun, ending: RunEnding): StoredEvent {
  const complete = appendEvent(run, pendingEvent('complete', completeFields(run.session.id, ending)))
  endRun(run, ending, complete.seq)
  return complete
}

function endRun (run: MemoryRun, ending: RunEnding, completeSeq: number): void {
  const now = Date.now()
  if (run.session.running === run) run.session.running = null
  run.session.updatedAt = now
  Object.assign(run, { ending: structuredClone(ending), completeSeq, completedAt: now })
}

/** A run's events that are retained, in order. */
function eventsOf ({ runId, session }: MemoryRun): StoredEvent[] {
  return session.events.filter((event) => event.runId === runId)
}

/** Ends a running run from outside: the messages that its deltas leave unfinished, its approvals' end, then its `complete`. */
export function closeRunning (database: MemoryDatabase, run: MemoryRun, ending: RunEnding): StoredEvent[] {
  const wholes = unfinishedMessages(eventsOf(run).map(parseEvent)).map(({ kind, messageId, content }) => (
    kind === 'text' ? pendingEvent(kind, { role: 'assistant', messageId, content }) : pendingEvent(kind, { messageId, content })
  ))
  const last = [...wholes, ...cancellations(database, run, ending.reason)].map((event) => appendEvent(run, event))
  for (const event of last) followLog(database, run, event)
  run.instanceId = null
  return toEvents([...last, appendComplete(run, ending)])
}

/** Whose turn it is in a session that has no running run: cancelled runs end, the first other one is `instanceId`'s. */
export function promote (session: MemorySession, instanceId: string): Promotion {
  const promotion = standstill(session.id)
  for (let run = session.queue.shift(); run !== undefined; run = session.queue.shift()) {
    const message = appendMessage(run)
    promotion.events.push({ ...message })
    if (run.cancelled) {
      promotion.events.push({ ...appendComplete(run, ABORTED) })
      continue
    }
    session.running = run
    run.instanceId = instanceId
    promotion.claimed = toClaimedRun(run, message)
    break
  }
  return promotion
}

/** Appends one group to its run, if that is still the one that `instanceId` drives. */
export function appendGroup (database: MemoryDatabase, instanceId: string, group: AppendGroup): AppendAnswer {
  const run = database.runs.get(group.runId)
  if (run === undefined) return { outcome: 'stale', promotion: null }
  const { session } = run
  if (run.instanceId !== instanceId) return { outcome: 'stale', promotion: null }
  if (isStored(run, group)) {
    const again = claimAgain(session, instanceId, ({ acceptedCursor }) => group.ending !== null && group.promote && acceptedCursor < run.completeSeq!)
    return { outcome: 'ok', promotion: again.claimed && again }
  }
  if (session.running !== run) return { outcome: 'stale', promotion: null }
  if (group.events.some(({ seq }, index) => seq !== session.lastSeq + 1 + index)) return { outcome: 'conflict', promotion: null }
  const events = toEvents(group.events)
  session.events.push(...events)
  for (const event of events) followLog(database, run, event)
  session.lastSeq += group.events.length
  if (group.ending === null) return { outcome: 'ok', promotion: null }
  endRun(run, group.ending, session.lastSeq)
  return { outcome: 'ok', promotion: group.promote && session.queue.length > 0 ? promote(session, instanceId) : null }
}

/** Whether the instance that drove a run has appended a group before, told by the seqs alone. */
function isStored ({ session, cursor, completeSeq }: MemoryRun, { events, ending }: AppendGroup): boolean {
  const message = cursor + 1
  const end = completeSeq ?? session.lastSeq
  if (events.some(({ seq }) => seq <= message || seq > end)) return false
  return ending === null ? events.every(({ seq }) => seq !== completeSeq) : events.at(-1)!.seq === completeSeq
}

/** What an earlier call set in motion, for one whose answer was lost: a claim that nothing has followed, of a run that was there then. */
export function claimAgain (session: MemorySession, instanceId: string, wasThere: (run: MemoryRun) => boolean): Promotion {
  const { running } = session
  const claimed = running !== null && wasThere(running) ? claimOf(running, instanceId) : null
  return { sessionId: session.id, events: claimed === null ? [] : [claimed.message], claimed }
}

/** Compacts a run; see `Store.compactRun`. */
export function compactRun (run: MemoryRun, keep: number): number {
  const { session } = run
  const events = eventsOf(run)
  const transient = events.filter((event) => event.transient).length
  if (keep === 0 && run.ending !== null) run.compacted = true
  const plan = planCompaction(events, keep)
  if (plan === null) return transient
  const rewritten = new Map(plan.rewrite.map((event) => [event.seq, event]))
  session.events = session.events.filter(({ seq }) => !plan.remove.includes(seq)).map((event) => rewritten.get(event.seq) ?? event)
  session.compactedThrough = Math.max(session.compactedThrough, plan.through)
  return transient - plan.remove.length
}

/** A page of everything after a seq. */
export function readEvents (session: MemorySession, after: number, { rows, bytes }: PageLimit): EventsPage {
  const events: StoredEvent[] = []
  const retained = session.events.filter(({ seq }) => seq > after)
  for (let size = 0; events.length < retained.length && events.length < rows && size < bytes;) {
    const event = retained[events.length]!
    size += Buffer.byteLength(event.json)
    events.push({ ...event })
  }
  const { lastSeq, compactedThrough } = session
  return { events, through: events.length < retained.length ? events.at(-1)!.seq : lastSeq, lastSeq, compactedThrough }
}

/** A page of the history; see `Store.readHistory`. */
export function readHistory (session: MemorySession, before: number | null, limit: number): HistoryPage {
  const cursor = session.running?.cursor ?? session.lastSeq
  const older = session.events.filter(({ seq, transient }) => !transient && seq < (before ?? cursor + 1))
  return { session: toSessionState(session), events: toEvents(older.slice(-limit)), hasMore: older.length > limit, cursor }
}

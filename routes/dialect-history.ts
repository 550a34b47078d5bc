/* The history in whole runs, as clients need it that keep messages and not events. */
import { hasCode } from '../lib/protocol/errors.ts'
import { type Event, parseEvent, type StoredEvent } from '../lib/protocol/event.ts'
import { MAX_PAGE_BYTES } from '../lib/protocol/limits.ts'
import type { Owner } from '../lib/protocol/session.ts'
import type { CompleteReason, RunError, WaitingMessage } from '../lib/protocol/words.ts'
import type { RunRegistry } from '../lib/registry.ts'

/** How much is read at once of a run that a page has cut. */
const REST = 500

export interface RunsPage {
  /** Durable events of whole runs, oldest first; of a run that is running only its message. */
  events: Event[]
  hasMore: boolean
  /** The seq of the last event that the page tells of. */
  cursor: number
  /** What waits in the session. */
  waiting: WaitingMessage[]
}

/**
 * The newest runs before a seq, `limit` events and what else their runs have; without `before` the newest of all. A run of more
 * than 4 MiB is cut: the page before this one goes on with it. Of a session that does not exist, nothing: clients ask before
 * there is anything.
 */
export async function readRuns (runs: RunRegistry, sessionId: string, { owner, before, limit }: { owner: Owner, before: number | null, limit: number }): Promise<RunsPage> {
  const page = await runs.readHistory(sessionId, { owner, before, limit }).catch((error: unknown) => {
    if (hasCode(error, 'SESSION_NOT_FOUND')) return null
    throw error
  })
  if (page === null) return { events: [], hasMore: false, cursor: 0, waiting: [] }
  let { hasMore } = page
  const events = page.events.map(parseEvent)
  let rest = MAX_PAGE_BYTES - bytesOf(page.events)
  while (hasMore && rest > 0 && events.length > 0 && !isMessage(events[0]!)) {
    const older = await runs.readHistory(sessionId, { owner, before: events[0]!.seq, limit: REST })
    if (older.events.length === 0) break
    rest -= bytesOf(older.events)
    // All of the older page is of the same run, or its end is.
    events.unshift(...fromLastMessage(older.events.map(parseEvent)))
    hasMore = older.hasMore || events[0]!.seq > older.events[0]!.seq
  }
  if (before === null && page.session.isProcessing) {
    const [first] = (await runs.readEvents(sessionId, { owner, after: page.cursor, limit: 1 })).events
    if (first?.kind === 'text') events.push(parseEvent(first))
  }
  return { events, hasMore, cursor: page.cursor, waiting: page.session.waiting }
}

/** How a run of a page stands. */
export interface RunOutcome {
  runId: string
  messageId: string | null
  reason: CompleteReason | null
  error?: RunError
}

/** How the runs of a page ended, oldest first. */
export function endingsOf (events: Event[]): RunOutcome[] {
  const runs = new Map<string, RunOutcome>()
  for (const event of events) {
    const run = runs.get(event.runId) ?? { runId: event.runId, messageId: null, reason: null }
    runs.set(event.runId, run)
    if (event.kind === 'text' && event.role === 'user') run.messageId ??= event.messageId
    else if (event.kind === 'complete') Object.assign(run, { reason: event.reason, ...event.error && { error: event.error } })
  }
  return [...runs.values()]
}

function bytesOf (events: StoredEvent[]): number {
  return events.reduce((bytes, { json }) => bytes + json.length, 0)
}

function isMessage (event: Event): boolean {
  return event.kind === 'text' && event.role === 'user'
}

/** What follows the last message, and that; all if there is none. */
function fromLastMessage (events: Event[]): Event[] {
  return events.slice(Math.max(0, events.findLastIndex(isMessage)))
}

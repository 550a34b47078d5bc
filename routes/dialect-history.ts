/* The history in whole runs, as clients need it that keep messages and not events. */
import { hasCode } from '../lib/errors.ts'
import type { Event } from '../lib/event.ts'
import type { RunRegistry } from '../lib/registry.ts'
import type { History } from '../lib/registry-answers.ts'
import type { Owner } from '../lib/types.ts'

/** How much is read at once of a run that a page has cut. */
const REST = 500

export interface RunsPage {
  /** Durable events of whole runs, oldest first; of a run that is running only its message. */
  events: Event[]
  hasMore: boolean
  /** The seq of the last event that the page tells of. */
  cursor: number
}

const NOTHING: History = { events: [], hasMore: false, cursor: 0, isProcessing: false }

/**
 * The newest runs before a seq, `limit` events and what else their runs have; without `before` the newest of all. Of a session
 * that does not exist, nothing: clients ask before there is anything.
 */
export async function readRuns (runs: RunRegistry, sessionId: string, { owner, before, limit }: { owner: Owner, before: number | null, limit: number }): Promise<RunsPage> {
  const page = await runs.history(sessionId, { owner, before, limit }).catch((error: unknown) => {
    if (hasCode(error, 'SESSION_NOT_FOUND')) return NOTHING
    throw error
  })
  let { hasMore } = page
  const events = [...page.events]
  while (hasMore && events.length > 0 && !isMessage(events[0]!)) {
    const older = await runs.history(sessionId, { owner, before: events[0]!.seq, limit: REST })
    // All of the older page is of the same run, or its end is.
    events.unshift(...fromLastMessage(older.events))
    hasMore = older.hasMore || events[0]!.seq > (older.events[0]?.seq ?? 0)
    if (older.events.length === 0) break
  }
  if (before === null && page.isProcessing) {
    const [first] = (await runs.readEvents(sessionId, { owner, after: page.cursor, limit: 1 })).events
    if (first?.kind === 'text') events.push(JSON.parse(first.json) as Event)
  }
  return { events, hasMore, cursor: page.cursor }
}

function isMessage (event: Event): boolean {
  return event.kind === 'text' && event.role === 'user'
}

/** What follows the last message, and that; all if there is none. */
function fromLastMessage (events: Event[]): Event[] {
  return events.slice(Math.max(0, events.findLastIndex(isMessage)))
}

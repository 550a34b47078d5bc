/* Reads a session's log page by page, giving way to the rest of the process in between. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { runsError } from '../protocol/errors.ts'
import { type Event, parseEvent } from '../protocol/event.ts'
import type { Owner } from '../protocol/session.ts'
import type { Store } from '../store/store.ts'
import { PAGE } from './pages.ts'

/** What is retained after a seq, up to what is there when the reading begins. Rejects with SESSION_NOT_FOUND. */
export async function * retainedEvents (store: Store, sessionId: string, owner: Owner, after: number): AsyncGenerator<Event> {
  let lastSeq = Number.MAX_SAFE_INTEGER
  for (let cursor = after, first = true; cursor < lastSeq; first = false) {
    const page = await store.readEvents(sessionId, owner, cursor, PAGE)
    if (page === null) throw runsError('SESSION_NOT_FOUND', [sessionId])
    // What is compacted while we read may have gone into a snapshot further on.
    lastSeq = first ? page.lastSeq : Math.max(lastSeq, page.compactedThrough)
    for (const event of page.events) {
      if (event.seq <= lastSeq) yield parseEvent(event)
    }
    cursor = page.through
    await nextTurn()
  }
}

/** The durable events before a seq, oldest first; none of a session that does not exist. */
export async function * durableEvents (store: Store, sessionId: string, before: number): AsyncGenerator<Event> {
  let after = 0
  while (after < before - 1) {
    const page = await store.readEvents(sessionId, null, after, PAGE)
    if (page === null) return
    for (const event of page.events) {
      if (event.seq < before && !event.transient) yield parseEvent(event)
    }
    after = page.through
    await nextTurn()
  }
}

/* What a store answers to reads: pages, bounded in rows and bytes. */
import type { StoredEvent } from '../protocol/event.ts'
import type { SessionState } from '../protocol/session.ts'

/** Part of a log, read in one snapshot with how far the log goes. */
export interface EventsPage {
  /** Every retained event in the range, in order. */
  events: StoredEvent[]
  /** The page is complete up to this seq: `lastSeq`, unless a limit cut it. */
  through: number
  /** As in `SessionState`. */
  lastSeq: number
  compactedThrough: number
}

/** The same with the session's view, of the same snapshot. */
export interface LogPage extends EventsPage {
  session: SessionState
}

/** A page of sessions, newest first. */
export interface SessionsPage {
  sessions: SessionState[]
  /** Whether older sessions follow. */
  hasMore: boolean
}

/** A page of durable events, oldest first. */
export interface HistoryPage {
  session: SessionState
  events: StoredEvent[]
  /** Whether older durable events exist. */
  hasMore: boolean
  /** The seq to follow from: the page and the stream after it are everything. */
  cursor: number
}

export interface PageLimit {
  rows: number
  /** Bytes of JSON; a page holds at least one item all the same. */
  bytes: number
}

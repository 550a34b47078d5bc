/* What the registry is asked with, and answers. */
import type { Event } from './protocol/event.ts'
import type { Owner } from './protocol/session.ts'

/**
 * Whose sessions are meant. Left out or null: everybody's, for code that acts for the app itself. An owner that is undefined
 * is INVALID_REQUEST: `{ owner: user?.id }` must not come to mean everybody.
 */
export interface OwnerOption {
  owner?: Owner
}

/** A page of runs. */
export interface RunsPage<Run> {
  runs: Run[]
  hasMore: boolean
}

export interface History {
  /** Durable events, oldest first. */
  events: Event[]
  hasMore: boolean
  /** The seq to follow from: these events and the stream after it are everything. */
  cursor: number
  isProcessing: boolean
}

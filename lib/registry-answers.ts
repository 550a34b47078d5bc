/* What the registry is asked with, and answers. */
import { runsError } from './protocol/errors.ts'
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

/** What was found. Throws SESSION_NOT_FOUND for null. */
export function found<T> (value: T | null, sessionId: string): T {
  if (value === null) throw runsError('SESSION_NOT_FOUND', [sessionId])
  return value
}

/** A page of what was read with one run more than `limit`. */
export function runsPage<Run> (runs: Run[], limit: number): RunsPage<Run> {
  return { runs: runs.slice(0, limit), hasMore: runs.length > limit }
}

/* What a store hands to the instance that is to drive a run, and how a queue moves on. */
import type { RunIdentity, StoredEvent } from '../protocol/event.ts'
import type { Session } from '../protocol/session.ts'

/** A run that this instance is to drive from now on. */
export interface ClaimedRun {
  run: RunIdentity
  session: Session
  options: Record<string, unknown>
  /** The stored message; its seq is the run's first. */
  message: StoredEvent
  /** The native id last announced for this session and provider. */
  providerSessionId: string | null
  /** Every native id that the session ever had, of any provider. */
  providerSessionIds: string[]
}

/** How a session's queue moved on. */
export interface Promotion {
  sessionId: string
  /** What was appended, in order: ends of runs, messages whose turn came. */
  events: StoredEvent[]
  /** The run whose turn it is now, if any. */
  claimed: ClaimedRun | null
}

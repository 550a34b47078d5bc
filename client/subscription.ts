/* A session that is followed for somebody who is called. */
import type { ConnectionState } from './options.ts'

export interface Subscription {
  /** The seq of the last event that the caller was given. */
  readonly cursor: number
  readonly state: ConnectionState
  /** Nothing is given on any more. Idempotent. */
  close (): void
  /** Resolves when it has ended as it should: closed, `until`, or with its session. Rejects with the RunsClientError that ended it, or with what the caller threw. */
  readonly closed: Promise<void>
}

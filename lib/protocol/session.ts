/* Sessions, as they are kept and shown. */
import type { EventOf } from './event.ts'

/** The owner of everything when the app does not say who its users are. */
export const ANONYMOUS = ''

/** Whose session is asked for; null asks on behalf of the app itself, to which all sessions belong. */
export type Owner = string | null

/**
 * Session ids that clients may choose: unreserved URL characters, starting with a letter or digit; at most 100 of them, as
 * that is how long Fastify lets a path parameter be.
 */
export const SESSION_ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$'

/** JSON that the app keeps with a session; never interpreted. */
export type Metadata = Record<string, unknown>

/** A session as the app stored it. Times are ISO 8601 in UTC. */
export interface Session {
  id: string
  /** Whose session it is; `ANONYMOUS` when the app has no `identify`. */
  owner: string
  /** The provider of messages that name none; null = the default provider. */
  provider: string | null
  title: string | null
  metadata: Metadata
  createdAt: string
  updatedAt: string
}

/** A session with the state of its log, all from one snapshot of the store. */
export interface SessionState extends Session {
  /** True while a run is running or waits. */
  isProcessing: boolean
  /** The running run, else null. */
  runId: string | null
  /** The runs that wait, next first. */
  queue: string[]
  /** The seq of the newest event; 0 = none yet. */
  lastSeq: number
  /** Seqs at or below this may have holes (transient events gone, durable ones there); above it never. */
  compactedThrough: number
  /** The requests in the log that are neither resolved nor cancelled there, oldest first, as far as they take 256 KiB together. */
  pendingPermissions: Array<EventOf<'permission_request'>>
  /** The ids of those that follow; what they ask for is in the log. */
  morePendingPermissions: string[]
}

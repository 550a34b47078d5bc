/* Gateway frames: what a subscriber is told beside the events. They are never stored and have no seq. */
import type { EventOf } from './event.ts'

/** The first frame of each subscription; every field comes from one snapshot of the store. */
export interface SubscribedFrame {
  kind: 'chat_subscribed'
  sessionId: string
  isProcessing: boolean
  /** The running run, else null. */
  runId: string | null
  /** Where the events that follow start, exclusive: the client's cursor, unless that made no sense here. */
  cursor: number
  lastSeq: number
  compactedThrough: number
  /** The requests that wait for an answer, as in the log. */
  pendingPermissions: Array<EventOf<'permission_request'>>
}

/**
 * Part of what the client asked for is gone, or its cursor made no sense here.
 * `compacted`: go on, the whole text follows. `ahead` and `malformed`: drop local state, everything retained follows.
 */
export interface GapFrame {
  kind: 'gap'
  sessionId: string
  reason: 'compacted' | 'ahead' | 'malformed'
  /** The first seq that is affected, and the last. */
  from: number
  to: number
}

/** The server ends the stream; reconnect after `retryMs`. */
export interface ClosingFrame {
  kind: 'stream_closing'
  sessionId: string
  retryMs: number
}

/** The session was deleted; nothing follows, and its id is never used again. */
export interface DeletedFrame {
  kind: 'session_deleted'
  sessionId: string
}

export type Frame = SubscribedFrame | GapFrame | ClosingFrame | DeletedFrame

/** The kinds that only the gateway may use; a provider that yields one is not believed. */
export const FRAME_KINDS: ReadonlySet<string> = new Set([
  'chat_subscribed', 'gap', 'stream_closing', 'session_deleted', 'chat_accepted', 'protocol_error'
])

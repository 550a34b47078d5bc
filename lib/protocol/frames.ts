/* Gateway frames: what a subscriber is told beside the events. They are never stored and have no seq. */
import type { ErrorCode } from './errors.ts'
import type { CompleteEvent, EventOf } from './event.ts'
import type { RunState } from './run-state.ts'

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
  /** The requests that wait for an answer, as in the log, oldest first. */
  pendingPermissions: Array<EventOf<'permission_request'>>
  /** The ids of those that wait too, where they all take more than 256 KiB. */
  morePendingPermissions: string[]
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

/** Over a WebSocket: the message is durable; its run is followed from `cursor`. */
export interface AcceptedFrame {
  kind: 'chat_accepted'
  /** The client's, if it gave one. */
  requestId?: string
  sessionId: string
  runId: string
  cursor: number
  status: RunState['status']
}

/** Over a WebSocket: the run is over, or will be when its turn comes. */
export interface AbortedFrame {
  kind: 'chat_aborted'
  requestId?: string
  sessionId: string
  runId: string
  /** The terminal event that holds; null of a run that waits: it comes in its turn. */
  complete: CompleteEvent | null
}

/** Over a WebSocket: nothing of that session follows, until it is subscribed to again. */
export interface UnsubscribedFrame {
  kind: 'chat_unsubscribed'
  sessionId: string
}

/** Over a WebSocket: this client's answer to the approval holds. */
export interface PermissionAcceptedFrame {
  kind: 'permission_accepted'
  sessionId: string
  requestId: string
}

/** Over a WebSocket: a message was refused, or a subscription. */
export interface ProtocolErrorFrame {
  kind: 'protocol_error'
  /** From the table of errors. */
  code: ErrorCode
  /** What is wrong, for people. */
  error: string
  /** What the message was about, as far as it could be read. */
  sessionId?: string
  requestId?: string
  /** The run that is in the way. */
  runId?: string
  /** Seconds after which another try makes sense. */
  retryAfter?: number
}

/** What only a WebSocket carries: answers to what the client sent there. */
export type SocketFrame = AcceptedFrame | AbortedFrame | UnsubscribedFrame | PermissionAcceptedFrame | ProtocolErrorFrame

export type Frame = SubscribedFrame | GapFrame | ClosingFrame | DeletedFrame

/** The kinds that only the gateway may use; a provider that yields one is not believed. */
export const FRAME_KINDS: ReadonlySet<string> = new Set([
  'chat_subscribed', 'gap', 'stream_closing', 'session_deleted',
  'chat_accepted', 'chat_aborted', 'chat_unsubscribed', 'permission_accepted', 'protocol_error'
])

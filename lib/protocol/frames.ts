/* Gateway frames: what a subscriber is told beside the events. They are never stored and have no seq. */
import { FRAMES } from './schemas/frames.ts'
import type {
  AbortedFrame, AcceptedFrame, ClosingFrame, DeletedFrame, GapFrame, PermissionAcceptedFrame, ProtocolErrorFrame, QueueFrame, SubscribedFrame, UnsubscribedFrame
} from './words.ts'

/** What every subscription carries. */
export type Frame = SubscribedFrame | GapFrame | QueueFrame | ClosingFrame | DeletedFrame

/** What only a WebSocket carries: answers to what the client sent there. */
export type SocketFrame = AcceptedFrame | AbortedFrame | UnsubscribedFrame | PermissionAcceptedFrame | ProtocolErrorFrame

/** The kinds that only the gateway may use; a provider that yields one is not believed. */
export const FRAME_KINDS: ReadonlySet<string> = new Set(Object.keys(FRAMES))

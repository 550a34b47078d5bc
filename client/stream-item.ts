/* What a client is given of a session. */
import type { Event } from '../lib/protocol/event.ts'
import type { DeletedFrame, GapFrame, QueueFrame, SubscribedFrame } from '../lib/protocol/words.ts'

/**
 * One switch on `kind` serves it all. Each event comes once, in the order of its seq. `chat_subscribed` comes with every
 * connection, also with those that replace a lost one; `queue_changed` when what waits has; `session_deleted` is the last.
 */
export type StreamItem = Event | SubscribedFrame | GapFrame | QueueFrame | DeletedFrame

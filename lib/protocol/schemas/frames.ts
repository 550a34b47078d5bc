/* What subscribers are told beside the events, and what a WebSocket answers. Frames are never stored and have no seq. */
import Type, { type TProperties } from 'typebox'
import { eventOf } from './events.ts'
import { Session, StartedRun } from './sessions.ts'
import { OneOf } from './values.ts'

const sessionId = Type.String()
const requestId = Type.Optional(Type.String({ description: 'The client\'s name for its message, if it gave one.' }))

interface FrameWord {
  title: string
  /** Whether only a WebSocket carries it. */
  socket?: true
  description: string
  properties: TProperties
}

const { isProcessing, waiting, lastSeq, compactedThrough, pendingPermissions, morePendingPermissions } = Session.properties

/** By kind, in the order in which documents name them. */
export const FRAMES = {
  chat_subscribed: {
    title: 'SubscribedFrame',
    description: 'The first frame of each subscription; every field comes from one snapshot of the store.',
    properties: {
      sessionId,
      isProcessing,
      runId: Session.properties.runId,
      waiting,
      cursor: Type.Integer({ minimum: 0, description: 'Where the events that follow start, exclusive: the client\'s cursor, unless that made no sense here.' }),
      lastSeq,
      compactedThrough,
      pendingPermissions,
      morePendingPermissions
    }
  },
  gap: {
    title: 'GapFrame',
    description: 'Part of what the client asked for is gone, or its cursor made no sense here. `compacted`: transient events are gone; go on, the whole text follows. `ahead` (the cursor is beyond the log) and `malformed`: drop local state, everything retained follows.',
    properties: {
      sessionId,
      reason: OneOf(['compacted', 'ahead', 'malformed']),
      from: Type.Integer({ description: 'The first seq that is affected.' }),
      to: Type.Integer({ description: 'The last seq that is affected.' })
    }
  },
  queue_changed: {
    title: 'QueueFrame',
    description: 'What waits in the session has changed: a message waits, has its turn, or was stopped. It replaces what was told before.',
    properties: { sessionId, waiting }
  },
  stream_closing: {
    title: 'ClosingFrame',
    description: 'The server ends the stream: it closes, or the client\'s identity has ended. Over a WebSocket also: the subscription broke, subscribe again.',
    properties: { sessionId, retryMs: Type.Integer({ description: 'Come back after so many ms.' }) }
  },
  session_deleted: {
    title: 'DeletedFrame',
    description: 'The session was deleted; nothing follows, and its id is never used again.',
    properties: { sessionId }
  },
  chat_accepted: {
    title: 'AcceptedFrame',
    socket: true,
    description: 'The message is durable; its run is followed from `cursor`.',
    properties: { requestId, ...StartedRun.properties }
  },
  chat_aborted: {
    title: 'AbortedFrame',
    socket: true,
    description: 'The run is over, or will be when its turn comes; or its message has not come, and will not run.',
    properties: {
      requestId,
      sessionId,
      runId: Type.Union([Type.String(), Type.Null()], { description: 'Null if the message has not come.' }),
      complete: Type.Union([eventOf('complete'), Type.Null()], { description: 'The terminal event that holds; null of a run that waits: it comes in its turn.' }),
      expiresAt: Type.Optional(Type.String({ description: 'Of a message that has not come: until when the stop waits for it.' }))
    }
  },
  chat_unsubscribed: {
    title: 'UnsubscribedFrame',
    socket: true,
    description: 'Nothing of that session follows, until it is subscribed to again.',
    properties: { sessionId }
  },
  permission_accepted: {
    title: 'PermissionAcceptedFrame',
    socket: true,
    description: 'This client\'s answer to the approval holds.',
    properties: { sessionId, requestId: Type.String() }
  },
  protocol_error: {
    title: 'ProtocolErrorFrame',
    socket: true,
    description: 'A message was refused, or a subscription. It names what the message was about, as far as that could be read.',
    properties: {
      code: Type.String({ title: 'ErrorCode', description: 'From the table of errors.' }),
      error: Type.String({ description: 'What is wrong, for people.' }),
      sessionId: Type.Optional(sessionId),
      requestId,
      runId: Type.Optional(Type.String({ description: 'The run that is in the way.' })),
      retryAfter: Type.Optional(Type.Integer({ description: 'Seconds after which another try makes sense.' }))
    }
  }
} as const satisfies Record<string, FrameWord>

/* What clients may ask for, whichever way they come, and as messages of a WebSocket. */
import Type, { type TSchema } from 'typebox'
import { IDEMPOTENCY_KEY_PATTERN, MessageContent, MessageId, OneOf, SessionId } from './values.ts'

const closed = { additionalProperties: false }

/** A message for a session. */
export const messageProperties = {
  content: MessageContent,
  messageId: Type.Optional(Type.String({ ...MessageId, description: 'The client\'s own id of the message, under which the log and all histories have it. Sent again under it, it is the same run. Default: a random one.' })),
  provider: Type.Optional(Type.String({ description: 'Who answers it; else the session\'s provider, else the default.' })),
  onBusy: Type.Optional(OneOf(['reject', 'queue', 'interrupt'], {
    description: 'If a run is running or waits: `reject` (the default) refuses the message, with `queue` it waits its turn, with `interrupt` it takes the place of the running run.'
  })),
  options: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'As that provider takes them.' }))
}

/** Which run is to be aborted. */
export const abortProperties = {
  runId: Type.Optional(Type.String({ description: 'Without any of these the running one.' })),
  messageId: Type.Optional(Type.String({ ...MessageId, description: 'Of the message that is to be stopped, though it may not have come yet.' })),
  idempotencyKey: Type.Optional(Type.String({ pattern: IDEMPOTENCY_KEY_PATTERN, description: 'The same by its idempotency key.' }))
}

export const PermissionDecision = Type.Object({
  allow: Type.Boolean(),
  optionId: Type.Optional(Type.String({ description: 'The option that was chosen, if the request has any.' })),
  updatedInput: Type.Optional(Type.Unknown({ description: 'What the tool gets in place of what was asked; only with `allow`.' })),
  message: Type.Optional(Type.String({ description: 'Words for the agent.' }))
}, { ...closed, title: 'PermissionDecision', description: 'An answer to an approval.' })

/** The longest name that a client may give a message, and that is repeated to it. */
export const MAX_REQUEST_ID = 200

const requestId = Type.Optional(Type.String({ minLength: 1, maxLength: MAX_REQUEST_ID }))
const Cursor = Type.Union([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.Literal('latest')])
const sessions = <T extends Record<string, TSchema>>(properties: T) => Type.Array(Type.Object(properties, closed), { minItems: 1, maxItems: 1_000 })

const message = <T extends string, P extends Record<string, TSchema>>(type: T, answer: string, properties: P) =>
  Type.Object({ type: Type.Literal(type), ...properties }, { ...closed, description: answer })

/** What clients may send over a WebSocket, by `type`, with what answers it. */
export const CLIENT_MESSAGES = {
  'chat.subscribe': message('chat.subscribe', 'For each session `chat_subscribed`, then what is retained after `lastSeq` (default 0), then live.', {
    sessions: sessions({ sessionId: SessionId, lastSeq: Type.Optional(Cursor) })
  }),
  'chat.unsubscribe': message('chat.unsubscribe', '`chat_unsubscribed` for each; behind it comes nothing of that session.', { sessions: sessions({ sessionId: SessionId }) }),
  'chat.send': message('chat.send', '`chat_accepted` once the message is durable.', {
    sessionId: SessionId, ...messageProperties, idempotencyKey: Type.Optional(Type.String({ pattern: IDEMPOTENCY_KEY_PATTERN })), requestId
  }),
  'chat.abort': message('chat.abort', '`chat_aborted`.', { sessionId: SessionId, ...abortProperties, requestId }),
  'chat.permission-response': message('chat.permission-response', '`permission_accepted`.', { sessionId: SessionId, requestId: Type.String(), ...PermissionDecision.properties })
}

/* What clients may send over a WebSocket. */
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { runsError } from '../../lib/protocol/errors.ts'
import { abortProperties, decisionProperties, IDEMPOTENCY_KEY_PATTERN, messageProperties, SessionId } from '../../lib/protocol/request-schemas.ts'
import { errorsIn, problemOf } from '../../lib/protocol/validation-problem.ts'

/** The longest name that a client may give a message, and that is repeated to it. */
const MAX_REQUEST_ID = 200

const closed = { additionalProperties: false }
const requestId = Type.Optional(Type.String({ minLength: 1, maxLength: MAX_REQUEST_ID }))
const Cursor = Type.Union([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.Literal('latest')])
const sessions = <T extends Record<string, Type.TSchema>>(properties: T) => Type.Array(Type.Object(properties, closed), { minItems: 1, maxItems: 1_000 })

const MESSAGES = {
  'chat.send': Type.Object({
    type: Type.Literal('chat.send'), sessionId: SessionId, ...messageProperties, idempotencyKey: Type.Optional(Type.String({ pattern: IDEMPOTENCY_KEY_PATTERN })), requestId
  }, closed),
  'chat.abort': Type.Object({ type: Type.Literal('chat.abort'), sessionId: SessionId, ...abortProperties, requestId }, closed),
  'chat.subscribe': Type.Object({ type: Type.Literal('chat.subscribe'), sessions: sessions({ sessionId: SessionId, lastSeq: Type.Optional(Cursor) }) }, closed),
  'chat.unsubscribe': Type.Object({ type: Type.Literal('chat.unsubscribe'), sessions: sessions({ sessionId: SessionId }) }, closed),
  'chat.permission-response': Type.Object({
    type: Type.Literal('chat.permission-response'), sessionId: SessionId, requestId: Type.String(), ...decisionProperties
  }, closed)
}

type MessageType = keyof typeof MESSAGES

/** A message that is what it should be. */
export type ClientMessage = { [T in MessageType]: Static<typeof MESSAGES[T]> }[MessageType]

/** What an answer to a message names, so that the client knows which one is meant. */
export interface Reference {
  sessionId?: string
  requestId?: string
}

const validators = new Map<unknown, ReturnType<typeof Compile>>(Object.entries(MESSAGES).map(([type, schema]) => [type, Compile(schema)]))
const known = [...validators.keys()].map((type) => `"${String(type)}"`).join(', ')

/** The message in what a client sent, parsed. Throws INVALID_MESSAGE, UNKNOWN_MESSAGE_TYPE. */
export function checkMessage (value: unknown): ClientMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw runsError('INVALID_MESSAGE', ['A message must be a JSON object.'])
  const { type } = value as { type?: unknown }
  if (typeof type !== 'string') throw runsError('INVALID_MESSAGE', ['A message must have a "type".'])
  const validator = validators.get(type)
  if (validator === undefined) throw runsError('UNKNOWN_MESSAGE_TYPE', [type.slice(0, MAX_REQUEST_ID), known])
  if (!validator.Check(value)) throw runsError('INVALID_MESSAGE', [problemOf('message', errorsIn(value, (part) => validator.Errors(part)))])
  return value as ClientMessage
}

/** What a message is about, as far as that can be read and repeated. */
export function referenceOf (value: unknown): Reference {
  const reference: Reference = {}
  if (typeof value !== 'object' || value === null) return reference
  for (const name of ['sessionId', 'requestId'] as const) {
    const text = (value as Record<string, unknown>)[name]
    if (typeof text === 'string' && text.length <= MAX_REQUEST_ID) reference[name] = text
  }
  return reference
}

/* What clients may send over a WebSocket. */
import type { Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { runsError } from '../../lib/protocol/errors.ts'
import { CLIENT_MESSAGES, MAX_REQUEST_ID } from '../../lib/protocol/schemas/requests.ts'
import { errorsIn, problemOf } from '../../lib/protocol/validation-problem.ts'

type MessageType = keyof typeof CLIENT_MESSAGES

/** A message that is what it should be. */
export type ClientMessage = { [T in MessageType]: Static<typeof CLIENT_MESSAGES[T]> }[MessageType]

/** What an answer to a message names, so that the client knows which one is meant. */
export interface Reference {
  sessionId?: string
  requestId?: string
}

const validators = new Map<unknown, ReturnType<typeof Compile>>(Object.entries(CLIENT_MESSAGES).map(([type, schema]) => [type, Compile(schema)]))
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

/** What a message asks for, session by session. */
export function bySession (message: ClientMessage): Array<[sessionId: string, part: ClientMessage]> {
  if (!('sessions' in message)) return [[message.sessionId, message]]
  // Not to be done whole: a session in which something waits must not hold up the others.
  return message.sessions.map((session) => [session.sessionId, { ...message, sessions: [session] }])
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

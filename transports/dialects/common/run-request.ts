/* What the bodies of dialects have in common: which run is asked for, beside what is said. */
import { createHash } from 'node:crypto'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { runsError } from '../../../lib/protocol/errors.ts'
import { messageProperties } from '../../../lib/protocol/schemas/requests.ts'
import { IDEMPOTENCY_KEY_PATTERN, MessageId, SessionId } from '../../../lib/protocol/schemas/values.ts'
import { SESSION_ID_PATTERN } from '../../../lib/protocol/session.ts'
import type { MessageContent, MessagePart } from '../../../lib/protocol/words.ts'

const { provider, options, onBusy } = messageProperties
const choicesSchema = Type.Object({ provider, options, onBusy })

/** What a client may choose beside the content of a message. */
export type Choices = Static<typeof choicesSchema>

/** The choices among what apps send besides; what else there is, is theirs. Throws INVALID_REQUEST. */
export function choicesIn (given: unknown): Choices {
  if (typeof given !== 'object' || given === null) return {}
  const choices: Record<string, unknown> = {}
  for (const name of Object.keys(choicesSchema.properties)) {
    const value = (given as Record<string, unknown>)[name]
    if (value !== undefined) choices[name] = value
  }
  const [problem] = Value.Errors(choicesSchema, choices)
  if (problem !== undefined) throw invalid(`"${problem.instancePath.slice(1)}" ${problem.message}.`)
  return choices
}

/** Parts of a message as its content: a text alone is just that. Throws INVALID_REQUEST if there are none. */
export function contentOf (parts: MessagePart[]): MessageContent {
  const [only] = parts
  if (only === undefined) throw invalid('The message holds neither text nor files.')
  return parts.length === 1 && only.type === 'text' ? only.text : parts
}

/** The id of a session, whatever the dialect calls it. Throws INVALID_REQUEST. */
export function sessionIdIn (field: string, id: string): string {
  if (!Value.Check(SessionId, id)) throw invalid(`"${field}" is the id of a session: it must match ${SESSION_ID_PATTERN}.`)
  return id
}

/** The name of a message that its client has named: the id, or, if that is too long for the log, a key made of it. */
export function nameFor (dialect: string, id: string): { messageId?: string, idempotencyKey?: string } {
  if (id === '') return {}
  return Value.Check(MessageId, id) ? { messageId: id } : { idempotencyKey: keyFor(dialect, id) }
}

/** A key that a client's id stands for; apart from the keys that clients give in headers. */
export function keyFor (dialect: string, messageId: string): string {
  const key = `${dialect}:${messageId}`
  return new RegExp(IDEMPOTENCY_KEY_PATTERN).test(key) ? key : `${dialect}#${createHash('sha256').update(messageId).digest('base64url')}`
}

/** The error for a body that makes no sense. */
export function invalid (problem: string): Error {
  return runsError('INVALID_REQUEST', [problem])
}

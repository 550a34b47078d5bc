/* The names under which a store knows a message: its client's id of it, and its idempotency key. */
import { Value } from 'typebox/value'
import { runsError } from '../protocol/errors.ts'
import { IDEMPOTENCY_KEY_PATTERN, MessageId } from '../protocol/schemas/values.ts'

const IDEMPOTENCY_KEY = new RegExp(IDEMPOTENCY_KEY_PATTERN)

/** The name of a message by its id: no idempotency key has a space. Throws INVALID_REQUEST. */
export function nameOfId (messageId: string): string {
  if (!Value.Check(MessageId, messageId)) throw runsError('INVALID_REQUEST', ['"messageId" must be text of 1 to 256 characters.'])
  return `message ${messageId}`
}

/** The name of a message by its idempotency key. Throws INVALID_REQUEST. */
export function nameOfKey (key: string): string {
  if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key)) throw runsError('INVALID_REQUEST', ['An idempotency key must match ' + IDEMPOTENCY_KEY_PATTERN])
  return key
}

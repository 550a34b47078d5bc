/* What clients may ask for, whichever way they come. */
import Type from 'typebox'
import { messageContentSchema } from './message-content.ts'
import { SESSION_ID_PATTERN } from './types.ts'

/** What may be an idempotency key: visible ASCII, as headers carry it. */
export const IDEMPOTENCY_KEY_PATTERN = '^[!-~]{1,255}$'

export const SessionId = Type.String({ pattern: SESSION_ID_PATTERN })

/** A message for a session. */
export const messageProperties = {
  content: messageContentSchema,
  provider: Type.Optional(Type.String()),
  onBusy: Type.Optional(Type.Union([Type.Literal('reject'), Type.Literal('queue'), Type.Literal('interrupt')])),
  options: Type.Optional(Type.Record(Type.String(), Type.Unknown()))
}

/** Which run is to be aborted. */
export const abortProperties = { runId: Type.Optional(Type.String()) }

/** An answer to an approval. */
export const decisionProperties = {
  allow: Type.Boolean(),
  optionId: Type.Optional(Type.String()),
  updatedInput: Type.Optional(Type.Unknown()),
  message: Type.Optional(Type.String())
}

/* What clients may ask for, whichever way they come. */
import Type from 'typebox'
import { messageContentSchema } from './message-content-schema.ts'
import { SESSION_ID_PATTERN } from './session.ts'

/** What may be an idempotency key: visible ASCII, as headers carry it. */
export const IDEMPOTENCY_KEY_PATTERN = '^[!-~]{1,255}$'

export const SessionId = Type.String({ pattern: SESSION_ID_PATTERN })

/** A message for a session. */
export const messageProperties = {
  content: messageContentSchema,
  provider: Type.Optional(Type.String({ description: 'Who answers it; else the session\'s provider, else the default.' })),
  onBusy: Type.Optional(Type.Union([Type.Literal('reject'), Type.Literal('queue'), Type.Literal('interrupt')], {
    description: 'If a run is running or waits: `reject` (the default) refuses the message, with `queue` it waits its turn, with `interrupt` it takes the place of the running run.'
  })),
  options: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'As that provider takes them.' }))
}

/** Which run is to be aborted. */
export const abortProperties = { runId: Type.Optional(Type.String({ description: 'Else the running one.' })) }

/** An answer to an approval. */
export const decisionProperties = {
  allow: Type.Boolean(),
  optionId: Type.Optional(Type.String({ description: 'One of the request\'s options.' })),
  updatedInput: Type.Optional(Type.Unknown({ description: 'What the tool gets in place of what was asked; only with `allow`.' })),
  message: Type.Optional(Type.String({ description: 'For the agent.' }))
}

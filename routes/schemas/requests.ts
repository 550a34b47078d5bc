/* What requests must look like, shared between routes. */
import Type from 'typebox'
import { MAX_METADATA_BYTES, MAX_NATIVE_ID_LENGTH, MAX_TITLE_LENGTH } from '../../lib/protocol/limits.ts'
import { abortProperties, messageProperties, PermissionDecision } from '../../lib/protocol/schemas/requests.ts'
import { IDEMPOTENCY_KEY_PATTERN, SessionId } from '../../lib/protocol/schemas/values.ts'

const closed = { additionalProperties: false }

export const SessionParams = Type.Object({ id: SessionId })

export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'How many at most.' }))

/** A seq in a query, and what it is for. */
export const Seq = (description: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description })

const Title = Type.String({ maxLength: MAX_TITLE_LENGTH })
const Metadata = Type.Record(Type.String(), Type.Unknown(), { description: `Yours; never interpreted. At most ${MAX_METADATA_BYTES} bytes as JSON.` })

export const NewSession = Type.Object({
  id: Type.Optional(SessionId),
  provider: Type.Optional(Type.String({ description: 'Who answers messages that name no provider; else the default provider.' })),
  title: Type.Optional(Title),
  metadata: Type.Optional(Metadata),
  providerSession: Type.Optional(Type.Object({ provider: Type.String(), id: Type.String({ minLength: 1, maxLength: MAX_NATIVE_ID_LENGTH, description: 'The agent\'s own id.' }) }, {
    ...closed, description: 'A session that the provider\'s agent has kept, to go on with; where the server allows it.'
  }))
}, { ...closed, examples: [{ title: 'My session' }] })

export const SessionPatch = Type.Object({ title: Type.Optional(Type.Union([Title, Type.Null()])), metadata: Type.Optional(Metadata) }, closed)

export const NewMessage = Type.Object(messageProperties, { ...closed, examples: [{ content: 'Hello' }] })

export const MessageHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ pattern: IDEMPOTENCY_KEY_PATTERN, description: 'Makes the message safe to send again: with the same key it is the same run.' })),
  'last-event-id': Type.Optional(Type.String({ description: 'Of an answer that is a stream: the last seq that the client holds of the run, if it sends the message again.' }))
})

export const Abort = Type.Object(abortProperties, closed)

export const PermissionParams = Type.Object({ id: SessionId, requestId: Type.String() })

export const Decision = PermissionDecision

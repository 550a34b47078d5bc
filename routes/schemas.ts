/* What requests must look like, shared between routes. */
import Type from 'typebox'
import { messageContentSchema } from '../lib/message-content.ts'
import { IDEMPOTENCY_KEY_PATTERN } from '../lib/run-starter.ts'
import { SESSION_ID_PATTERN } from '../lib/types.ts'

const closed = { additionalProperties: false }

export const SessionParams = Type.Object({ id: Type.String({ pattern: SESSION_ID_PATTERN }) })

export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 500 }))

export const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

const Title = Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()])
const Metadata = Type.Record(Type.String(), Type.Unknown())

export const NewSession = Type.Object({
  id: Type.Optional(Type.String({ pattern: SESSION_ID_PATTERN })),
  provider: Type.Optional(Type.String()),
  title: Type.Optional(Type.String({ maxLength: 1_000 })),
  metadata: Type.Optional(Metadata)
}, closed)

export const SessionPatch = Type.Object({ title: Type.Optional(Title), metadata: Type.Optional(Metadata) }, closed)

export const NewMessage = Type.Object({
  content: messageContentSchema,
  provider: Type.Optional(Type.String()),
  onBusy: Type.Optional(Type.Union([Type.Literal('reject'), Type.Literal('queue'), Type.Literal('interrupt')])),
  options: Type.Optional(Type.Record(Type.String(), Type.Unknown()))
}, closed)

export const MessageHeaders = Type.Object({ 'idempotency-key': Type.Optional(Type.String({ pattern: IDEMPOTENCY_KEY_PATTERN })) })

export const Abort = Type.Object({ runId: Type.Optional(Type.String()) }, closed)

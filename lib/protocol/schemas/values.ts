/* What several words of the wire are made of. A schema with a `title` is a type of that name in `words.ts`. */
import Type, { type TSchema, type TSchemaOptions } from 'typebox'
import { MAX_PARTS } from '../limits.ts'
import { SESSION_ID_PATTERN } from '../session.ts'

const closed = { additionalProperties: false }

/** What may be an idempotency key: visible ASCII, as headers carry it. */
export const IDEMPOTENCY_KEY_PATTERN = '^[!-~]{1,255}$'

/** A message's id, where its client gives it one. */
export const MessageId = Type.String({ minLength: 1, maxLength: 256 })

export const SessionId = Type.String({ pattern: SESSION_ID_PATTERN })
export const Time = (options: TSchemaOptions = {}) => Type.String({ format: 'date-time', ...options })
export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
/** One of several texts. */
export const OneOf = <const T extends string[]>(texts: [...T], options: TSchemaOptions = {}) => Type.Enum(texts, options)

export const Reason = OneOf(['finished', 'failed', 'aborted', 'interrupted', 'timeout'], { title: 'CompleteReason', description: 'Why a run ended.' })

export const Status = (options: TSchemaOptions = {}) => OneOf(['queued', 'running', 'completed'], options)

export const RunError = Type.Object({ code: Type.String(), message: Type.String() }, { title: 'RunError', description: 'What went wrong, in words that may be shown to the client.' })

const binary = { type: OneOf(['image', 'file']), mimeType: Type.String({ minLength: 1 }), name: Type.Optional(Type.String()) }

export const MessagePart = Type.Union([
  Type.Object({ type: Type.Literal('text'), text: Type.String() }, closed),
  Type.Object({ ...binary, data: Type.String() }, closed),
  Type.Object({ ...binary, url: Type.String() }, closed)
], { title: 'MessagePart', description: 'Text, or an image or a file: in base64 as `data`, or left where it is, at `url`.' })

export const MessageContent = Type.Union([Type.String({ minLength: 1 }), Type.Array(MessagePart, { minItems: 1, maxItems: MAX_PARTS })], {
  title: 'MessageContent', description: 'What a client posts: plain text, or parts; neither is empty.'
})

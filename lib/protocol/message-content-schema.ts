/* What a message may hold, checked alike for those who post it and those who call the registry. */
import Type from 'typebox'
import { MAX_PARTS } from './limits.ts'

const closed = { additionalProperties: false }
const binary = {
  type: Type.Union([Type.Literal('image'), Type.Literal('file')]),
  mimeType: Type.String({ minLength: 1 }),
  name: Type.Optional(Type.String())
}
const messagePartSchema = Type.Union([
  Type.Object({ type: Type.Literal('text'), text: Type.String() }, closed),
  Type.Object({ ...binary, data: Type.String() }, closed),
  Type.Object({ ...binary, url: Type.String() }, closed)
])

/** Plain text, or parts; neither may be empty. */
export const messageContentSchema = Type.Union([Type.String({ minLength: 1 }), Type.Array(messagePartSchema, { minItems: 1, maxItems: MAX_PARTS })])

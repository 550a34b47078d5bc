/* What a message may hold, checked alike for those who post it and those who call the registry. */
import Type from 'typebox'
import { Compile } from 'typebox/compile'
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

const validator = Compile(messageContentSchema)

/** Why that is no content; null if it is one. */
export function contentProblem (content: unknown): string | null {
  if (Array.isArray(content) && content.length > MAX_PARTS) return `A message has at most ${MAX_PARTS} parts.`
  return validator.Check(content) ? null : 'A message\'s content must be text or parts, and not empty.'
}

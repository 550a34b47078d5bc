/* What a message may hold, checked alike for those who post it and those who call the registry. */
import { Compile } from 'typebox/compile'
import { MAX_PARTS } from './limits.ts'
import { MessageContent } from './schemas/values.ts'

const validator = Compile(MessageContent)

/** Why that is no content; null if it is one. */
export function contentProblem (content: unknown): string | null {
  if (Array.isArray(content) && content.length > MAX_PARTS) return `A message has at most ${MAX_PARTS} parts.`
  return validator.Check(content) ? null : 'A message\'s content must be text or parts, and not empty.'
}

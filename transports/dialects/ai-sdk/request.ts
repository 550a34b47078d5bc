/* What `useChat` posts. */
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { MAX_PARTS } from '../../../lib/protocol/limits.ts'
import { messageProperties } from '../../../lib/protocol/schemas/requests.ts'
import { problemOf } from '../../../lib/protocol/validation-problem.ts'
import type { MessagePart } from '../../../lib/protocol/words.ts'
import { contentOf, invalid, keyFor, nameFor, sessionIdIn } from '../common/run-request.ts'
import type { DialectRequest } from '../dialect.ts'

/** What a body must match; what else apps put into it is left alone. Of the messages only the last one is looked at: the rest we have. */
export const aiSdkRequestSchema = Type.Object({
  id: Type.String({ description: 'The chat, which is the session.' }),
  messages: Type.Optional(Type.Array(Type.Unknown(), { minItems: 1, description: 'Only the last one counts: a message of the user, or an answer with responses to approvals. An empty answer behind it is passed over.' })),
  message: Type.Optional(Type.Unknown({ description: 'The last one alone, in place of `messages`.' })),
  trigger: Type.Optional(Type.String()),
  messageId: Type.Optional(Type.String()),
  provider: messageProperties.provider,
  onBusy: messageProperties.onBusy,
  options: messageProperties.options
})

export type AiSdkRequest = Static<typeof aiSdkRequestSchema>

/** Parts of an assistant's message, which a client may send back: one for each step of a run. */
const MAX_HELD_PARTS = 10_000
/** Approvals of one message that a stream remembers, the newest; and characters of their ids, which are ours: longer ones are none. */
const MAX_ASKED = 1_000
const MAX_REQUEST_ID_LENGTH = 64

const lastMessageSchema = Type.Object({ id: Type.Optional(Type.String()), role: Type.String(), parts: Type.Array(Type.Object({ type: Type.String() }), { maxItems: MAX_HELD_PARTS }) })
// Compiled: a message has thousands of parts.
const LastMessage = Compile(lastMessageSchema)
const TextPart = Compile(Type.Object({ type: Type.Literal('text'), text: Type.String() }))
const FilePart = Compile(Type.Object({ type: Type.Literal('file'), mediaType: Type.String({ minLength: 1 }), url: Type.String({ minLength: 1 }), filename: Type.Optional(Type.String()) }))
// Of what was denied elsewhere a client holds an approval, too, but no answer.
const AskedPart = Compile(Type.Union([
  Type.Object({ approval: Type.Object({ id: Type.String(), approved: Type.Boolean() }) }),
  Type.Object({ state: Type.Literal('approval-requested'), approval: Type.Object({ id: Type.String() }) })
]))
const AnsweredPart = Compile(Type.Object({
  state: Type.Literal('approval-responded'),
  approval: Type.Object({ id: Type.String(), approved: Type.Boolean(), reason: Type.Optional(Type.String()) })
}))

type UiMessage = Static<typeof lastMessageSchema>

/** What a client holds that goes on with a message of the assistant: the approvals that it was asked for, answered or not, and the text. */
export function heldIn (body: AiSdkRequest | null): { asked: ReadonlySet<string>, text: string } {
  const last = body === null ? undefined : lastOf(body)
  const parts: unknown[] = LastMessage.Check(last) && last.role === 'assistant' ? last.parts : []
  return {
    asked: new Set(parts.flatMap((part) => AskedPart.Check(part) && part.approval.id.length <= MAX_REQUEST_ID_LENGTH ? [part.approval.id] : []).slice(-MAX_ASKED)),
    text: parts.map((part) => TextPart.Check(part) ? part.text : '').join('')
  }
}

/** The message that counts: a run that failed without a word leaves an empty answer behind its question. */
function lastOf ({ messages, message }: AiSdkRequest): unknown {
  return messages?.findLast((each) => !LastMessage.Check(each) || each.role !== 'assistant' || each.parts.some(({ type }) => type !== 'step-start')) ?? messages?.at(-1) ?? message
}

/** What a body asks for. Throws INVALID_REQUEST. */
export function readAiSdkRequest (body: AiSdkRequest): DialectRequest {
  const { id, trigger, messageId, provider, onBusy, options } = body
  const sessionId = sessionIdIn('id', id)
  const last = lastOf(body)
  const { role, parts } = Object(last) as { role?: unknown, parts?: unknown }
  if (role !== 'assistant' && Array.isArray(parts) && parts.length > MAX_PARTS) throw invalid(`The last message has more than ${MAX_PARTS} parts.`)
  if (!LastMessage.Check(last)) throw invalid(problemOf('The last message', LastMessage.Errors(last)))
  if (last.role === 'assistant') {
    const answers = answersIn(last.parts)
    if (answers.length === 0) throw invalid('The last message is an assistant\'s without a response to an approval: there is nothing to do. Results of tools that clients execute are not supported.')
    return { sessionId, answers }
  }
  if (last.role !== 'user') throw invalid(`The last message must be the user's, or an assistant's with responses to approvals, not one of the role "${last.role}".`)
  return {
    sessionId,
    message: {
      content: contentOf(last.parts.flatMap(partOf)),
      ...(provider !== undefined && { provider }),
      ...(onBusy !== undefined && { onBusy }),
      ...(options !== undefined && { options }),
      ...nameOf(last, trigger, messageId)
    }
  }
}

function answersIn (parts: unknown[]) {
  return parts.flatMap((part) => {
    if (!AnsweredPart.Check(part)) return []
    const { id, approved, reason } = part.approval
    return [{ requestId: id, allow: approved, ...(reason !== undefined && { message: reason }) }]
  })
}

/** What makes a repeat of the same post the same run; nothing if it may be meant anew: an edit, or another answer to the same message. */
function nameOf (message: UiMessage, trigger: string | undefined, messageId: string | undefined): { messageId?: string, idempotencyKey?: string } {
  if (trigger === 'regenerate-message') return messageId === undefined ? {} : { idempotencyKey: keyFor('ai-sdk:regenerate', messageId) }
  return messageId !== undefined ? {} : nameFor('ai-sdk:message', message.id ?? '')
}

function partOf (part: { type: string }): MessagePart[] {
  if (TextPart.Check(part)) return part.text === '' ? [] : [{ type: 'text', text: part.text }]
  if (part.type !== 'file') return []
  if (!FilePart.Check(part)) throw invalid(problemOf('A file of the message', FilePart.Errors(part)))
  const { mediaType, url, filename } = part
  const file = { type: mediaType.startsWith('image/') ? 'image' as const : 'file' as const, mimeType: mediaType, ...(filename !== undefined && { name: filename }) }
  return [url.startsWith('data:') ? { ...file, data: dataOf(url) } : { ...file, url }]
}

/** What a `data:` URL holds, in base64. */
function dataOf (url: string): string {
  const comma = url.indexOf(',')
  if (comma === -1) throw invalid('A file of the message has a "data:" URL without data.')
  const data = url.slice(comma + 1)
  if (url.slice(0, comma).endsWith(';base64')) return data
  try {
    return Buffer.from(decodeURIComponent(data)).toString('base64')
  } catch {
    throw invalid('A file of the message has a "data:" URL that cannot be read.')
  }
}

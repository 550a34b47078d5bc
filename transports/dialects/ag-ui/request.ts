/* RunAgentInput → a message, or answers to approvals. */
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { MAX_PARTS } from '../../../lib/protocol/limits.ts'
import type { MessageContent, MessagePart, PermissionDecision } from '../../../lib/protocol/words.ts'
import { choicesIn, contentOf, invalid, nameFor, sessionIdIn } from '../common/run-request.ts'
import type { DialectRequest } from '../dialect.ts'

const Source = Type.Union([
  Type.Object({ type: Type.Literal('data'), value: Type.String(), mimeType: Type.String({ minLength: 1 }) }),
  Type.Object({ type: Type.Literal('url'), value: Type.String(), mimeType: Type.Optional(Type.String({ minLength: 1 })) })
])
const Part = Type.Union([
  Type.Object({ type: Type.Literal('text'), text: Type.String() }),
  Type.Object({ type: Type.Union(['image', 'audio', 'video', 'document'].map((type) => Type.Literal(type))), source: Source })
])
const UserContent = Type.Union([Type.String(), Type.Array(Part)])

export const RunAgentInput = Type.Object({
  threadId: Type.String({ description: 'The id of a session.' }),
  runId: Type.String({ description: 'The client\'s own name for this stream.' }),
  // Of the conversation only the last message matters: the log knows the others.
  messages: Type.Array(Type.Object({ id: Type.String(), role: Type.String(), content: Type.Optional(Type.Unknown()) })),
  resume: Type.Optional(Type.Array(Type.Object({
    interruptId: Type.String({ description: 'The `requestId` of an approval.' }),
    status: Type.Union([Type.Literal('resolved'), Type.Literal('cancelled')]),
    payload: Type.Optional(Type.Unknown())
  }))),
  forwardedProps: Type.Optional(Type.Unknown({ description: 'May hold `provider`, `options` and `onBusy`.' }))
})

/** Throws INVALID_REQUEST. */
export function readInput ({ threadId, messages, resume = [], forwardedProps }: Static<typeof RunAgentInput>): DialectRequest {
  const sessionId = sessionIdIn('threadId', threadId)
  if (resume.length > 0) {
    return { sessionId, answers: resume.map(({ interruptId, status, payload }) => ({ requestId: interruptId, ...status === 'cancelled' ? { allow: false } : decisionIn(payload) })) }
  }
  const last = messages.at(-1)
  if (last?.role !== 'user') throw invalid('The last of "messages" must be the user\'s: results of tools that run in the client are not taken.')
  return { sessionId, message: { ...choicesIn(forwardedProps), content: contentIn(last.content), ...nameFor('ag-ui', last.id) } }
}

const Payload = Type.Object({
  approved: Type.Boolean(),
  optionId: Type.Optional(Type.String()),
  updatedInput: Type.Optional(Type.Unknown()),
  message: Type.Optional(Type.String())
})

/** What the payload of an answer must be; given with each interrupt, so that clients can build a form. */
export const responseSchema = JSON.parse(JSON.stringify(Payload)) as Record<string, unknown>

function decisionIn (payload: unknown): PermissionDecision {
  if (!Value.Check(Payload, payload)) throw invalid('The "payload" of an answer must be { approved: boolean, optionId?, updatedInput?, message? }.')
  const { approved, ...rest } = payload
  return { allow: approved, ...rest }
}

function contentIn (content: unknown): MessageContent {
  if (Array.isArray(content) && content.length > MAX_PARTS) throw invalid(`A message has at most ${MAX_PARTS} parts.`)
  if (!Value.Check(UserContent, content)) throw invalid('The content of a message must be text, or parts: text, image, audio, video, document, by data or url.')
  if (typeof content === 'string') return content
  return contentOf(content.map((part): MessagePart => {
    if (!('source' in part)) return part
    const { source: { type, value, mimeType = 'application/octet-stream' } } = part
    return { type: part.type === 'image' ? 'image' : 'file', mimeType, ...type === 'data' ? { data: value } : { url: value } }
  }))
}

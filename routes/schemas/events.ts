/* The kinds of events, for OpenAPI. */
import Type, { type TProperties } from 'typebox'
import type { EventKinds } from '../../lib/protocol/event.ts'
import { messageContentSchema } from '../../lib/protocol/message-content-schema.ts'
import type { CompleteReason } from '../../lib/protocol/run-state.ts'

/** Why a run ended. */
export const Reason = Type.String({ enum: ['finished', 'failed', 'aborted', 'interrupted', 'timeout'] satisfies CompleteReason[] })

const messageId = Type.String()
const toolId = Type.String()
const requestId = Type.String()
const delta = {
  messageId,
  content: Type.String(),
  snapshot: Type.Optional(Type.Literal(true, { description: '`content` is the whole text so far: set it, do not append.' })),
  fromSeq: Type.Optional(Type.Integer())
}
const usage = Type.Object({ inputTokens: Type.Optional(Type.Integer()), outputTokens: Type.Optional(Type.Integer()) }, { additionalProperties: true })
const error = { code: Type.String(), message: Type.String() }

/** What each kind has beside the envelope. */
const KINDS = {
  text: { role: Type.Union([Type.Literal('user'), Type.Literal('assistant')]), messageId, content: messageContentSchema },
  stream_delta: delta,
  stream_end: { messageId },
  thinking: { messageId, content: Type.String() },
  thinking_delta: delta,
  tool_use: { toolId, toolName: Type.String(), toolInput: Type.Unknown() },
  tool_update: { toolId, status: Type.String(), content: Type.Optional(Type.Unknown()) },
  tool_result: { toolId, toolResult: Type.Object({ content: Type.Unknown(), isError: Type.Boolean() }) },
  permission_request: {
    requestId,
    toolId: Type.Optional(toolId),
    toolName: Type.String(),
    input: Type.Unknown(),
    options: Type.Optional(Type.Array(Type.Object({ optionId: Type.String(), name: Type.String(), kind: Type.Optional(Type.String()) })))
  },
  permission_resolved: { requestId, allow: Type.Boolean(), optionId: Type.Optional(Type.String()) },
  permission_cancelled: { requestId, reason: Type.Union([Reason, Type.Literal('withdrawn')]) },
  plan: { entries: Type.Array(Type.Unknown()) },
  usage: usage.properties,
  status: { text: Type.String(), tokens: Type.Optional(Type.Integer()), canInterrupt: Type.Optional(Type.Boolean()) },
  error,
  custom: { name: Type.String(), data: Type.Optional(Type.Unknown()), transient: Type.Optional(Type.Boolean()) },
  complete: {
    exitCode: Type.Integer(),
    success: Type.Boolean(),
    aborted: Type.Boolean(),
    reason: Reason,
    actualSessionId: Type.String(),
    usage: Type.Optional(usage),
    error: Type.Optional(Type.Object(error))
  }
} satisfies Record<keyof EventKinds, TProperties>

const ENVELOPE = {
  sessionId: Type.String(),
  runId: Type.String(),
  seq: Type.Integer({ minimum: 1, description: 'Its number within the session, without holes.' }),
  provider: Type.String(),
  timestamp: Type.String({ format: 'date-time' })
}

/** An event of one kind. */
export function eventOf (kind: keyof typeof KINDS) {
  const title = kind.split('_').map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
  return Type.Object({ kind: Type.Literal(kind), ...ENVELOPE, ...KINDS[kind] as TProperties }, { title: `${title}Event`, additionalProperties: true })
}

/** An event of any kind. */
export const EventAnswer = Type.Union([
  ...Object.keys(KINDS).map((kind) => eventOf(kind as keyof typeof KINDS)),
  Type.Object({ kind: Type.String(), ...ENVELOPE }, { title: 'OtherEvent', description: 'Of a kind that the app has added, or a later version.', additionalProperties: true })
], { title: 'Event', description: 'One switch on `kind` serves a client; kinds that it does not know it ignores.' })

/* The kinds of events: what each says, and whether it is kept. */
import Type, { type TProperties } from 'typebox'
import { MessageContent, OneOf, Reason, RunError, Time } from './values.ts'

/** `transient`: it only matters while it is fresh. `durable`: it is the history. `own`: durable unless it says `transient: true`. */
type Kept = 'transient' | 'durable' | 'own'

interface EventWord {
  kept: Kept
  description: string
  properties: TProperties
  /** Whether it may say more than its properties. */
  open?: true
}

const messageId = Type.String()
const toolId = Type.String()
const requestId = Type.String()
const delta = {
  messageId,
  content: Type.String(),
  snapshot: Type.Optional(Type.Literal(true, { description: '`content` is the whole text of the message so far: set it, do not append.' })),
  fromSeq: Type.Optional(Type.Integer({ description: 'With `snapshot`: the seq of the first delta that it holds.' }))
}
const usage = { inputTokens: Type.Optional(Type.Integer()), outputTokens: Type.Optional(Type.Integer()) }

export const PermissionOption = Type.Object({
  optionId: Type.String(),
  name: Type.String({ description: 'For people.' }),
  kind: Type.Optional(OneOf(['allow_once', 'allow_always', 'reject_once', 'reject_always']))
}, { title: 'PermissionOption', description: 'One of the answers that a provider offers.' })

export const permissionProperties = {
  toolId: Type.Optional(Type.String({ description: 'The tool call that waits for it.' })),
  toolName: Type.String(),
  input: Type.Unknown({ description: 'What the tool would get.' }),
  options: Type.Optional(Type.Array(PermissionOption, { description: 'The answers that there are. Default: yes and no.' }))
}

/** What each kind has beside the envelope, in the order in which documents name them. */
export const EVENTS = {
  text: {
    kept: 'durable',
    description: 'A whole message. A run\'s first event is its user message. An assistant\'s `text` **replaces** what deltas of that `messageId` have built up.',
    properties: { role: OneOf(['user', 'assistant']), messageId, content: MessageContent }
  },
  stream_delta: { kept: 'transient', description: 'More of a message: append it. With `snapshot: true`, **set** it.', properties: delta },
  stream_end: { kept: 'transient', description: 'No further delta of that message follows.', properties: { messageId } },
  thinking: { kept: 'durable', description: 'A whole piece of reasoning. It replaces what its deltas have built up.', properties: { messageId, content: Type.String() } },
  thinking_delta: { kept: 'transient', description: 'More of a piece of reasoning, as `stream_delta`.', properties: delta },
  tool_use: { kept: 'durable', description: 'The agent calls a tool.', properties: { toolId, toolName: Type.String(), toolInput: Type.Unknown() } },
  tool_update: { kept: 'transient', description: 'What a tool has so far.', properties: { toolId, status: Type.String(), content: Type.Optional(Type.Unknown()) } },
  tool_result: { kept: 'durable', description: 'What a tool has answered.', properties: { toolId, toolResult: Type.Object({ content: Type.Unknown(), isError: Type.Boolean() }) } },
  permission_request: { kept: 'durable', description: 'The agent waits for an approval. Exactly one of the next two follows.', properties: { requestId, ...permissionProperties } },
  permission_resolved: { kept: 'durable', description: 'What was answered; the agent is being told.', properties: { requestId, allow: Type.Boolean(), optionId: Type.Optional(Type.String()) } },
  permission_cancelled: {
    kept: 'durable',
    description: 'No answer counts any more: the agent withdrew its request, or its run ends.',
    properties: { requestId, reason: Type.Union([Reason, Type.Literal('withdrawn')]) }
  },
  plan: { kept: 'durable', description: 'What the agent means to do; replaces the plan before.', properties: { entries: Type.Array(Type.Unknown()) } },
  usage: { kept: 'durable', description: 'What the run has used so far.', properties: usage, open: true },
  status: { kept: 'transient', description: 'What the agent is doing.', properties: { text: Type.String(), tokens: Type.Optional(Type.Integer()), canInterrupt: Type.Optional(Type.Boolean()) } },
  error: { kept: 'durable', description: 'Something went wrong, and the run goes on. A failure that ends the run is in `complete`.', properties: RunError.properties },
  custom: { kept: 'own', description: 'Anything else. Durable unless `transient` is true.', properties: { name: Type.String(), data: Type.Optional(Type.Unknown()), transient: Type.Optional(Type.Boolean()) } },
  complete: {
    kept: 'durable',
    description: 'The one end of a run.',
    properties: {
      exitCode: Type.Integer({ description: '0, the agent\'s own, else 1.' }),
      success: Type.Boolean(),
      aborted: Type.Boolean({ description: 'Whether it was stopped on request.' }),
      reason: Reason,
      actualSessionId: Type.String({ description: 'The session\'s id.' }),
      usage: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      error: Type.Optional(RunError)
    }
  }
} as const satisfies Record<string, EventWord>

export const ENVELOPE = {
  sessionId: Type.String(),
  runId: Type.String(),
  seq: Type.Integer({ minimum: 1, description: 'Its number within the session, without holes.' }),
  provider: Type.String({ description: 'Which agent, by the app\'s name for it.' }),
  timestamp: Time({ description: 'ISO 8601, UTC.' })
}

/** An event of one kind. */
export function eventOf (kind: keyof typeof EVENTS) {
  const { description, properties } = EVENTS[kind]
  return Type.Object({ kind: Type.Literal(kind), ...ENVELOPE, ...properties as TProperties }, { title: eventTitle(kind), description, additionalProperties: true })
}

/** The name that OpenAPI has for a kind: `stream_delta` → `StreamDeltaEvent`. */
export function eventTitle (kind: string): string {
  return `${kind.split('_').map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')}Event`
}

/** An event of any kind. */
export const AnyEvent = Type.Union([
  ...Object.keys(EVENTS).map((kind) => eventOf(kind as keyof typeof EVENTS)),
  Type.Object({ kind: Type.String(), ...ENVELOPE }, { title: 'OtherEvent', description: 'Of a kind that the app has added, or a later version.', additionalProperties: true })
], { title: 'Event', description: 'One switch on `kind` serves a client; kinds that it does not know it ignores.' })

/* A transcript → the messages of `useChat`: those of the users, and one answer for each run. */
import type { CompleteReason, MessageContent, RunError, WaitingMessage } from '../../lib/protocol/words.ts'
import type { TranscriptRun } from '../transcript.ts'
import type { PermissionPart, ToolPart, TranscriptPart } from '../transcript-part.ts'

/** A part of a message, as the AI SDK has it. */
export interface UiPart { type: string, [more: string]: unknown }

/** How the run of a message stands; `message.metadata.run`. */
export interface RunMetadata {
  /** Of a message that is on its way, null: the server has not named it. */
  id: string | null
  /** How it ended; null before. */
  reason: CompleteReason | null
  error?: RunError
  /** Of a message of the user's that has no run yet: on its way, waiting its turn, or not taken. */
  pending?: 'sending' | 'waiting' | 'failed'
}

/** A `UIMessage` of the AI SDK 5, 6 and 7. */
export interface UiMessage {
  id: string
  role: 'user' | 'assistant'
  parts: UiPart[]
  metadata: { run: RunMetadata }
}

/** How approvals are told: on the parts of their tools (AI SDK 6 and 7), or as `data-permission-request` (AI SDK 5). */
export type ApprovalStyle = 'parts' | 'data'

/** The messages of a run: its message, and its answer once there is something of it. */
export function messagesOfRun (run: TranscriptRun, approvals: ApprovalStyle): UiMessage[] {
  const { runId, complete, parts, usage } = run
  const metadata = { run: { id: runId, reason: complete?.reason ?? null, ...complete?.error && { error: complete.error } } }
  const asked = parts.flatMap((part) => part.type === 'text' && part.role === 'user' ? [{ id: part.messageId, role: 'user' as const, parts: userParts(part.content), metadata }] : [])
  const said = answerParts(parts, complete !== null, approvals)
  if (usage !== null) said.push({ type: 'data-usage', id: 'usage', data: usage })
  return said.length === 0 && complete === null ? asked : [...asked, { id: runId, role: 'assistant', parts: said, metadata }]
}

/** A message that waits, by what is known of it. */
export function waitingMessage ({ runId, messageId, preview }: WaitingMessage): UiMessage {
  return { id: messageId, role: 'user', parts: [{ type: 'text', text: preview }], metadata: { run: { id: runId, reason: null, pending: 'waiting' } } }
}

export function userParts (content: MessageContent): UiPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return content.map((part) => {
    if (part.type === 'text') return { ...part }
    const url = 'url' in part ? part.url : `data:${part.mimeType};base64,${part.data}`
    return { type: 'file', mediaType: part.mimeType, url, ...part.name !== undefined && { filename: part.name } }
  })
}

function answerParts (parts: TranscriptPart[], isOver: boolean, approvals: ApprovalStyle): UiPart[] {
  const requests = parts.filter((part) => part.type === 'permission')
  const tools = new Set(parts.flatMap((part) => part.type === 'tool' ? [part.toolId] : []))
  return parts.flatMap((part): UiPart[] => {
    switch (part.type) {
      case 'text': return part.role === 'user' ? [] : [{ type: 'text', text: textOf(part.content), state: part.streaming ? 'streaming' : 'done' }]
      case 'thinking': return [{ type: 'reasoning', text: part.content, state: part.streaming ? 'streaming' : 'done' }]
      case 'tool': return [toolPart(part, approvals === 'data' ? undefined : requests.findLast(({ toolId }) => toolId === part.toolId), isOver)]
      case 'permission':
        if (approvals === 'data') return [requestData(part)]
        return part.toolId !== undefined && tools.has(part.toolId) ? [] : [toolPart(ownTool(part), part, isOver)]
      case 'plan': return [{ type: 'data-plan', id: 'plan', data: { entries: part.entries } }]
      case 'error': return [{ type: 'data-error', data: { code: part.code, message: part.message } }]
      case 'custom': return [{ type: `data-${part.name.replace(/[^\w-]+/g, '-')}`, data: part.data ?? null }]
      // Of a later version.
      default: return []
    }
  })
}

/** An approval without a tool's call has a part of its own, whose result is the answer. */
function ownTool ({ key, requestId, toolName, input, outcome }: PermissionPart): ToolPart {
  const isAllowed = outcome !== null && 'allow' in outcome && outcome.allow
  return { type: 'tool', key, toolId: requestId, toolName, input, status: null, update: null, result: isAllowed ? { content: outcome, isError: false } : null }
}

function toolPart ({ toolId, toolName, input, update, result }: ToolPart, request: PermissionPart | undefined, isOver: boolean): UiPart {
  const part = { type: 'dynamic-tool', toolCallId: toolId, toolName: toolName === '' ? 'unknown' : toolName, input: input ?? null, providerExecuted: true }
  const answer = request?.outcome ?? null
  const isDenied = answer !== null && 'allow' in answer && !answer.allow
  const approval = request === undefined ? {} : { approval: { id: request.requestId, ...answer !== null && 'allow' in answer && { approved: answer.allow } } }
  // Of a request that was withdrawn nothing is to be answered.
  if (request !== undefined && answer === null && !isOver) return { ...part, ...approval, state: 'approval-requested' }
  if (isDenied) return { ...part, ...approval, state: 'output-denied' }
  if (result !== null) return result.isError ? { ...part, state: 'output-error', errorText: errorText(result.content) } : { ...part, state: 'output-available', output: result.content ?? null }
  if (isOver) return { ...part, state: 'output-error', errorText: 'The run ended before the tool did.' }
  return update === null ? { ...part, state: 'input-available' } : { ...part, state: 'output-available', output: update, preliminary: true }
}

function requestData ({ requestId, toolId, toolName, input, options, outcome }: PermissionPart): UiPart {
  return { type: 'data-permission-request', id: requestId, data: { requestId, ...toolId !== undefined && { toolId }, toolName, input, ...options && { options }, ...outcome && { outcome } } }
}

function textOf (content: MessageContent): string {
  return typeof content === 'string' ? content : content.map((part) => part.type === 'text' ? part.text : '').join('')
}

function errorText (content: unknown): string {
  return typeof content === 'string' ? content : JSON.stringify(content ?? null)
}

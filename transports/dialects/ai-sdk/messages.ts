/* The history as the AI SDK keeps it. */
import type { Event, EventOf } from '../../../lib/protocol/event.ts'
import type { MessageContent } from '../../../lib/protocol/message-content.ts'
import type { Chunk } from './chunks.ts'
import { type ApprovalStyle, RunChunks } from './run-chunks.ts'

/** A part of a `UIMessage`. */
export interface UiPart { type: string, [more: string]: unknown }

/** A `UIMessage` of the AI SDK. */
export interface UiMessage {
  id: string
  role: 'user' | 'assistant'
  parts: UiPart[]
}

/** The messages of the user, and for each run what its stream would have left with a client; nothing for one that has said nothing. */
export function uiMessages (approvals: ApprovalStyle, events: Event[]): UiMessage[] {
  const messages: UiMessage[] = []
  const runs = new Map<string, { chunks: RunChunks, answer: UiMessage }>()
  for (const event of events) {
    if (event.kind === 'text' && event.role === 'user') messages.push({ id: event.messageId, role: 'user', parts: userParts(event) })
    let run = runs.get(event.runId)
    if (run === undefined) {
      run = { chunks: new RunChunks(approvals, () => false), answer: { id: event.runId, role: 'assistant', parts: [] } }
      runs.set(event.runId, run)
      messages.push(run.answer)
    }
    for (const chunk of run.chunks.tell(event)) add(run.answer.parts, chunk)
  }
  return messages.filter(({ parts }) => parts.length > 0)
}

/** Does with a whole chunk what a client does. */
function add (parts: UiPart[], chunk: Chunk): void {
  const open = (type: string): UiPart => parts.findLast((part) => part.type === type && part['state'] === 'streaming')!
  switch (chunk.type) {
    case 'start-step': parts.push({ type: 'step-start' }); break
    case 'text-start': parts.push({ type: 'text', text: '', state: 'streaming' }); break
    case 'reasoning-start': parts.push({ type: 'reasoning', id: chunk.id, text: '', state: 'streaming' }); break
    // Of whole messages one is open at a time.
    case 'text-delta': open('text')['text'] += chunk.delta; break
    case 'reasoning-delta': open('reasoning')['text'] += chunk.delta; break
    case 'text-end': open('text')['state'] = 'done'; break
    case 'reasoning-end': open('reasoning')['state'] = 'done'; break
    case 'tool-input-available': addCall(parts, chunk); break
    case 'tool-approval-request': Object.assign(toolPart(parts, chunk)!, { state: 'approval-requested', approval: { id: chunk.approvalId } }); break
    case 'tool-output-denied': deny(toolPart(parts, chunk)!); break
    case 'tool-output-available': Object.assign(toolPart(parts, chunk)!, { state: 'output-available', output: chunk.output }); break
    case 'tool-output-error': Object.assign(toolPart(parts, chunk)!, { state: 'output-error', errorText: chunk.errorText }); break
    case 'start': case 'finish-step': case 'finish': case 'abort': case 'error': break
    default: addData(parts, chunk)
  }
}

function toolPart (parts: UiPart[], { toolCallId }: { toolCallId: string }): UiPart | undefined {
  return parts.findLast((part) => part['toolCallId'] === toolCallId)
}

function addCall (parts: UiPart[], { toolCallId, toolName, input, providerExecuted }: Extract<Chunk, { type: 'tool-input-available' }>): void {
  const part = toolPart(parts, { toolCallId })
  const call = { toolName, state: 'input-available', input, providerExecuted }
  if (part === undefined) parts.push({ type: 'dynamic-tool', toolCallId, ...call })
  else Object.assign(part, call)
}

function deny (part: UiPart): void {
  part['state'] = 'output-denied'
  part['approval'] = { ...part['approval'] as object, approved: false }
}

function addData (parts: UiPart[], { type, id, data, transient }: Extract<Chunk, { data: unknown }>): void {
  if (transient === true) return
  const known = id === undefined ? undefined : parts.find((part) => part.type === type && part['id'] === id)
  if (known === undefined) parts.push({ type, ...(id !== undefined && { id }), data })
  else known['data'] = data
}

function userParts ({ content }: EventOf<'text'>): UiPart[] {
  const parts: Exclude<MessageContent, string> = typeof content === 'string' ? [{ type: 'text', text: content }] : content
  return parts.map((part): UiPart => {
    if (part.type === 'text') return part
    const url = 'url' in part ? part.url : `data:${part.mimeType};base64,${part.data}`
    return { type: 'file', mediaType: part.mimeType, url, ...(part.name !== undefined && { filename: part.name }) }
  })
}

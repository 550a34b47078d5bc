/* The history as the AI SDK keeps it. */
import type { Event, EventOf } from '../../../lib/protocol/event.ts'
import type { MessageContent } from '../../../lib/protocol/words.ts'
import type { Chunk, RunMetadata } from './chunks.ts'
import { type ApprovalStyle, RunChunks } from './run-chunks.ts'

/** A part of a `UIMessage`. */
export interface UiPart { type: string, [more: string]: unknown }

/** A `UIMessage` of the AI SDK. */
export interface UiMessage {
  id: string
  role: 'user' | 'assistant'
  parts: UiPart[]
  /** Of the answer of a run that has ended. */
  metadata?: RunMetadata
}

/** The messages of the user, and for each run what its stream would have left with a client; nothing for one that goes on and has said nothing. */
export function uiMessages (approvals: ApprovalStyle, events: Event[]): UiMessage[] {
  const messages: UiMessage[] = []
  const runs = new Map<string, { chunks: RunChunks, answer: Answer }>()
  for (const event of events) {
    if (event.kind === 'text' && event.role === 'user') messages.push({ id: event.messageId, role: 'user', parts: userParts(event) })
    let run = runs.get(event.runId)
    if (run === undefined) {
      const message: UiMessage = { id: event.runId, role: 'assistant', parts: [] }
      run = { chunks: new RunChunks(approvals, () => false), answer: { message, parts: message.parts, tools: new Map(), open: new Map() } }
      runs.set(event.runId, run)
      messages.push(message)
    }
    for (const chunk of run.chunks.tell(event)) add(run.answer, chunk)
  }
  return messages.filter(({ parts, metadata }) => parts.length > 0 || metadata !== undefined)
}

/** What a run has said so far. Its parts are found by what they are of: a run may have thousands of tools. */
interface Answer {
  message: UiMessage
  parts: UiPart[]
  /** The parts of tools by their `toolCallId`. */
  tools: Map<string, UiPart>
  /** The text and the reasoning that are open: of whole messages one is at a time. */
  open: Map<'text' | 'reasoning', UiPart>
}

function append (part: UiPart, delta: string): void {
  part['text'] = `${part['text'] as string}${delta}`
}

/** Does with a whole chunk what a client does. */
function add ({ message, parts, tools, open }: Answer, chunk: Chunk): void {
  const begin = (type: 'text' | 'reasoning', part: UiPart): void => {
    open.set(type, part)
    parts.push(part)
  }
  switch (chunk.type) {
    case 'start-step': parts.push({ type: 'step-start' }); break
    case 'text-start': begin('text', { type: 'text', text: '', state: 'streaming' }); break
    case 'reasoning-start': begin('reasoning', { type: 'reasoning', id: chunk.id, text: '', state: 'streaming' }); break
    case 'text-delta': append(open.get('text')!, chunk.delta); break
    case 'reasoning-delta': append(open.get('reasoning')!, chunk.delta); break
    case 'text-end': open.get('text')!['state'] = 'done'; break
    case 'reasoning-end': open.get('reasoning')!['state'] = 'done'; break
    case 'tool-input-available': addCall(parts, tools, chunk); break
    case 'tool-approval-request': Object.assign(tools.get(chunk.toolCallId)!, { state: 'approval-requested', approval: { id: chunk.approvalId } }); break
    case 'tool-output-denied': deny(tools.get(chunk.toolCallId)!); break
    case 'tool-output-available': Object.assign(tools.get(chunk.toolCallId)!, { state: 'output-available', output: chunk.output }); break
    case 'tool-output-error': Object.assign(tools.get(chunk.toolCallId)!, { state: 'output-error', errorText: chunk.errorText }); break
    case 'message-metadata': message.metadata = chunk.messageMetadata; break
    case 'start': case 'finish-step': case 'finish': case 'abort': case 'error': break
    default: addData(parts, chunk)
  }
}

function addCall (parts: UiPart[], tools: Answer['tools'], { toolCallId, toolName, input, providerExecuted }: Extract<Chunk, { type: 'tool-input-available' }>): void {
  const call = { toolName, state: 'input-available', input, providerExecuted }
  const known = tools.get(toolCallId)
  if (known !== undefined) {
    Object.assign(known, call)
    return
  }
  const part = { type: 'dynamic-tool', toolCallId, ...call }
  tools.set(toolCallId, part)
  parts.push(part)
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

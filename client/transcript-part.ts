/* The parts of which a transcript's runs are made, and what becomes of one by an event. */
import type { Event, EventOf } from '../lib/protocol/event.ts'
import type { MessageContent, PermissionOption } from '../lib/protocol/words.ts'

/** A part of what a run shows. `key` is unique in the run, and stays. */
export type TranscriptPart = TextPart | ThinkingPart | ToolPart | PermissionPart | PlanPart | ErrorPart | CustomPart

export interface TextPart {
  type: 'text'
  key: string
  role: 'user' | 'assistant'
  messageId: string
  content: MessageContent
  /** Whether more of it may come. */
  streaming: boolean
}

export interface ThinkingPart {
  type: 'thinking'
  key: string
  messageId: string
  content: string
  streaming: boolean
}

/** A tool call. One whose `tool_use` the client has not seen has no name and no input. */
export interface ToolPart {
  type: 'tool'
  key: string
  toolId: string
  toolName: string
  input: unknown
  /** What the agent said last of how it goes. */
  status: string | null
  /** The content of the last `tool_update` that had some. */
  update: unknown
  result: { content: unknown, isError: boolean } | null
}

/** An approval; it waits while `outcome` is null. */
export interface PermissionPart {
  type: 'permission'
  key: string
  requestId: string
  toolId?: string
  toolName: string
  input: unknown
  options: PermissionOption[] | null
  outcome: null | { allow: boolean, optionId?: string } | { cancelled: string }
}

/** The agent's plan as it is now. */
export interface PlanPart {
  type: 'plan'
  key: string
  entries: unknown[]
}

/** Something went wrong, and the run went on. */
export interface ErrorPart {
  type: 'error'
  key: string
  code: string
  message: string
}

/** A `custom` event that is durable; those that are not only matter while they are fresh. */
export interface CustomPart {
  type: 'custom'
  key: string
  name: string
  data: unknown
}

/** The key, within its run, of the part that an event is about; null if it is about none, or does not say which. */
export function partKey (event: Event): string | null {
  switch (event.kind) {
    case 'text':
    case 'stream_delta':
      return keyOf('text', event.messageId)
    case 'thinking':
    case 'thinking_delta':
      return keyOf('thinking', event.messageId)
    case 'tool_use':
    case 'tool_update':
    case 'tool_result':
      return keyOf('tool', event.toolId)
    case 'permission_request':
    case 'permission_resolved':
    case 'permission_cancelled':
      return keyOf('permission', event.requestId)
    case 'plan':
      return 'plan'
    case 'error':
      return `error:${event.seq}`
    case 'custom':
      return event.transient === true ? null : `custom:${event.seq}`
    default:
      return null
  }
}

/** The part of `key` after an event that is about it; `part` is what there was. */
export function changedPart (key: string, part: TranscriptPart | undefined, event: Event): TranscriptPart | undefined {
  switch (event.kind) {
    case 'text':
      return { type: 'text', key, role: event.role, messageId: event.messageId, content: event.content, streaming: false }
    case 'thinking':
      return { type: 'thinking', key, messageId: event.messageId, content: event.content, streaming: false }
    case 'stream_delta': {
      const content = appended(part?.type === 'text' ? part.content : '', event)
      return { type: 'text', key, role: 'assistant', messageId: event.messageId, content, streaming: true }
    }
    case 'thinking_delta': {
      const content = appended(part?.type === 'thinking' ? part.content : '', event)
      return { type: 'thinking', key, messageId: event.messageId, content, streaming: true }
    }
    case 'tool_use':
      return { ...toolPart(key, part, event.toolId), toolName: event.toolName, input: event.toolInput }
    case 'tool_update':
      return { ...toolPart(key, part, event.toolId), status: event.status, ...(event.content !== undefined && { update: event.content }) }
    case 'tool_result':
      return { ...toolPart(key, part, event.toolId), result: event.toolResult }
    case 'permission_request': {
      const { requestId, toolId, toolName, input, options } = event
      return { ...permissionPart(key, part, requestId), ...(toolId !== undefined && { toolId }), toolName, input, options: options ?? null }
    }
    case 'permission_resolved': {
      const { requestId, allow, optionId } = event
      return { ...permissionPart(key, part, requestId), outcome: { allow, ...(optionId !== undefined && { optionId }) } }
    }
    case 'permission_cancelled':
      return { ...permissionPart(key, part, event.requestId), outcome: { cancelled: event.reason } }
    case 'plan':
      return { type: 'plan', key, entries: event.entries }
    case 'error':
      return { type: 'error', key, code: event.code, message: event.message }
    case 'custom':
      return { type: 'custom', key, name: event.name, data: event.data }
    default:
      return part
  }
}

/** The part with nothing more to come of it; the same one if that was so. */
export function endedPart (part: TranscriptPart): TranscriptPart {
  return 'streaming' in part && part.streaming ? { ...part, streaming: false } : part
}

// Converting an object to a string may throw.
function keyOf (type: string, id: unknown): string | null {
  return typeof id === 'string' ? `${type}:${id}` : null
}

// Parts that a client has not seen the beginning of, as it came later, have to be made up.
function toolPart (key: string, part: TranscriptPart | undefined, toolId: string): ToolPart {
  return part?.type === 'tool' ? part : { type: 'tool', key, toolId, toolName: '', input: null, status: null, update: null, result: null }
}

function permissionPart (key: string, part: TranscriptPart | undefined, requestId: string): PermissionPart {
  return part?.type === 'permission' ? part : { type: 'permission', key, requestId, toolName: '', input: null, options: null, outcome: null }
}

function appended (before: MessageContent, { content, snapshot }: EventOf<'stream_delta' | 'thinking_delta'>): string {
  const text = typeof content === 'string' ? content : ''
  return snapshot === true || typeof before !== 'string' ? text : before + text
}

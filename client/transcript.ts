/* Events → what a chat shows: a pure reducer. */
import type { CompleteEvent } from '../lib/event.ts'
import type { MessageContent } from '../lib/message-content.ts'
import type { PermissionOption } from '../lib/types.ts'
import type { StreamItem } from './stream-item.ts'

/** A part of what a run shows, in the order of first appearance. `key` is unique in the run and stays. */
export type TranscriptPart =
  | { type: 'text', key: string, role: 'user' | 'assistant', messageId: string, content: MessageContent, streaming: boolean }
  | { type: 'thinking', key: string, messageId: string, content: string, streaming: boolean }
  | ToolPart
  | PermissionPart
  | { type: 'plan', key: string, entries: unknown[] }
  | { type: 'error', key: string, code: string, message: string }
  | { type: 'custom', key: string, name: string, data: unknown }

/** A tool call. A part whose `tool_use` the client has not seen has no name and no input. */
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

/** One run: the message that started it, and what the agent made of it. */
export interface TranscriptRun {
  runId: string
  provider: string
  status: 'running' | 'completed'
  /** Its end; null before. */
  complete: CompleteEvent | null
  parts: TranscriptPart[]
  /** What the agent said last of what it used. */
  usage: Record<string, unknown> | null
  /** What the agent says that it does; null once it has ended. */
  activity: string | null
}

/** What a client knows of a session. */
export interface Transcript {
  /** The seq of the newest event in it: from where to follow. */
  cursor: number
  /** Oldest first. */
  runs: TranscriptRun[]
}

/** Nothing, from the beginning. */
export const emptyTranscript: Transcript = { cursor: 0, runs: [] }

/**
 * The transcript with one item more. Never changes its argument; returns it if nothing changed, and shares every part that
 * did not.
 */
export function fold (transcript: Transcript, item: StreamItem): Transcript {
  void item
  return transcript
}

/* The chunks of the AI SDK's UI message stream, as far as we speak them. */

import type { CompleteReason, RunError } from '../../../lib/protocol/words.ts'

/** What came of a tool; `dynamic` tells AI SDK 5 where to look for its part. */
interface ToolOutput { toolCallId: string, dynamic: true }

/** How the run of an answer ended: the `metadata` of its message, in streams and in the history. */
export interface RunMetadata {
  run: { id: string, reason: CompleteReason, error?: RunError }
}

export type Chunk =
  | { type: 'start', messageId: string }
  | { type: 'start-step' | 'finish-step' }
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end', id: string }
  | { type: 'text-delta' | 'reasoning-delta', id: string, delta: string }
  | { type: 'tool-input-available', toolCallId: string, toolName: string, input: unknown, dynamic: true, providerExecuted: true }
  | { type: 'tool-approval-request', approvalId: string, toolCallId: string }
  | { type: 'tool-output-denied', toolCallId: string }
  | { type: 'tool-output-available', output: unknown, preliminary?: true } & ToolOutput
  | { type: 'tool-output-error', errorText: string } & ToolOutput
  | { type: `data-${string}`, id?: string, data: unknown, transient?: true }
  | { type: 'message-metadata', messageMetadata: RunMetadata }
  | { type: 'finish', finishReason: 'stop' | 'tool-calls' }
  | { type: 'abort', reason: string }
  | { type: 'error', errorText: string }

/** Chunks as they go over the wire. */
export function framesOf (chunks: Chunk[]): string {
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')
}

/** The last frame of a stream that ended well. */
export const DONE = 'data: [DONE]\n\n'

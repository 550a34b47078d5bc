/*
 * What we use of `@anthropic-ai/claude-agent-sdk`, as it is at run time. Its own types are not imported: they would make the
 * package, and the agent of some hundred megabytes that comes with it, a dependency of everyone who compiles this.
 */
import type { Readable, Writable } from 'node:stream'
import type { PermissionUpdate } from './standing-permissions.ts'

export interface Sdk {
  query (params: { prompt: AsyncIterable<UserMessage>, options: Record<string, unknown> }): Query
  /** The sessions that the agent has kept, newest first; those of one directory with `dir`. */
  listSessions (options: { dir?: string, limit: number }): Promise<Array<{ sessionId: string, summary: string, lastModified: number, cwd?: string }>>
}

export interface Query extends AsyncIterable<SdkMessage> {
  /** Stops what the agent is at. Resolves when it has heard. */
  interrupt (): Promise<unknown>
}

/** A block of a message of the Messages API. */
export type Block = { type: string } & Record<string, unknown>

export interface UserMessage {
  type: 'user'
  message: { role: 'user', content: string | Block[] }
  parent_tool_use_id: null
}

interface FromAgent {
  /** The tool call whose own agent says it; null = the agent itself. */
  parent_tool_use_id?: string | null
}

export interface AssistantMessage extends FromAgent {
  type: 'assistant'
  message: { id: string, content: Block[] }
  /** Why the model service failed; the content is then the agent's words about it. */
  error?: string
}

export interface ToolResults extends FromAgent {
  type: 'user'
  message: { content: string | Block[] }
}

/** An event of the Messages API's stream. */
export type StreamEvent =
  | { type: 'message_start' }
  | { type: 'content_block_start', index: number, content_block: Block }
  | { type: 'content_block_delta', index: number, delta: { type: string, text?: string, thinking?: string } }
  | { type: 'content_block_stop' | 'message_delta' | 'message_stop' | 'ping' }

export interface StreamMessage extends FromAgent {
  type: 'stream_event'
  event: StreamEvent
}

export interface SystemMessage {
  type: 'system'
  subtype: string
  session_id?: string
  [field: string]: unknown
}

export interface ToolProgress {
  type: 'tool_progress'
  tool_use_id: string
  elapsed_time_seconds?: number
}

/** The end of a turn. */
export interface ResultMessage {
  type: 'result'
  subtype: string
  is_error: boolean
  num_turns?: number
  /** Of the native session so far, in US dollars. */
  total_cost_usd?: number
  api_error_status?: number | null
  usage?: { input_tokens?: number, output_tokens?: number, cache_read_input_tokens?: number, cache_creation_input_tokens?: number }
  result?: string
  errors?: string[]
}

/** There are more; those we do not know say nothing to clients. */
export type SdkMessage = AssistantMessage | ToolResults | StreamMessage | SystemMessage | ToolProgress | ResultMessage

/** What the SDK wants started. */
export interface SpawnRequest {
  command: string
  args: string[]
  cwd?: string
  env: Record<string, string | undefined>
}

/** What the SDK needs of a process. */
export interface SpawnedProcess {
  stdin: Writable
  stdout: Readable
  readonly killed: boolean
  readonly exitCode: number | null
  readonly signalCode: NodeJS.Signals | null
  kill (signal: NodeJS.Signals): boolean
  on: Listen
  once: Listen
  off: Listen
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as EventEmitter has it
type Listen = (event: 'exit' | 'error', listener: (...args: any[]) => void) => unknown

/** What the SDK says of a tool that asks for permission. */
export interface ToolAsking {
  signal: AbortSignal
  toolUseID: string
  /** What could be allowed from now on. */
  suggestions?: PermissionUpdate[]
}

export type PermissionResult =
  | { behavior: 'allow', updatedInput: Record<string, unknown>, updatedPermissions?: PermissionUpdate[] }
  | { behavior: 'deny', message: string, interrupt?: boolean }

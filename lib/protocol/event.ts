/* Events: their kinds, which of them are transient, and the one encoding in which they are stored and sent. */
import { toJson } from './json.ts'
import type { MessageContent } from './message-content.ts'
import type { PermissionRequest } from './permission.ts'
import type { CompleteReason, RunError } from './run-state.ts'

/**
 * The fields of each kind of event. Extend it by declaration merging to type kinds of your own:
 * `declare module 'fastify-agent-runs' { interface EventKinds { my_kind: { value: number } } }`.
 */
export interface EventKinds {
  /** A whole message. An assistant's text replaces what deltas of that `messageId` built up. */
  text: { role: 'user' | 'assistant', messageId: string, content: MessageContent }
  /** Transient. With `snapshot`, `content` is the message's whole text so far: set it, do not append. */
  stream_delta: { messageId: string, content: string, snapshot?: true, fromSeq?: number }
  /** Transient. No further delta of that message follows. */
  stream_end: { messageId: string }
  /** A whole piece of reasoning; replaces what its deltas built up. */
  thinking: { messageId: string, content: string }
  /** Transient. The same for reasoning. */
  thinking_delta: { messageId: string, content: string, snapshot?: true, fromSeq?: number }
  tool_use: { toolId: string, toolName: string, toolInput: unknown }
  /** Transient. */
  tool_update: { toolId: string, status: string, content?: unknown }
  tool_result: { toolId: string, toolResult: { content: unknown, isError: boolean } }
  /** The agent waits for leave. Exactly one of the next two follows. */
  permission_request: { requestId: string } & PermissionRequest
  permission_resolved: { requestId: string, allow: boolean, optionId?: string }
  /** Nobody's answer counts any more: the agent took its request back, or its run ends. */
  permission_cancelled: { requestId: string, reason: CompleteReason | 'withdrawn' }
  plan: { entries: unknown[] }
  usage: { inputTokens?: number, outputTokens?: number, [more: string]: unknown }
  /** Transient. */
  status: { text: string, tokens?: number, canInterrupt?: boolean }
  /** The model run went wrong but goes on; a failure that ends the run is in `complete`. */
  error: RunError
  /** Anything else. Durable unless `transient` is true. */
  custom: { name: string, data?: unknown, transient?: boolean }
  /** The one terminal event of a run. */
  complete: {
    exitCode: number
    success: boolean
    aborted: boolean
    reason: CompleteReason
    actualSessionId: string
    usage?: Record<string, unknown>
    error?: RunError
  }
}

export type EventKind = keyof EventKinds

/** What every event carries. */
export interface Envelope {
  sessionId: string
  runId: string
  seq: number
  provider: string
  /** ISO 8601, UTC. */
  timestamp: string
}

/** The fields that only we write. */
export const ENVELOPE_FIELDS = ['kind', 'sessionId', 'runId', 'seq', 'provider', 'timestamp'] as const

/** One event of one kind. */
export type EventOf<K extends EventKind> = Envelope & { kind: K } & EventKinds[K]

/** An event as clients receive it; `switch (event.kind)` narrows it. */
export type Event = { [K in EventKind]: EventOf<K> }[EventKind]

/** The terminal event of a run. */
export type CompleteEvent = EventOf<'complete'>

/** An event whose seq is given when it is committed. `fields` is the JSON object of what the envelope lacks. */
export interface PendingEvent {
  kind: string
  transient: boolean
  timestamp: string
  fields: string
}

/** A committed event. `json` is the exact text that is stored and sent. */
export interface StoredEvent {
  seq: number
  kind: string
  runId: string
  transient: boolean
  json: string
}

/** The run that an event belongs to. */
export interface RunIdentity {
  sessionId: string
  runId: string
  provider: string
}

const TRANSIENT_KINDS = new Set(['stream_delta', 'stream_end', 'thinking_delta', 'tool_update', 'status'])
const DURABLE_KINDS = new Set([
  'text', 'thinking', 'tool_use', 'tool_result', 'permission_request', 'permission_resolved', 'permission_cancelled', 'plan', 'usage', 'error', 'complete'
])

/** Durable, but no part of what is said: agents send them between the deltas of a message, or before its whole. */
export const ASIDE_KINDS: ReadonlySet<string> = new Set(['usage', 'plan'])

/** Whether an event only matters while fresh; all others are the history. `custom` and kinds of your own may say so. */
export function isTransient (kind: string, fields: { transient?: unknown }): boolean {
  return TRANSIENT_KINDS.has(kind) || (fields.transient === true && !DURABLE_KINDS.has(kind))
}

let stamped = { time: NaN, text: '' }

/** The time as events carry it: ISO 8601, UTC. Many events fall into one millisecond, which is written once. */
export function timestamp (): string {
  const time = Date.now()
  if (time !== stamped.time) stamped = { time, text: new Date(time).toISOString() }
  return stamped.text
}

/** A pending event of `kind`, encoded now. Throws what `toJson` throws. */
export function pendingEvent<K extends EventKind> (kind: K, fields: EventKinds[K]): PendingEvent {
  return {
    kind,
    transient: isTransient(kind, fields as { transient?: unknown }),
    timestamp: timestamp(),
    fields: toJson(fields)
  }
}

export type EncodeEvent = (event: PendingEvent, seq: number) => StoredEvent

/**
 * The encoder of one run's events. What does not change within a run is encoded once, and `fields` is spliced in as it
 * stands, so that no event is ever stringified twice.
 */
export function eventEncoder ({ sessionId, runId, provider }: RunIdentity): EncodeEvent {
  const identity = `"sessionId":${JSON.stringify(sessionId)},"runId":${JSON.stringify(runId)},"seq":`
  const origin = `,"provider":${JSON.stringify(provider)},"timestamp":"`
  return ({ kind, transient, timestamp, fields }, seq) => {
    const rest = fields === '{}' ? '}' : ',' + fields.slice(1)
    const json = `{"kind":${JSON.stringify(kind)},${identity}${seq}${origin}${timestamp}"${rest}`
    return { seq, kind, runId, transient, json }
  }
}

/** The event that a stored text holds. */
export function parseEvent (stored: StoredEvent): Event {
  return JSON.parse(stored.json) as Event
}

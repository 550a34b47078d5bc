/* Runs told to a client of the AI SDK, and what that makes of them. */
import { readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai6'
import { eventEncoder, type Event, type EventKind, type EventOf, parseEvent, pendingEvent } from '../../lib/protocol/event.ts'
import type { EventKinds } from '../../lib/protocol/words.ts'
import { aiSdkDialect } from '../../transports/dialects/ai-sdk/index.ts'
import type { Dialect } from '../../transports/dialects/dialect.ts'

/** An event without its envelope. */
export type Said = { [K in EventKind]: { kind: K } & EventKinds[K] }[EventKind]

export const message: Said = { kind: 'text', role: 'user', messageId: 'u', content: 'hi' }
export const delta = (messageId: string, content: string): Said => ({ kind: 'stream_delta', messageId, content })
export const thought = (messageId: string, content: string): Said => ({ kind: 'thinking_delta', messageId, content })
export const text = (messageId: string, content: string): Said => ({ kind: 'text', role: 'assistant', messageId, content })
export const use = (toolId: string, toolInput: unknown = {}): Said => ({ kind: 'tool_use', toolId, toolName: 'ls', toolInput })
export const result = (toolId: string, content: unknown, isError = false): Said => ({ kind: 'tool_result', toolId, toolResult: { content, isError } })
export const ask = (requestId: string, toolId?: string): Said => ({ kind: 'permission_request', requestId, toolName: 'rm', input: { path: '/' }, ...(toolId !== undefined && { toolId }) })
export const resolved = (requestId: string, allow: boolean): Said => ({ kind: 'permission_resolved', requestId, allow })
export const cancelled = (requestId: string, reason: EventOf<'permission_cancelled'>['reason'] = 'withdrawn'): Said => ({ kind: 'permission_cancelled', requestId, reason })
export const complete = (reason: EventOf<'complete'>['reason'] = 'finished', more: Partial<EventOf<'complete'>> = {}): Said => ({
  kind: 'complete', exitCode: 0, success: reason === 'finished', aborted: reason === 'aborted', reason, actualSessionId: 's', ...more
})

/** The events of a run, in the order in which they were said. */
export function run (...said: Said[]): Event[] {
  const encode = eventEncoder({ sessionId: 's', runId: 'r', provider: 'p' })
  return said.map(({ kind, ...fields }, index) => parseEvent(encode(pendingEvent(kind, fields as never), index + 1)))
}

export interface Telling {
  dialect?: Dialect
  /** The requests that wait; by default all without an outcome among the events. */
  waiting?: string[]
  /** What the client has posted. */
  messages?: unknown[]
  /** What an earlier stream has told. */
  told?: number
}

/** What goes over the wire, and whether the stream paused: it ends there, or behind `complete`. */
export function stream (events: Event[], { dialect = aiSdkDialect(), waiting, messages, told = 0 }: Telling = {}): { frames: string, paused: boolean } {
  const over = new Set(events.flatMap((event) => event.kind === 'permission_resolved' || event.kind === 'permission_cancelled' ? [event.requestId] : []))
  const waits = ({ requestId }: EventOf<'permission_request'>): boolean => waiting?.includes(requestId) ?? !over.has(requestId)
  const encoder = dialect.encoder({ sessionId: 's', runId: 'r', body: messages === undefined ? null : { id: 's', messages }, waits })
  let frames = encoder.begin()
  for (const event of events) {
    if (event.seq <= told) encoder.skip(event)
    else frames += encoder.encode(event)
    if (encoder.paused) break
  }
  return { frames, paused: encoder.paused }
}

/** The chunks in frames; '[DONE]' is one. */
export function chunksOf (frames: string): unknown[] {
  return frames.split('\n\n').filter((frame) => frame !== '').map((frame) => {
    const data = frame.replace(/^data: /, '')
    return data === '[DONE]' ? data : JSON.parse(data)
  })
}

/** Each chunk in a line. */
export function lines (frames: string): string[] {
  return chunksOf(frames).map((chunk) => {
    if (typeof chunk === 'string') return chunk
    const { type, dynamic, providerExecuted, ...fields } = chunk as Record<string, unknown>
    return [type, ...Object.values(fields).map((value) => typeof value === 'string' ? value : JSON.stringify(value))].join(' ')
  })
}

/** The same without how the run ended. */
export function spoken (frames: string): string[] {
  return lines(frames).filter((line) => !line.startsWith('message-metadata '))
}

/** The message that AI SDK 6 builds of frames, going on from one that it has. Rejects if it throws at them. */
export async function read (frames: string, before?: UIMessage): Promise<UIMessage> {
  const chunks = chunksOf(frames).filter((chunk): chunk is UIMessageChunk => chunk !== '[DONE]' && (chunk as { type: string }).type !== 'error')
  const stream = new ReadableStream<UIMessageChunk>({
    start (controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    }
  })
  let latest = before
  const messages = readUIMessageStream({ stream, terminateOnError: true, ...(before !== undefined && { message: structuredClone(before) }) })
  for await (const message of messages) latest = message
  // What is undefined is not there.
  return JSON.parse(JSON.stringify(latest)) as UIMessage
}

/** All text in a message. */
export function textOf ({ parts }: UIMessage): string {
  return parts.map((part) => part.type === 'text' ? part.text : '').join('')
}

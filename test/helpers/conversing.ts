/* What a client of a conversation does: says something, follows the answer, decides. */
import type { Test } from 'tap'
import type { AgentRunsOptions, Event, Provider } from '../../index.ts'
import { serveApp } from './build-app.ts'
import { postJson, SseClient } from './read-sse.ts'

type Complete = Extract<Event, { kind: 'complete' }>

export class Conversing {
  readonly url: string

  constructor (url: string) {
    this.url = url
  }

  /** An app of its own, with one provider. */
  static async open (t: Test, agent: Provider, options: Partial<AgentRunsOptions> = {}): Promise<Conversing> {
    return new Conversing((await serveApp(t, { providers: { agent }, ...options })).url)
  }

  /** Posts a message; answers the stream of its run. */
  say (content: unknown, options: Record<string, unknown> = {}): Promise<SseClient> {
    const headers = { accept: 'text/event-stream', 'content-type': 'application/json' }
    return SseClient.open(`${this.url}/sessions/s/messages`, { method: 'POST', headers, body: JSON.stringify({ content, options }) })
  }

  /** The same, to its end. */
  async turn (content: unknown, options?: Record<string, unknown>): Promise<SseClient> {
    return (await this.say(content, options)).ended()
  }

  /** Answers the newest request for approval that a stream has shown. */
  async decide (client: SseClient, decision: Record<string, unknown>): Promise<void> {
    const { requestId } = client.events.findLast((event) => event.kind === 'permission_request')!
    const { status } = await postJson(`${this.url}/sessions/s/permissions/${requestId}`, decision)
    if (status !== 200) throw new Error(`the decision was answered with ${status}`)
  }

  abort () {
    return postJson(`${this.url}/sessions/s/abort`, {})
  }
}

/** The text that the deltas of a stream make. */
export function deltas (client: SseClient, kind: 'stream_delta' | 'thinking_delta' = 'stream_delta'): string {
  return client.events.map((event) => event.kind === kind ? event.content : '').join('')
}

/** What the assistant said in a stream, message by message, as the history has it. */
export function texts (client: SseClient): unknown[] {
  return client.events.flatMap((event) => event.kind === 'text' && event.role === 'assistant' ? [event.content] : [])
}

/** The kinds of a stream's events that are in the history. */
export function durableKinds (client: SseClient): string[] {
  return client.events.map(({ kind }) => kind).filter((kind) => !['stream_delta', 'stream_end', 'thinking_delta', 'tool_update', 'status'].includes(kind))
}

export function completeOf (client: SseClient): Complete {
  return client.events.at(-1) as Complete
}

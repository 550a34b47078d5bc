/* A run's events → chunks, for a stream or the history. */
import { ENVELOPE_FIELDS, type Event, type EventOf } from '../../../lib/protocol/event.ts'
import type { Chunk } from './chunks.ts'
import { Steps } from './steps.ts'
import { Tools } from './tools.ts'

type PermissionEvent = EventOf<'permission_request'> | EventOf<'permission_resolved'> | EventOf<'permission_cancelled'>

const ENVELOPE: ReadonlySet<string> = new Set(ENVELOPE_FIELDS)

/** How approvals are told: as parts of tools, on which clients answer (AI SDK 6 and 7), or as data (AI SDK 5). */
export type ApprovalStyle = 'parts' | 'data'

export class RunChunks {
  readonly #approvals: ApprovalStyle
  readonly #isTold: (request: EventOf<'permission_request'>) => boolean
  readonly #steps = new Steps()
  readonly #tools = new Tools(this.#steps)
  /** What was asked for, as it is told as data. */
  readonly #requests = new Map<string, object>()

  /** `isTold`: whether the client is asked for an approval, or told only what comes of it. */
  constructor (approvals: ApprovalStyle, isTold: (request: EventOf<'permission_request'>) => boolean) {
    this.#approvals = approvals
    this.#isTold = isTold
  }

  /** What a run's next event has to say. */
  tell (event: Event): Chunk[] {
    switch (event.kind) {
      case 'text': return event.role === 'assistant' ? this.#steps.whole('text', event.messageId, event.content) : []
      case 'thinking': return this.#steps.whole('reasoning', event.messageId, event.content)
      case 'stream_delta': return this.#steps.delta('text', event)
      case 'thinking_delta': return this.#steps.delta('reasoning', event)
      case 'stream_end': return [...this.#steps.end('reasoning', event.messageId), ...this.#steps.end('text', event.messageId)]
      case 'tool_use': return this.#tools.call(event.toolId, event.toolName, event.toolInput)
      case 'tool_update': return this.#tools.update(event)
      case 'tool_result': return this.#tools.result(event)
      case 'permission_request':
      case 'permission_resolved':
      case 'permission_cancelled': return this.#approvals === 'data' ? this.#permissionData(event) : this.#permission(event)
      case 'complete': return this.#complete(event)
      case 'custom': return [{ type: `data-${event.name.replace(/[^\w-]+/g, '-')}`, data: event.data ?? null, ...(event.transient === true && { transient: true }) }]
      case 'status': return [{ type: 'data-status', data: fieldsOf(event), transient: true }]
      // There is one plan and one usage; the next takes the place of the one before.
      case 'plan':
      case 'usage': return [{ type: `data-${event.kind}`, id: event.kind, data: fieldsOf(event) }]
      case 'error': return [{ type: 'data-error', data: fieldsOf(event) }]
      // An app's own kind.
      default: return []
    }
  }

  /** Ends what is open, for a pause or for good. */
  finish (): Chunk[] {
    return this.#steps.finish()
  }

  /** See `Steps`. */
  had (messageId: string, content: string): void {
    this.#steps.had(messageId, content)
  }

  #permission (event: PermissionEvent): Chunk[] {
    if (event.kind === 'permission_resolved') return this.#tools.resolve(event)
    if (event.kind === 'permission_cancelled') return this.#tools.cancel(event)
    return this.#tools.request(event, this.#isTold(event))
  }

  #permissionData (event: PermissionEvent): Chunk[] {
    const { requestId, ...fields } = fieldsOf(event)
    const data = event.kind === 'permission_request' ? { requestId, ...fields } : { ...this.#requests.get(event.requestId), requestId, outcome: fields }
    this.#requests.set(event.requestId, data)
    return [{ type: 'data-permission-request', id: event.requestId, data }]
  }

  #complete ({ runId, reason, usage, error }: EventOf<'complete'>): Chunk[] {
    const chunks = [...this.#tools.close(), ...this.#steps.finish()]
    if (usage !== undefined) chunks.push({ type: 'data-usage', id: 'usage', data: usage })
    chunks.push({ type: 'message-metadata', messageMetadata: { run: { id: runId, reason, ...error && { error } } } })
    if (reason === 'finished') return [...chunks, { type: 'finish', finishReason: 'stop' }]
    if (reason === 'aborted') return [...chunks, { type: 'abort', reason }]
    return [...chunks, { type: 'error', errorText: error?.message ?? `The run has ${reason === 'timeout' ? 'taken too long' : reason === 'failed' ? 'failed' : 'been interrupted'}.` }]
  }
}

/** What an event says beside the envelope. */
function fieldsOf (event: Event): Record<string, unknown> {
  return Object.fromEntries(Object.entries(event).filter(([name]) => !ENVELOPE.has(name)))
}

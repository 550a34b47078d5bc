/* Events of a run → events of AG-UI. */
import type { Static } from 'typebox'
import type { CompleteEvent, Event, EventOf } from '../../../lib/protocol/event.ts'
import type { ClosingFrame, DeletedFrame } from '../../../lib/protocol/words.ts'
import { GrowingTexts } from '../common/growing-texts.ts'
import type { DialectEncoder, DialectStream } from '../dialect.ts'
import { asText, nameOf, NO_RESULT } from './names.ts'
import { type RunAgentInput, responseSchema } from './request.ts'

const PROTOCOL_VERSION = '1.0'

type Fields = Record<string, unknown> & { type: string }

/** Kinds that AG-UI has no event for go out as CUSTOM, under their own names. */
export class AgUiEncoder implements DialectEncoder {
  readonly #runId: string
  readonly #waits: DialectStream<unknown>['waits']
  /** The run as its client calls it. */
  readonly #run: { threadId: string, runId: string }
  readonly #texts = new GrowingTexts()
  readonly #thoughts = new GrowingTexts()
  readonly #openTexts = new Set<string>()
  readonly #openThoughts = new Set<string>()
  /** Calls, and whether they have their result. */
  readonly #calls = new Map<string, boolean>()
  #out = ''
  #timestamp: number | undefined
  paused = false

  constructor ({ sessionId: threadId, runId, body, waits }: DialectStream<Static<typeof RunAgentInput>>) {
    this.#runId = runId
    this.#waits = waits
    this.#run = { threadId, runId: body?.runId ?? runId }
  }

  begin (): string {
    this.#tell({ type: 'RUN_STARTED', ...this.#run, protocolVersion: PROTOCOL_VERSION })
    return this.#taken()
  }

  skip (event: Event): void {
    if (event.kind === 'permission_request') return
    this.encode(event)
    // The stream in which it was told has ended what was open.
    this.#openTexts.clear()
    this.#openThoughts.clear()
  }

  encode (event: Event): string {
    this.#timestamp = Date.parse(event.timestamp)
    this.#encode(event)
    return this.#taken()
  }

  broken ({ kind }: ClosingFrame | DeletedFrame): string {
    if (kind === 'session_deleted') this.#tell({ type: 'RUN_ERROR', message: 'The session was deleted.', code: 'SESSION_DELETED' })
    else this.#tell({ type: 'RUN_ERROR', message: 'The stream was closed, and the run goes on: come back to it.', code: 'STREAM_CLOSED' })
    return this.#taken()
  }

  #encode (event: Event): void {
    switch (event.kind) {
      case 'text':
        if (event.role === 'assistant') this.#text(event.messageId, this.#texts.replace(event.messageId, event.content), true)
        break
      case 'stream_delta':
        this.#text(event.messageId, this.#texts.append(event.messageId, event), false)
        break
      case 'thinking':
        this.#thought(event.messageId, this.#thoughts.replace(event.messageId, event.content), true)
        break
      case 'thinking_delta':
        this.#thought(event.messageId, this.#thoughts.append(event.messageId, event), false)
        break
      case 'tool_use':
        this.#call(event)
        break
      case 'tool_result':
        this.#result(event.toolId, event.toolResult)
        break
      case 'permission_request':
        if (this.#waits(event)) this.#interrupt(event)
        break
      case 'complete':
        this.#complete(event)
        break
      case 'stream_end':
        break
      case 'custom':
        this.#tell({ type: 'CUSTOM', name: event.name, value: event.data ?? null })
        break
      default: {
        const { kind, sessionId, runId, seq, provider, timestamp, ...value } = event
        this.#tell({ type: 'CUSTOM', name: kind, value })
      }
    }
  }

  #text (id: string, delta: string, whole: boolean): void {
    const messageId = nameOf('text', this.#runId, id)
    if (delta !== '') {
      if (!this.#openTexts.has(messageId)) this.#tell({ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' })
      this.#openTexts.add(messageId)
      this.#tell({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta })
    }
    if (whole) this.#endText(messageId)
  }

  #endText (messageId: string): void {
    if (this.#openTexts.delete(messageId)) this.#tell({ type: 'TEXT_MESSAGE_END', messageId })
  }

  #thought (id: string, delta: string, whole: boolean): void {
    const messageId = nameOf('reasoning', this.#runId, id)
    if (delta !== '') {
      if (!this.#openThoughts.has(messageId)) {
        this.#tell({ type: 'REASONING_START', messageId })
        this.#tell({ type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning' })
      }
      this.#openThoughts.add(messageId)
      this.#tell({ type: 'REASONING_MESSAGE_CONTENT', messageId, delta })
    }
    if (whole) this.#endThought(messageId)
  }

  #endThought (messageId: string): void {
    if (!this.#openThoughts.delete(messageId)) return
    this.#tell({ type: 'REASONING_MESSAGE_END', messageId })
    this.#tell({ type: 'REASONING_END', messageId })
  }

  #call ({ runId, toolId, toolName: toolCallName, toolInput }: EventOf<'tool_use'>): void {
    // Its input has changed, or it is said again: a call cannot be taken back.
    if (this.#calls.has(toolId)) return
    this.#calls.set(toolId, false)
    const toolCallId = nameOf('tool', runId, toolId)
    this.#tell({ type: 'TOOL_CALL_START', toolCallId, toolCallName, parentMessageId: nameOf('call', runId, toolId) })
    this.#tell({ type: 'TOOL_CALL_ARGS', toolCallId, delta: JSON.stringify(toolInput ?? {}) })
    this.#tell({ type: 'TOOL_CALL_END', toolCallId })
  }

  #result (toolId: string, { content, isError }: { content: unknown, isError: boolean }): void {
    if (this.#calls.get(toolId) !== false) return
    this.#calls.set(toolId, true)
    const runId = this.#runId
    this.#tell({ type: 'TOOL_CALL_RESULT', messageId: nameOf('result', runId, toolId), toolCallId: nameOf('tool', runId, toolId), role: 'tool', content: asText(content), ...(isError && { metadata: { isError } }) })
  }

  #interrupt ({ requestId, toolId, toolName, input, options }: EventOf<'permission_request'>): void {
    this.#endAll()
    const interrupt = {
      id: requestId,
      reason: 'approval',
      message: `May ${toolName} run?`,
      ...(toolId !== undefined && { toolCallId: nameOf('tool', this.#runId, toolId) }),
      responseSchema,
      metadata: { toolName, input, ...(options !== undefined && { options }) }
    }
    this.#tell({ type: 'RUN_FINISHED', ...this.#run, outcome: { type: 'interrupt', interrupts: [interrupt] } })
    this.paused = true
  }

  #complete ({ success, aborted, reason, usage, error }: CompleteEvent): void {
    this.#endAll()
    // Clients take a call without a result for one that they are to answer.
    for (const toolId of this.#calls.keys()) this.#result(toolId, { content: NO_RESULT, isError: true })
    const counted = tokensIn(usage)
    if (success || aborted) this.#tell({ type: 'RUN_FINISHED', ...this.#run, outcome: { type: success ? 'success' : 'cancelled' }, ...counted })
    else this.#tell({ type: 'RUN_ERROR', message: error?.message ?? `The run has ${reason === 'timeout' ? 'taken too long' : 'failed'}.`, code: error?.code ?? reason.toUpperCase(), ...counted })
  }

  #endAll (): void {
    for (const messageId of this.#openTexts) this.#endText(messageId)
    for (const messageId of this.#openThoughts) this.#endThought(messageId)
  }

  #tell (event: Fields): void {
    this.#out += `data: ${JSON.stringify(this.#timestamp === undefined ? event : { ...event, timestamp: this.#timestamp })}\n\n`
  }

  #taken (): string {
    const out = this.#out
    this.#out = ''
    return out
  }
}

/** Counts of tokens that are AG-UI's too. */
function tokensIn (usage: Record<string, unknown> = {}): { usage?: Array<Record<string, number>> } {
  const counts: Record<string, number> = {}
  for (const name of ['inputTokens', 'outputTokens', 'totalTokens', 'reasoningTokens', 'cachedInputTokens']) {
    const count = usage[name]
    if (typeof count === 'number' && Number.isSafeInteger(count)) counts[name] = count
  }
  return Object.keys(counts).length === 0 ? {} : { usage: [counts] }
}

/* Parts of the AI SDK's `fullStream` → events. */
import { randomUUID } from 'node:crypto'
import { ProviderError, type ProviderEvent } from '../../lib/provider/provider.ts'
import { newCallId } from '../common/call-id.ts'
import { cutError, modelError, stopError } from '../common/model-error.ts'
import { sum, type Usage } from '../common/usage.ts'

/** A part of `fullStream`, of whichever version. */
export interface StreamPart {
  type: string
  [more: string]: unknown
}

/** A call that waits for approval (AI SDK 6). */
export interface ApprovalRequest {
  approvalId: string
  toolCall: { toolCallId: string, toolName: string, input: unknown, providerExecuted?: boolean }
  /** Bound to the input: it cannot be changed. */
  signature?: string
}

/** Maps the parts of one run, however many streams they come in. */
export class PartMapper {
  /** What the run has used so far. */
  usage: Usage | null = null
  /** Whether the stream has told its end. */
  isFinished = false
  /** Approvals that the newest stream has asked for. */
  readonly approvals: ApprovalRequest[] = []
  /** Why calls were refused, by the SDK's id. */
  readonly refusals = new Map<string, string>()
  /** Told of errors that clients do not get to see. */
  readonly #note: (error: unknown, what: string) => void
  /** Messages that are being streamed, by the SDK's ids, which come again with each step. */
  readonly #open = new Map<string, string>()
  /** Calls by the SDK's ids. */
  readonly #calls = new Map<string, { toolId: string, over: boolean }>()
  /** What came in the middle of a text, and would tear it apart in the history. */
  readonly #held: ProviderEvent[] = []
  #said = false

  constructor (note: (error: unknown, what: string) => void) {
    this.#note = note
  }

  /** The events of a part. Throws a ProviderError for parts that mean failure. */
  map (part: StreamPart): ProviderEvent[] {
    switch (part.type) {
      case 'text-start':
      case 'reasoning-start':
        this.#open.set(keyOf(part), randomUUID())
        return []
      case 'text-delta':
        return this.#delta('stream_delta', part)
      case 'reasoning-delta':
        return this.#delta('thinking_delta', part)
      case 'text-end':
      case 'reasoning-end':
        return this.#end(part)
      case 'tool-call':
        return [{ kind: 'tool_use', toolId: this.#called(part), toolName: part['toolName'] as string, toolInput: part['input'] }]
      case 'tool-result':
        if (part['preliminary'] === true) return [{ kind: 'tool_update', toolId: this.toolId(part), status: 'in_progress', content: part['output'] }]
        return this.#result(part, part['output'] ?? null, false)
      case 'tool-error':
        return this.#result(part, this.#toolError(part['error']), true)
      case 'tool-output-denied':
        return this.#result(part, this.refusals.get(part['toolCallId'] as string) ?? 'The user does not allow this.', true)
      case 'tool-approval-request':
        this.approvals.push(part as unknown as ApprovalRequest)
        return []
      case 'source':
      case 'file':
        return this.#aside(part)
      case 'finish':
        return this.#finish(part)
      case 'abort':
        throw new ProviderError('The model was stopped.', { code: 'MODEL_ABORTED' })
      case 'error':
        throw this.failure(part['error'])
      default:
        // Steps, inputs that grow, raw chunks: nothing that the parts above do not say.
        return []
    }
  }

  /** What clients call a call. */
  toolId ({ toolCallId }: { toolCallId?: unknown, [more: string]: unknown }): string {
    return this.#calls.get(toolCallId as string)?.toolId ?? String(toolCallId)
  }

  /** An error of the SDK, as clients may read it. */
  failure (error: unknown): ProviderError {
    if (error instanceof ProviderError) return error
    const { statusCode, message, name } = worst(error)
    this.#note({ name, statusCode, said: statusCode === 401 || statusCode === 403 ? undefined : message }, 'the model failed')
    if (statusCode !== undefined) return modelError(statusCode, { detail: message, cause: error })
    if (name === 'AI_APICallError') return new ProviderError('The model service cannot be reached.', { code: 'MODEL_UNREACHABLE', cause: error })
    // What fetch says of a body that ends before its time.
    if (this.#said && name === 'TypeError' && message === 'terminated') return cutError(error)
    return new ProviderError('The model failed.', { code: 'MODEL_FAILED', cause: error })
  }

  #delta (kind: 'stream_delta' | 'thinking_delta', part: StreamPart): ProviderEvent[] {
    const content = part['text']
    if (typeof content !== 'string' || content === '') return []
    this.#said = true
    const key = keyOf(part)
    const messageId = this.#open.get(key) ?? randomUUID()
    this.#open.set(key, messageId)
    return [{ kind, messageId, content }]
  }

  #end (part: StreamPart): ProviderEvent[] {
    const key = keyOf(part)
    const messageId = this.#open.get(key)
    this.#open.delete(key)
    return [...messageId === undefined ? [] : [{ kind: 'stream_end' as const, messageId }], ...this.#release()]
  }

  /** Services without ids of their own give the same again in the next step. */
  #called ({ toolCallId }: StreamPart): string {
    const nativeId = toolCallId as string
    const known = this.#calls.get(nativeId)
    if (known !== undefined && !known.over) return known.toolId
    const toolId = known === undefined && nativeId !== '' ? nativeId : newCallId()
    this.#calls.set(nativeId, { toolId, over: false })
    return toolId
  }

  #result (part: StreamPart, content: unknown, isError: boolean): ProviderEvent[] {
    const toolId = this.toolId(part)
    this.#calls.set(part['toolCallId'] as string, { toolId, over: true })
    return [{ kind: 'tool_result', toolId, toolResult: { content, isError } }]
  }

  #toolError (error: unknown): string {
    // What the model did wrong is written for it by the SDK.
    if (typeof error === 'string') return error
    if (error instanceof ProviderError) return error.message
    if (error instanceof Error && /^AI_(InvalidToolInput|NoSuchTool)Error$/.test(error.name)) return error.message
    this.#note(error, 'a tool failed')
    return 'The tool failed.'
  }

  #aside ({ type, ...data }: StreamPart): ProviderEvent[] {
    const file = data['file'] as { mediaType?: string, base64?: string } | undefined
    this.#held.push({ kind: 'custom', name: type, data: type === 'file' ? { mediaType: file?.mediaType, data: file?.base64 } : data })
    return this.#release()
  }

  #finish ({ finishReason, totalUsage }: StreamPart): ProviderEvent[] {
    this.isFinished = true
    this.usage = sum(this.usage, usageOf(totalUsage))
    const problem = stopError(String(finishReason))
    if (problem !== null) throw new ProviderError(problem.message, { code: problem.code })
    this.#open.clear()
    return this.#release()
  }

  #release (): ProviderEvent[] {
    return this.#open.size === 0 ? this.#held.splice(0) : []
  }
}

function keyOf ({ type, id }: StreamPart): string {
  return `${type.split('-')[0]}:${String(id)}`
}

function usageOf (value: unknown): Usage | null {
  const given = (value ?? {}) as Record<string, unknown>
  const count = (count: unknown): number => typeof count === 'number' ? count : 0
  const [inputTokens, outputTokens] = [count(given['inputTokens']), count(given['outputTokens'])]
  const totalTokens = count(given['totalTokens']) || inputTokens + outputTokens
  if (totalTokens === 0) return null
  const [reasoningTokens, cachedInputTokens] = [count(given['reasoningTokens']), count(given['cachedInputTokens'])]
  return { inputTokens, outputTokens, totalTokens, ...(reasoningTokens > 0 && { reasoningTokens }), ...(cachedInputTokens > 0 && { cachedInputTokens }) }
}

/** What there is to know of an error; of tries that all failed, of the last. */
function worst (error: unknown): { statusCode?: number, message: string, name: string } {
  const { lastError, statusCode, message, name } = (typeof error === 'object' && error !== null ? error : { message: error }) as Record<string, unknown>
  if (lastError !== undefined) return worst(lastError)
  return { ...(typeof statusCode === 'number' && { statusCode }), message: String(message), name: String(name) }
}

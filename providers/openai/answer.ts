/* One answer of a model, put together from its chunks. */
import { randomUUID } from 'node:crypto'
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { ProviderError, type ProviderEvent } from '../../lib/provider/provider.ts'
import { newCallId } from '../common/call-id.ts'
import type { Usage } from '../common/usage.ts'
import type { ChatMessage, ChatToolCall } from './messages.ts'
import type { ModelCall } from './model-call.ts'

/** Of the arguments of all calls, in characters: nothing else bounds them, as they are no events before the answer is complete. */
const MAX_ARGUMENTS = 4 * 1024 * 1024

type Delta = ChatCompletionChunk.Choice.Delta & { reasoning_content?: unknown, reasoning?: unknown }
type CallDelta = ChatCompletionChunk.Choice.Delta.ToolCall

export class Answer {
  readonly calls: ModelCall[] = []
  finishReason: string | null = null
  usage: Usage | null = null
  #text = ''
  #argumentsLength = 0
  readonly #reasoning: { field: 'reasoning_content' | 'reasoning', text: string } = { field: 'reasoning_content', text: '' }
  readonly #textId = randomUUID()
  #thinkingId: string | null = null
  /** Which call a delta belongs to, by the service's index and id. */
  readonly #open: Array<{ index: number | undefined, nativeId: string, call: ModelCall }> = []

  /** Takes a chunk; answers what is new in it. Throws a ProviderError MODEL_FAILED for arguments of calls without an end. */
  take ({ choices, usage }: ChatCompletionChunk): ProviderEvent[] {
    // Some send it with each chunk, as a sum.
    if (usage) this.usage = usageOf(usage)
    const choice = choices?.[0]
    if (choice === undefined) return []
    if (choice.finish_reason) this.finishReason = choice.finish_reason
    const delta = (choice.delta ?? {}) as Delta
    for (const call of delta.tool_calls ?? []) this.#grow(call)
    return [...this.#thought(delta), ...this.#said(delta)]
  }

  /** What is to be said when the answer is complete. */
  end (): ProviderEvent[] {
    return [...this.#endThinking(), ...(this.#text === '' ? [] : [{ kind: 'stream_end' as const, messageId: this.#textId }])]
  }

  /** The answer as it is sent back with the results of its calls: with its reasoning, which some services insist on. */
  message (): ChatMessage {
    const { field, text } = this.#reasoning
    return {
      role: 'assistant',
      content: this.#text === '' ? null : this.#text,
      ...(text !== '' && { [field]: text }),
      tool_calls: this.calls.map(({ id, name, json, extra }): ChatToolCall => ({ ...extra, id, type: 'function', function: { name, arguments: isObject(json) ? json : '{}' } }))
    }
  }

  #thought (delta: Delta): ProviderEvent[] {
    // DeepSeek, vLLM and LM Studio call it one way, OpenRouter the other; some send both.
    const field = nonEmpty(delta.reasoning_content) ? 'reasoning_content' : 'reasoning'
    const content = delta[field]
    if (!nonEmpty(content)) return []
    Object.assign(this.#reasoning, { field, text: this.#reasoning.text + content })
    this.#thinkingId ??= randomUUID()
    return [{ kind: 'thinking_delta', messageId: this.#thinkingId, content }]
  }

  #said ({ content, refusal }: Delta): ProviderEvent[] {
    const text = nonEmpty(content) ? content : refusal
    if (!nonEmpty(text)) return []
    this.#text += text
    // What was thought takes its place in the history before what is said.
    return [...this.#endThinking(), { kind: 'stream_delta', messageId: this.#textId, content: text }]
  }

  #endThinking (): ProviderEvent[] {
    if (this.#thinkingId === null) return []
    const messageId = this.#thinkingId
    this.#thinkingId = null
    return [{ kind: 'stream_end', messageId }]
  }

  #grow ({ index, id, type, function: of, ...extra }: CallDelta): void {
    const call = this.#callOf(index, id ?? '')
    if (call.name === '') call.name = of?.name ?? ''
    const json: unknown = of?.arguments
    const before = call.json.length
    if (typeof json === 'string') call.json += json
    else if (json) call.json = JSON.stringify(json)
    this.#argumentsLength += call.json.length - before
    if (this.#argumentsLength > MAX_ARGUMENTS) throw new ProviderError('The model calls tools with arguments that are too long.', { code: 'MODEL_FAILED' })
    Object.assign(call.extra, extra)
  }

  /** Some services leave out the index, others give all calls the same: then an id that is new tells of a new call. */
  #callOf (index: number | undefined, nativeId: string): ModelCall {
    const known = this.#open.findLast((open) => (index === undefined || open.index === index) && (nativeId === '' || nativeId === open.nativeId))
    if (known !== undefined) return known.call
    const call = { id: newCallId(), name: '', json: '', extra: {} }
    this.#open.push({ index, nativeId, call })
    this.calls.push(call)
    return call
  }
}

function nonEmpty (value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function usageOf ({ prompt_tokens: input = 0, completion_tokens: output = 0, total_tokens: total, completion_tokens_details: details }: NonNullable<ChatCompletionChunk['usage']>): Usage {
  const reasoning = details?.reasoning_tokens
  return { inputTokens: input, outputTokens: output, totalTokens: total ?? input + output, ...(reasoning && { reasoningTokens: reasoning }) }
}

/** Whether it is the JSON of an object; nothing at all is an empty one. */
export function isObject (json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

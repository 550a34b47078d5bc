/* One answer of a model, put together from its chunks. */
import { randomUUID } from 'node:crypto'
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { ProviderError, type ProviderEvent } from '../../lib/provider/provider.ts'
import type { Usage } from '../common/usage.ts'
import { CallAssembly, type CallDelta, isObject } from './call-assembly.ts'
import type { ChatMessage, ChatToolCall } from './messages.ts'
import type { ModelCall } from './model-call.ts'
import { nonEmpty, Reasoning, type ReasoningFields } from './reasoning.ts'
import { ThinkTags } from './think-tags.ts'

/** A piece of an answer, as far as services agree on it. */
interface Delta {
  content?: unknown
  refusal?: unknown
  reasoning_content?: unknown
  reasoning?: unknown
  reasoning_details?: unknown
  tool_calls?: unknown
  function_call?: CallDelta['function'] | null
}

interface Piece {
  thought: string
  text: string
}

/** What services send as a chunk, and those that do not stream as the whole: then `message` stands for `delta`. */
export interface Chunk {
  choices?: Array<{ delta?: Delta | null, message?: Delta | null, finish_reason?: string | null }> | null
  usage?: ChatCompletionChunk['usage']
  object?: string
}

export class Answer {
  finishReason: string | null = null
  /** Whether the newest chunk told the end, and nothing else. */
  isOver = false
  usage: Usage | null = null
  #text = ''
  readonly #calls: CallAssembly
  readonly #reasoning = new Reasoning()
  readonly #tags = new ThinkTags()
  readonly #textId = randomUUID()
  #thinkingId: string | null = null

  constructor (toolNames: ReadonlySet<string> = new Set()) {
    this.#calls = new CallAssembly(toolNames)
  }

  get calls (): ModelCall[] {
    return this.#calls.calls
  }

  /** The thoughts, as they go back with the results of calls. */
  get reasoning (): ReasoningFields {
    return this.#reasoning.fields
  }

  /** Takes a chunk; answers what is new in it. Throws a ProviderError MODEL_FAILED for calls without an end. */
  take ({ choices, usage, object }: Chunk): ProviderEvent[] {
    if (object === 'error') throw new ProviderError('The model service failed in the middle of its answer.', { code: 'MODEL_FAILED' })
    // Some send it with each chunk, as a sum.
    if (usage) this.usage = usageOf(usage)
    const choice = choices?.[0]
    if (choice == null) return []
    const delta = choice.delta ?? choice.message ?? {}
    const isMore = [delta.content, delta.tool_calls, delta.reasoning, delta.reasoning_content].some((each) => Array.isArray(each) ? each.length > 0 : each != null && each !== '')
    // Some give a reason before they are done: what follows takes it back.
    if (choice.finish_reason || isMore) this.finishReason = choice.finish_reason || null
    this.isOver = this.finishReason !== null && !isMore
    this.#calls.grow([...callsIn(delta.tool_calls), ...delta.function_call ? [{ function: delta.function_call }] : []])
    const { thought, text } = pieceOf(delta.content)
    const said = this.#tags.take(text === '' && nonEmpty(delta.refusal) ? delta.refusal : text)
    return this.#say({ thought: this.#reasoning.take(delta) + thought + said.thought, text: said.text })
  }

  /** What is to be said when the answer is complete. */
  end (): ProviderEvent[] {
    return [...this.#say(this.#tags.end()), ...this.#endThinking(), ...(this.#text === '' ? [] : [{ kind: 'stream_end' as const, messageId: this.#textId }])]
  }

  /** The answer as it is sent back with the results of its calls: with its reasoning, which some services insist on. */
  message (): ChatMessage {
    return {
      role: 'assistant',
      content: this.#text === '' ? null : this.#text,
      ...this.reasoning,
      tool_calls: this.calls.map(({ id, name, json, extra }): ChatToolCall => ({ ...extra, id, type: 'function', function: { name: name || 'unnamed', arguments: isObject(json) ? json : '{}' } }))
    }
  }

  #say ({ thought, text }: Piece): ProviderEvent[] {
    const events: ProviderEvent[] = []
    if (thought !== '') {
      this.#thinkingId ??= randomUUID()
      events.push({ kind: 'thinking_delta', messageId: this.#thinkingId, content: thought })
    }
    if (text !== '') {
      this.#text += text
      // What was thought takes its place in the history before what is said.
      events.push(...this.#endThinking(), { kind: 'stream_delta', messageId: this.#textId, content: text })
    }
    return events
  }

  #endThinking (): ProviderEvent[] {
    if (this.#thinkingId === null) return []
    const messageId = this.#thinkingId
    this.#thinkingId = null
    return [{ kind: 'stream_end', messageId }]
  }
}

function callsIn (calls: unknown): CallDelta[] {
  const list: unknown[] = Array.isArray(calls) ? calls : [calls]
  return list.filter((call) => typeof call === 'object' && call !== null)
}

/** The text and the thoughts in a content, which may be a list of parts. */
function pieceOf (content: unknown): Piece {
  if (typeof content === 'string') return { thought: '', text: content }
  const piece: Piece = { thought: '', text: '' }
  for (const part of Array.isArray(content) ? content as unknown[] : []) {
    const { text, thinking } = typeof part === 'string' ? { text: part } as { text: unknown, thinking?: unknown } : part as { text?: unknown, thinking?: unknown } ?? {}
    if (typeof text === 'string') piece.text += text
    // Mistral's thoughts are lists of parts again.
    if (thinking != null) piece.thought += pieceOf(thinking).text
  }
  return piece
}

function usageOf ({ prompt_tokens: input = 0, completion_tokens: output = 0, total_tokens: total, completion_tokens_details: details }: NonNullable<ChatCompletionChunk['usage']>): Usage {
  const reasoning = details?.reasoning_tokens
  return { inputTokens: input, outputTokens: output, totalTokens: total ?? input + output, ...(reasoning && { reasoningTokens: reasoning }) }
}

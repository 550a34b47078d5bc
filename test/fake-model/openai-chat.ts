/* The Chat Completions API of OpenAI, and of all those who speak it. */
import { type Api, type Asked, newId, partsOf, pieces, refuseDangling, sse, type Step, type Stop, type Turn, type Usage, userTexts, type Writer } from './wire.ts'

interface Message {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'
  content?: string | Array<{ type: string, text?: string }> | null
  tool_calls?: Array<{ id: string }>
  tool_call_id?: string
}

interface Body {
  model: string
  stream?: boolean
  stream_options?: { include_usage?: boolean }
  messages: Message[]
  tools?: Array<{ type: string, function: { name: string } }>
}

const ERRORS: Record<number, [type: string, code: string | null]> = {
  401: ['invalid_request_error', 'invalid_api_key'],
  404: ['invalid_request_error', 'model_not_found'],
  429: ['requests', 'rate_limit_exceeded']
}

/** The body of OpenAI's errors. */
export function openaiError (status: number, message: string): unknown {
  const [type, code] = ERRORS[status] ?? [status >= 500 ? 'server_error' : 'invalid_request_error', null]
  return { error: { message, type, param: null, code } }
}

export const openaiChat: Api = {
  read (body) {
    const { model, stream = false, messages, tools = [] } = body as unknown as Body
    const turns = messages.flatMap(turnsOf)
    refuseDangling(turns, (id) => `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${id}`)
    return { model, stream, turns, tools: tools.map(({ function: { name } }) => name) }
  },
  writer: (asked, body) => new ChatWriter(asked, (body as unknown as Body).stream_options?.include_usage === true),
  error: openaiError
}

function turnsOf ({ role, content, tool_calls: calls = [], tool_call_id: id }: Message): Turn[] {
  const texts = partsOf(content).map(({ text }) => text)
  if (role === 'user') return [{ role, texts: userTexts(texts) }]
  if (role === 'assistant') return [{ role, calls: calls.map(({ id }) => id) }]
  // The API has no place for a tool's failure but its words.
  return role === 'tool' ? [{ role, results: [{ id: id!, text: texts.join(''), isError: false }] }] : []
}

class ChatWriter implements Writer {
  readonly #asked: Asked
  readonly #includeUsage: boolean
  readonly #id = newId('chatcmpl-')
  #calls = 0

  constructor (asked: Asked, includeUsage: boolean) {
    this.#asked = asked
    this.#includeUsage = includeUsage
  }

  start (): string {
    return this.#delta({ role: 'assistant', content: '', refusal: null })
  }

  step (step: Step): string {
    if (step.type === 'text') return this.#delta({ content: step.text })
    if (step.type === 'reasoning') return this.#delta({ [this.#reasoning]: step.text })
    const index = this.#calls++
    const { id, name, input } = step.call
    return this.#delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }) +
      pieces(input).map((piece) => this.#delta({ tool_calls: [{ index, function: { arguments: piece } }] })).join('')
  }

  end (stop: Stop, usage: Usage): string {
    const sum = this.#includeUsage ? sse({ ...this.#envelope, choices: [], usage: usageOf(usage) }) : ''
    return this.#delta({}, reasonOf(stop)) + sum + 'data: [DONE]\n\n'
  }

  failure (message: string): string {
    return sse(openaiError(500, message))
  }

  whole (steps: Step[], stop: Stop, usage: Usage): unknown {
    const text = (type: 'text' | 'reasoning'): string => steps.map((step) => step.type === type ? step.text : '').join('')
    const calls = steps.flatMap((step) => step.type === 'call' ? [{ id: step.call.id, type: 'function', function: { name: step.call.name, arguments: JSON.stringify(step.call.input) } }] : [])
    const message = {
      role: 'assistant', content: text('text') || null, refusal: null, annotations: [], ...(text('reasoning') && { [this.#reasoning]: text('reasoning') }), ...(calls.length > 0 && { tool_calls: calls })
    }
    return { ...this.#envelope, object: 'chat.completion', choices: [{ index: 0, message, logprobs: null, finish_reason: reasonOf(stop) }], usage: usageOf(usage) }
  }

  /** DeepSeek and vLLM call it `reasoning_content`, OpenRouter `reasoning`. */
  get #reasoning (): string {
    return this.#asked.model.startsWith('openrouter/') ? 'reasoning' : 'reasoning_content'
  }

  get #envelope () {
    return { id: this.#id, object: 'chat.completion.chunk', created: Math.floor(Date.now() / 1_000), model: this.#asked.model, service_tier: 'default', system_fingerprint: 'fp_fake' }
  }

  #delta (delta: unknown, finishReason: string | null = null): string {
    return sse({ ...this.#envelope, choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }], ...(this.#includeUsage && { usage: null }) })
  }
}

function reasonOf (stop: Stop): string {
  if (stop.why === 'as told') return stop.reason
  return stop.why === 'end' ? 'stop' : 'tool_calls'
}

function usageOf ({ input, output, reasoning }: Usage) {
  return {
    prompt_tokens: input,
    completion_tokens: output + reasoning,
    total_tokens: input + output + reasoning,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 }
  }
}

/* The Messages API of Anthropic, as its SDKs parse it. */
import { type Api, type Asked, newId, partsOf, pieces, refuseDangling, sse, type Step, type Stop, type Turn, type Usage, userTexts, type Writer } from './wire.ts'

interface Block {
  type: string
  text?: string
  id?: string
  tool_use_id?: string
  is_error?: boolean
  content?: string | Block[]
}

interface Body {
  model: string
  stream?: boolean
  messages: Array<{ role: 'user' | 'assistant' | 'system', content: string | Block[] }>
  tools?: Array<{ name: string }>
}

const ERRORS: Record<number, string> = {
  400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 413: 'request_too_large', 429: 'rate_limit_error', 529: 'overloaded_error'
}

export const anthropic: Api = {
  read (body) {
    const { model, stream = false, messages, tools = [] } = body as unknown as Body
    // Agents put what changes of their surroundings in between, in the system's name.
    const turns = messages.flatMap(({ role, content }) => role === 'system' ? [] : turnsOf(role, partsOf(content)))
    refuseDangling(turns, (id) => `messages: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${id}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`)
    return { model, stream, turns, tools: tools.map(({ name }) => name) }
  },
  writer: (asked) => new MessagesWriter(asked),
  error: (status, message) => ({ type: 'error', error: { type: ERRORS[status] ?? 'api_error', message }, request_id: newId('req_') })
}

function turnsOf (role: 'user' | 'assistant', blocks: Block[]): Turn[] {
  if (role === 'assistant') return [{ role, calls: blocks.flatMap(({ type, id }) => type === 'tool_use' ? [id!] : []) }]
  const results = blocks.filter(({ type }) => type === 'tool_result').map(({ tool_use_id: id, content, is_error: isError = false }) => {
    return { id: id!, text: partsOf(content).map(({ text = '' }) => text).join(''), isError }
  })
  const texts = userTexts(blocks.map(({ type, text }) => type === 'text' ? text : undefined))
  return [...results.length > 0 ? [{ role: 'tool' as const, results }] : [], { role: 'user', texts }]
}

class MessagesWriter implements Writer {
  readonly #message: Record<string, unknown>
  #open: 'text' | 'thinking' | null = null
  #index = -1

  constructor ({ model }: Asked) {
    this.#message = { id: newId('msg_'), type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null }
  }

  start (): string {
    return event('message_start', { message: { ...this.#message, usage: usageOf({ input: 1, output: 1, reasoning: 0 }) } }) + event('ping', {})
  }

  step (step: Step): string {
    if (step.type === 'call') {
      const { id, name, input } = step.call
      return this.#close() + this.#begin({ type: 'tool_use', id, name, input: {} }) + this.#delta({ type: 'input_json_delta', partial_json: '' }) +
        pieces(input).map((json) => this.#delta({ type: 'input_json_delta', partial_json: json })).join('') + event('content_block_stop', { index: this.#index })
    }
    const type = step.type === 'text' ? 'text' : 'thinking'
    const begin = this.#open === type ? '' : this.#close() + this.#begin(type === 'text' ? { type, text: '' } : { type, thinking: '', signature: '' })
    this.#open = type
    return begin + this.#delta(type === 'text' ? { type: 'text_delta', text: step.text } : { type: 'thinking_delta', thinking: step.text })
  }

  end (stop: Stop, usage: Usage): string {
    return this.#close() + event('message_delta', { delta: { stop_reason: reasonOf(stop), stop_sequence: null }, usage: usageOf(usage) }) + event('message_stop', {})
  }

  failure (message: string): string {
    return event('error', { error: { type: 'overloaded_error', message } })
  }

  whole (steps: Step[], stop: Stop, usage: Usage): unknown {
    const content: Array<Record<string, unknown>> = []
    const add = (type: 'text' | 'thinking', text: string): void => {
      const last = content.at(-1)
      if (last?.['type'] === type) last[type] = `${last[type] as string}${text}`
      else content.push({ type, [type]: text, ...(type === 'thinking' && { signature: 'c2lnbmVk' }) })
    }
    for (const step of steps) {
      if (step.type === 'call') content.push({ type: 'tool_use', ...step.call })
      else add(step.type === 'text' ? 'text' : 'thinking', step.text)
    }
    return { ...this.#message, content, stop_reason: reasonOf(stop), usage: usageOf(usage) }
  }

  #begin (block: unknown): string {
    return event('content_block_start', { index: ++this.#index, content_block: block })
  }

  #delta (delta: unknown): string {
    return event('content_block_delta', { index: this.#index, delta })
  }

  #close (): string {
    if (this.#open === null) return ''
    const signature = this.#open === 'thinking' ? this.#delta({ type: 'signature_delta', signature: 'c2lnbmVk' }) : ''
    this.#open = null
    return signature + event('content_block_stop', { index: this.#index })
  }
}

function event (type: string, fields: Record<string, unknown>): string {
  return sse({ type, ...fields }, type)
}

function reasonOf (stop: Stop): string {
  if (stop.why === 'as told') return stop.reason
  return stop.why === 'end' ? 'end_turn' : 'tool_use'
}

function usageOf ({ input, output, reasoning }: Usage) {
  return { input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: output + reasoning, service_tier: 'standard' }
}

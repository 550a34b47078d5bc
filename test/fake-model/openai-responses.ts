/* The Responses API of OpenAI, as its SDKs and Codex parse it. */
import { openaiError } from './openai-chat.ts'
import { type Api, type Asked, newId, partsOf, pieces, refuseDangling, sse, type Step, type Stop, type Turn, type Usage, userTexts, type Writer } from './wire.ts'

interface Item {
  type?: string
  role?: 'system' | 'developer' | 'user' | 'assistant'
  content?: string | Array<{ type: string, text?: string }>
  call_id?: string
  output?: string | Array<{ type: string, text?: string }>
}

interface Body {
  model: string
  stream?: boolean
  input: string | Item[]
  tools?: Array<{ type: string, name?: string }>
}

export const openaiResponses: Api = {
  read (body) {
    const { model, stream = false, input, tools = [] } = body as unknown as Body
    const items: Item[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input
    const turns = merged(items.flatMap(turnsOf))
    refuseDangling(turns, (id) => `No tool output found for function call ${id}.`)
    return { model, stream, turns, tools: tools.flatMap(({ type, name }) => type === 'function' && name !== undefined ? [name] : []) }
  },
  writer: (asked) => new ResponsesWriter(asked),
  error: openaiError
}

function turnsOf ({ type = 'message', role, content, call_id: id, output }: Item): Turn[] {
  const text = (parts: Item['content']): string => partsOf(parts).map(({ text = '' }) => text).join('')
  if (type === 'function_call') return [{ role: 'assistant', calls: [id!] }]
  if (type === 'function_call_output') return [{ role: 'tool', results: [{ id: id!, text: text(output), isError: false }] }]
  return type === 'message' && role === 'user' ? [{ role, texts: userTexts(partsOf(content).map(({ text }) => text)) }] : []
}

/** Calls that are made at once are items of their own here. */
function merged (turns: Turn[]): Turn[] {
  const all: Turn[] = []
  for (const turn of turns) {
    const last = all.at(-1)
    if (turn.role === 'assistant' && last?.role === 'assistant') last.calls.push(...turn.calls)
    else all.push(turn)
  }
  return all
}

type OutputItem = Record<string, unknown> & { id: string }

class ResponsesWriter implements Writer {
  readonly #asked: Asked
  readonly #id = newId('resp_')
  readonly #output: OutputItem[] = []
  /** The item that is being streamed, and its text so far. */
  #open: { type: 'text' | 'reasoning', item: OutputItem, text: string } | null = null
  #sequence = 0

  constructor (asked: Asked) {
    this.#asked = asked
  }

  start (): string {
    return this.#event('response.created', { response: this.#response('in_progress') }) + this.#event('response.in_progress', { response: this.#response('in_progress') })
  }

  step (step: Step): string {
    if (step.type === 'call') {
      const { id: callId, name, input } = step.call
      const item = { id: newId('fc_'), type: 'function_call', status: 'in_progress', arguments: '', call_id: callId, name }
      const whole = { ...item, status: 'completed', arguments: JSON.stringify(input) }
      const at = { item_id: item.id, output_index: this.#output.length + (this.#open === null ? 0 : 1) }
      return this.#close() + this.#event('response.output_item.added', { output_index: at.output_index, item }) +
        pieces(input).map((delta) => this.#event('response.function_call_arguments.delta', { ...at, delta })).join('') +
        this.#event('response.function_call_arguments.done', { ...at, name, arguments: whole.arguments }) + this.#done(whole)
    }
    const begin = this.#open?.type === step.type ? '' : this.#close() + this.#begin(step.type)
    const open = this.#open!
    open.text += step.text
    return begin + (open.type === 'text'
      ? this.#event('response.output_text.delta', { ...this.#part, delta: step.text, logprobs: [] })
      : this.#event('response.reasoning_summary_text.delta', { ...this.#part, delta: step.text }))
  }

  end (stop: Stop, usage: Usage): string {
    const closed = this.#close()
    const status = statusOf(stop)
    return closed + this.#event(`response.${status}`, { response: this.#response(status, stop, usage) })
  }

  failure (message: string): string {
    return this.#event('response.failed', { response: { ...this.#response('failed'), error: { code: 'server_error', message } } })
  }

  whole (steps: Step[], stop: Stop, usage: Usage): unknown {
    for (const step of steps) this.step(step)
    this.#close()
    return this.#response(statusOf(stop), stop, usage)
  }

  get #part () {
    const { type, item } = this.#open!
    return { item_id: item.id, output_index: this.#output.length, ...(type === 'text' ? { content_index: 0 } : { summary_index: 0 }) }
  }

  #begin (type: 'text' | 'reasoning'): string {
    const item: OutputItem = type === 'text'
      ? { id: newId('msg_'), type: 'message', status: 'in_progress', role: 'assistant', content: [] }
      : { id: newId('rs_'), type: 'reasoning', summary: [] }
    this.#open = { type, item, text: '' }
    return this.#event('response.output_item.added', { output_index: this.#output.length, item }) + (type === 'text'
      ? this.#event('response.content_part.added', { ...this.#part, part: textPart('') })
      : this.#event('response.reasoning_summary_part.added', { ...this.#part, part: { type: 'summary_text', text: '' } }))
  }

  #close (): string {
    if (this.#open === null) return ''
    const { type, item, text } = this.#open
    const said = type === 'text'
      ? this.#event('response.output_text.done', { ...this.#part, text, logprobs: [] }) + this.#event('response.content_part.done', { ...this.#part, part: textPart(text) })
      : this.#event('response.reasoning_summary_text.done', { ...this.#part, text }) + this.#event('response.reasoning_summary_part.done', { ...this.#part, part: { type: 'summary_text', text } })
    this.#open = null
    return said + this.#done(type === 'text' ? { ...item, status: 'completed', content: [textPart(text)] } : { ...item, summary: [{ type: 'summary_text', text }] })
  }

  #done (item: OutputItem): string {
    this.#output.push(item)
    return this.#event('response.output_item.done', { output_index: this.#output.length - 1, item })
  }

  #event (type: string, fields: Record<string, unknown>): string {
    return sse({ type, sequence_number: this.#sequence++, ...fields }, type)
  }

  #response (status: string, stop?: Stop, usage?: Usage) {
    return {
      id: this.#id,
      object: 'response',
      created_at: Math.floor(Date.now() / 1_000),
      status,
      error: null,
      incomplete_details: stop?.why === 'as told' ? { reason: stop.reason } : null,
      instructions: null,
      max_output_tokens: null,
      model: this.#asked.model,
      output: [...this.#output],
      parallel_tool_calls: true,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      store: false,
      temperature: 1,
      text: { format: { type: 'text' } },
      tool_choice: 'auto',
      tools: [],
      top_p: 1,
      truncation: 'disabled',
      usage: usage === undefined ? null : usageOf(usage),
      metadata: {}
    }
  }
}

function textPart (text: string) {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

function statusOf (stop: Stop): 'completed' | 'incomplete' {
  return stop.why === 'as told' ? 'incomplete' : 'completed'
}

function usageOf ({ input, output, reasoning }: Usage) {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output + reasoning,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output + reasoning
  }
}

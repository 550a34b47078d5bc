/* What a model thought before its calls, as services that insist on seeing it again take it. */

/** A piece of OpenRouter's `reasoning_details`, which go back as they came. */
type Detail = Record<string, unknown>

/** The fields of a detail that come in pieces. */
const GROWING = ['text', 'summary', 'data'] as const
/** In characters; what is longer does not go back. */
const MAX_DETAILS = 1024 * 1024

interface ReasoningDelta { reasoning_content?: unknown, reasoning?: unknown, reasoning_details?: unknown }

/** Fields of an assistant's message. */
export type ReasoningFields = Partial<Record<'reasoning_content' | 'reasoning', string>> & { reasoning_details?: Detail[] }

export class Reasoning {
  /** DeepSeek, vLLM and LM Studio call it one way, OpenRouter the other. */
  #field: 'reasoning_content' | 'reasoning' = 'reasoning_content'
  #text = ''
  readonly #details: Detail[] = []
  #detailsLength = 0

  /** Takes a piece; answers what is new of the thoughts. */
  take (delta: ReasoningDelta): string {
    const details = Array.isArray(delta.reasoning_details) ? delta.reasoning_details as Detail[] : []
    for (const detail of details) this.#grow(detail)
    // Some send both.
    const field = nonEmpty(delta.reasoning_content) ? 'reasoning_content' : 'reasoning'
    const said = delta[field]
    if (!nonEmpty(said)) return details.map((detail) => textIn(detail['text']) || textIn(detail['summary'])).join('')
    this.#field = field
    this.#text += said
    return said
  }

  /** What goes back with the results of calls. */
  get fields (): ReasoningFields {
    if (this.#details.length > 0 && this.#detailsLength <= MAX_DETAILS) return { reasoning_details: this.#details }
    return this.#text === '' ? {} : { [this.#field]: this.#text }
  }

  #grow (detail: Detail): void {
    for (const field of GROWING) this.#detailsLength += textIn(detail[field]).length
    if (this.#detailsLength > MAX_DETAILS) return
    const last = this.#details.at(-1)
    if (last === undefined || last['type'] !== detail['type'] || last['index'] !== detail['index']) {
      this.#details.push({ ...detail })
      return
    }
    for (const [field, value] of Object.entries(detail)) {
      if (value == null) continue
      last[field] = GROWING.some((growing) => growing === field) ? textIn(last[field]) + textIn(value) : value
    }
  }
}

function textIn (value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function nonEmpty (value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/* The steps of a run, and the text and reasoning in them. */
import type { MessageContent } from '../../../lib/protocol/words.ts'
import { GrowingTexts } from '../common/growing-texts.ts'
import type { Chunk } from './chunks.ts'

export type Voice = 'text' | 'reasoning'

/** A step is what a model says and calls before it has results: what it says or calls behind those begins the next. */
export class Steps {
  readonly #told: Record<Voice, GrowingTexts> = { text: new GrowingTexts(), reasoning: new GrowingTexts() }
  /** The parts that have begun and not ended. */
  readonly #parts = new Map<string, { voice: Voice, id: string }>()
  #isOpen = false
  #hasResults = false
  /** The number of the latest step, which may have ended; from 1 on. */
  latest = 0

  /** Opens a step, unless one is open that has no results yet. */
  begin (): Chunk[] {
    if (this.#isOpen && !this.#hasResults) return []
    const chunks = this.finish()
    this.#isOpen = true
    this.#hasResults = false
    this.latest++
    return [...chunks, { type: 'start-step' }]
  }

  /** Ends the open step, if there is one, and the parts in it. What is said of them later begins anew, behind what was told. */
  finish (): Chunk[] {
    const chunks = [...this.#parts.values()].map(({ voice, id }): Chunk => ({ type: `${voice}-end`, id }))
    this.#parts.clear()
    if (this.#isOpen) chunks.push({ type: 'finish-step' })
    this.#isOpen = false
    return chunks
  }

  /** A tool has a result. */
  resulted (): void {
    this.#hasResults = true
  }

  /** What a client has of a text from before, of which nothing is known any more. */
  had (messageId: string, content: string): void {
    if (!this.#told.text.has(messageId)) this.#told.text.append(messageId, { content })
  }

  delta (voice: Voice, { messageId, ...delta }: { messageId: string, content: string, snapshot?: true }): Chunk[] {
    return this.#say(voice, messageId, this.#told[voice].append(messageId, delta))
  }

  /** A whole message: what is missing of it, and its end. */
  whole (voice: Voice, messageId: string, content: MessageContent): Chunk[] {
    return [...this.#say(voice, messageId, this.#told[voice].replace(messageId, content)), ...this.end(voice, messageId)]
  }

  end (voice: Voice, id: string): Chunk[] {
    return this.#parts.delete(`${voice} ${id}`) ? [{ type: `${voice}-end`, id }] : []
  }

  #say (voice: Voice, id: string, delta: string): Chunk[] {
    if (delta === '') return []
    const chunks = this.begin()
    if (!this.#parts.has(`${voice} ${id}`)) {
      this.#parts.set(`${voice} ${id}`, { voice, id })
      chunks.push({ type: `${voice}-start`, id })
    }
    return [...chunks, { type: `${voice}-delta`, id, delta }]
  }
}

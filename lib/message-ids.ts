/* Which messageId an event goes out under: providers may leave it out, or go on with a message that is over. */
import { randomUUID } from 'node:crypto'

type Whole = 'text' | 'thinking'

export class MessageIds {
  /** The message that is streamed without a name, per kind. */
  readonly #unnamed = new Map<Whole, { messageId: string, ended: boolean }>()
  /** Messages whose durable whole is in the log. */
  readonly #over = new Set<string>()
  /** Where deltas go that the provider still sends for a message that is over. */
  readonly #goesOn = new Map<string, string>()

  /** Of a delta. A message that is over goes on as a new one: a whole of its late words would replace all of it. */
  ofDelta (whole: Whole, named: string | undefined): string {
    if (named === undefined) {
      const current = this.#unnamed.get(whole)
      if (current !== undefined && !current.ended) return current.messageId
      const messageId = randomUUID()
      this.#unnamed.set(whole, { messageId, ended: false })
      return messageId
    }
    const key = `${whole}:${named}`
    const messageId = this.#goesOn.get(key) ?? named
    if (!this.#over.has(`${whole}:${messageId}`)) return messageId
    const next = randomUUID()
    this.#goesOn.set(key, next)
    return next
  }

  /** Of a stream's end; null if no message is open that it could end. */
  ofEnd (named: string | undefined): string | null {
    if (named !== undefined) return this.#goesOn.get(`text:${named}`) ?? named
    const current = this.#unnamed.get('text')
    if (current === undefined || current.ended) return null
    current.ended = true
    return current.messageId
  }

  /** Of a whole message; without a name, the one that was streamed last without a name. */
  ofWhole (whole: Whole, named: string | undefined): string {
    if (named !== undefined) {
      this.over(whole, named)
      return named
    }
    const messageId = this.#unnamed.get(whole)?.messageId ?? randomUUID()
    this.#unnamed.delete(whole)
    return messageId
  }

  /** The message's durable whole is in the log. */
  over (whole: Whole, messageId: string): void {
    const unnamed = this.#unnamed.get(whole)
    // Its next delta begins another message, but the provider may still bring its own whole of this one.
    if (unnamed?.messageId === messageId) unnamed.ended = true
    else this.#over.add(`${whole}:${messageId}`)
  }
}

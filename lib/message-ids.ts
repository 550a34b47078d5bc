/* Which messageId an event goes out under: providers may leave it out, or go on with a message that is over. */
import { randomUUID } from 'node:crypto'

type Whole = 'text' | 'thinking'

export class MessageIds {
  /** The message that is being streamed without a name: there is one at a time. */
  #current: { whole: Whole, messageId: string, ended: boolean } | null = null
  /** The last such message of each kind, whose whole the provider may still bring. */
  readonly #last = new Map<Whole, string>()
  /** Messages that have ended, or whose durable whole is in the log. */
  readonly #over = new Set<string>()
  /** Where deltas go that the provider still sends for a message that is over. */
  readonly #goesOn = new Map<string, string>()

  /** Of a delta. A message that is over goes on as a new one: a whole of its late words would replace all of it. */
  ofDelta (whole: Whole, named: string | undefined): string {
    if (named === undefined) return this.#unnamed(whole)
    const key = `${whole}:${named}`
    const messageId = this.#goesOn.get(key) ?? named
    if (!this.#over.has(`${whole}:${messageId}`)) return messageId
    const next = randomUUID()
    this.#goesOn.set(key, next)
    return next
  }

  /** Of a stream's end; null if no message is open that it could end. */
  ofEnd (named: string | undefined): string | null {
    if (named === undefined) {
      if (this.#current === null || this.#current.ended) return null
      this.#current.ended = true
      return this.#current.messageId
    }
    const messageId = this.#goesOn.get(`text:${named}`) ?? this.#goesOn.get(`thinking:${named}`) ?? named
    this.over('text', messageId)
    this.over('thinking', messageId)
    return messageId
  }

  /** Of a whole message; without a name, the one that was streamed last without a name. */
  ofWhole (whole: Whole, named: string | undefined): string {
    const messageId = named === undefined ? this.#last.get(whole) ?? randomUUID() : this.#open(whole, named)
    this.over(whole, messageId)
    return messageId
  }

  /** Nothing more can be added to the message: it has ended, or its durable whole is in the log. */
  over (whole: Whole, messageId: string): void {
    if (this.#last.get(whole) === messageId) this.#last.delete(whole)
    if (this.#current?.messageId === messageId) this.#current.ended = true
    else this.#over.add(`${whole}:${messageId}`)
  }

  /** Of a message's next part under its name: an agent may say several things under one. */
  #open (whole: Whole, named: string): string {
    const next = this.#goesOn.get(`${whole}:${named}`)
    return next === undefined || this.#over.has(`${whole}:${next}`) ? named : next
  }

  #unnamed (whole: Whole): string {
    if (this.#current !== null && this.#current.whole === whole && !this.#current.ended) return this.#current.messageId
    const messageId = randomUUID()
    this.#current = { whole, messageId, ended: false }
    this.#last.set(whole, messageId)
    return messageId
  }
}

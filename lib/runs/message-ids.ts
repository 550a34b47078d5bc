/* Which messageId an event goes out under: providers may leave it out, or go on with a message that is over. */
import { randomUUID } from 'node:crypto'

type Whole = 'text' | 'thinking'

export class MessageIds {
  /** The message that is being streamed without a name: there is one at a time. */
  #current: { whole: Whole, messageId: string, ended: boolean, sealed: boolean } | null = null
  /** The message of the newest delta that had a name; null once it, or another, may be over. */
  #newest: { whole: Whole, named: string, messageId: string } | null = null
  /** The last such message of each kind, whose whole the provider may still bring. */
  readonly #last = new Map<Whole, string>()
  /** Messages that have ended, or whose durable whole is in the log. */
  readonly #over = new Set<string>()
  /** Messages whose whole the provider has brought. */
  readonly #brought = new Set<string>()
  /** Where deltas go that the provider still sends for a message that is over. */
  readonly #goesOn = new Map<string, string>()
  /** How long the whole message is up to the end of a part that was sealed, in characters. */
  readonly #sealed = new Map<string, number>()
  /** How much of the message is in the parts before this one. */
  readonly #before = new Map<string, number>()

  /** Of a delta. A message that is over goes on as a new one: a whole of its late words would replace all of it. */
  ofDelta (whole: Whole, named: string | undefined): string {
    if (named === undefined) return this.#unnamed(whole)
    // Mostly a message goes on.
    if (named === this.#newest?.named && whole === this.#newest.whole) return this.#newest.messageId
    const messageId = this.#ofNamed(whole, named)
    this.#newest = { whole, named, messageId }
    return messageId
  }

  #ofNamed (whole: Whole, named: string): string {
    const key = `${whole}:${named}`
    const messageId = this.#goesOn.get(key) ?? named
    if (!this.#over.has(`${whole}:${messageId}`)) return messageId
    const next = randomUUID()
    this.#goesOn.set(key, next)
    this.#follow(whole, messageId, next)
    return next
  }

  /** Of a stream's end; null if no message is open that it could end. */
  ofEnd (named: string | undefined): string | null {
    if (named === undefined) {
      if (this.#current === null) return null
      this.#current.sealed = false
      if (this.#current.ended) return null
      this.#current.ended = true
      return this.#current.messageId
    }
    const messageId = this.#goesOn.get(`text:${named}`) ?? this.#goesOn.get(`thinking:${named}`) ?? named
    this.over('text', messageId)
    this.over('thinking', messageId)
    return messageId
  }

  /**
   * Of a whole message; without a name, the one that was streamed last without a name. `sealed`: how many of its
   * characters stand in sealed parts under other ids.
   */
  ofWhole (whole: Whole, named: string | undefined): { messageId: string, sealed: number } {
    const messageId = named === undefined ? this.#last.get(whole) ?? randomUUID() : this.#open(whole, named)
    this.over(whole, messageId)
    this.#brought.add(`${whole}:${messageId}`)
    return { messageId, sealed: this.#before.get(`${whole}:${messageId}`) ?? 0 }
  }

  /** So many characters of a message have become a whole of their own; what follows is its next part. */
  seal (whole: Whole, messageId: string, length: number): void {
    this.#newest = null
    const key = `${whole}:${messageId}`
    this.#sealed.set(key, (this.#before.get(key) ?? 0) + length)
    if (this.#current?.messageId === messageId) Object.assign(this.#current, { ended: true, sealed: true })
    else this.#over.add(key)
  }

  /** Nothing more can be added to the message: it has ended, or its durable whole is in the log. */
  over (whole: Whole, messageId: string): void {
    this.#newest = null
    if (this.#last.get(whole) === messageId) this.#last.delete(whole)
    if (this.#current?.messageId === messageId) this.#current.ended = true
    else this.#over.add(`${whole}:${messageId}`)
  }

  /** Of a message's next part under its name: an agent may say several things under one. */
  #open (whole: Whole, named: string): string {
    const next = this.#goesOn.get(`${whole}:${named}`)
    return next === undefined || this.#brought.has(`${whole}:${next}`) ? named : next
  }

  #unnamed (whole: Whole): string {
    if (this.#current !== null && this.#current.whole === whole && !this.#current.ended) return this.#current.messageId
    const messageId = randomUUID()
    if (this.#current?.whole === whole && this.#current.sealed) this.#follow(whole, this.#current.messageId, messageId)
    this.#current = { whole, messageId, ended: false, sealed: false }
    this.#last.set(whole, messageId)
    return messageId
  }

  #follow (whole: Whole, part: string, next: string): void {
    const sealed = this.#sealed.get(`${whole}:${part}`)
    if (sealed !== undefined) this.#before.set(`${whole}:${next}`, sealed)
  }
}

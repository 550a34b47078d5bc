/* How much a client may send: so much a second, and what it saved up. */

/** Seconds for which a quiet client saves up. */
const BURST_SECONDS = 20

export class MessageBudget {
  readonly #perSecond: number
  #left: number
  #at = performance.now()

  constructor (perSecond: number) {
    this.#perSecond = perSecond
    this.#left = perSecond * BURST_SECONDS
  }

  /** Takes what something costs, in messages; false if the client has spent more than it may. */
  take (cost: number): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#perSecond * BURST_SECONDS, this.#left + (now - this.#at) / 1_000 * this.#perSecond) - cost
    this.#at = now
    return this.#left >= 0
  }
}

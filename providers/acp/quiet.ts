/* Agents send updates of a turn after they have answered for it, and replay a session after they have loaded it. */
import { setTimeout as delay } from 'node:timers/promises'

/** An agent that does not fall silent is waited for no longer, in ms. */
const AT_MOST_MS = 1_000

export class Quiet {
  #last = -Infinity

  /** To be called for each message of the agent. */
  heard (): void {
    this.#last = performance.now()
  }

  /** Resolves when the agent has said nothing for `ms`, or after `atMost` ms. */
  async wait (ms: number, atMost = AT_MOST_MS): Promise<void> {
    const end = performance.now() + atMost
    for (;;) {
      const now = performance.now()
      const left = Math.min(this.#last + ms, end) - now
      if (left <= 0) return
      await delay(Math.ceil(left))
    }
  }
}

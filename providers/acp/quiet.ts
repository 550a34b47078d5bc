/* Agents send updates of a turn after they have answered for it, and replay a session after they have loaded it. */
import { setTimeout as delay } from 'node:timers/promises'

/** An agent that does not fall silent is waited for no longer, in ms. */
const AT_MOST_MS = 1_000

export class Quiet {
  #last = -Infinity
  /** Until when the agent is not read, as the log has no room: that is no silence. */
  #held: Promise<void> | null = null

  /** To be called for each message of the agent. */
  heard (): void {
    this.#last = performance.now()
  }

  /** Waits before the agent is read on. */
  async hold (room: Promise<void>): Promise<void> {
    this.#held = room
    await room
    this.#held = null
    this.heard()
  }

  /** Resolves when the agent has said nothing for `ms`, or after `atMost` ms in which it was read. */
  async wait (ms: number, atMost = AT_MOST_MS): Promise<void> {
    let end = performance.now() + atMost
    for (;;) {
      const now = performance.now()
      if (this.#held !== null) {
        await this.#held
        // What has been waiting is read now.
        await delay(1)
        end += performance.now() - now
        continue
      }
      const left = Math.min(this.#last + ms, end) - now
      if (left <= 0) return
      await delay(Math.ceil(left))
    }
  }
}

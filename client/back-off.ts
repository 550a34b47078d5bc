/* How long to wait before another try. */
import type { RetryOptions } from './options.ts'

/** The longest time that a timer can take: one that is asked for more ends at once. */
const LONGEST_MS = 2 ** 31 - 1
/** The longest that a server can make a client wait beyond the longest wait of its own. */
const LONGEST_ASKED_MS = 5 * 60_000

/** A connection that was open for so long counts as a success without a new event: a proxy may cut those of a silent session. */
export const HOLDS_MS = 10_000

export class BackOff {
  readonly #minMs: number
  readonly #maxMs: number
  readonly #attempts: number
  /** What the first wait is. */
  #firstMs: number
  #failures = 0

  constructor ({ minMs = 500, maxMs = 30_000, attempts = Infinity }: RetryOptions = {}) {
    // Zero doubled stays zero.
    this.#minMs = this.#firstMs = Math.max(1, minMs)
    this.#maxMs = maxMs
    this.#attempts = attempts
  }

  /** The failures in a row. */
  get failures (): number {
    return this.#failures
  }

  /** From now on waits begin with what the server says, if that is a time, and no shorter than the caller's first wait. */
  suggest (ms: unknown): void {
    if (typeof ms === 'number' && ms >= 0) this.#firstMs = Math.max(this.#minMs, ms)
  }

  /** It works. */
  succeeded (): void {
    this.#failures = 0
  }

  /**
   * It has failed once more: how long to wait, in ms, at least `atLeastMs` as far as that is sane; null if that was once too
   * often. Waits are up to half as long again as they must be, so that clients that have lost one server do not all come back
   * at once.
   */
  failed (atLeastMs = 0): number | null {
    if (this.#failures >= this.#attempts) return null
    const wait = Math.min(this.#maxMs, this.#firstMs * 2 ** this.#failures++)
    const asked = Math.min(atLeastMs, Math.max(this.#maxMs, LONGEST_ASKED_MS))
    return Math.min(LONGEST_MS, Math.max(wait, asked) * (1 + Math.random() / 2))
  }
}

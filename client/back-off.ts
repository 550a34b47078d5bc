/* How long to wait before another try. */
import type { RetryOptions } from './options.ts'

/** The longest time that a timer can take. */
const LONGEST_MS = 2 ** 31 - 1

export class BackOff {
  readonly #minMs: number
  readonly #maxMs: number
  readonly #attempts: number
  /** What the server wants the first wait to be. */
  #suggestedMs: number | null = null
  #failures = 0

  constructor ({ minMs = 500, maxMs = 30_000, attempts = Infinity }: RetryOptions = {}) {
    this.#minMs = minMs
    this.#maxMs = maxMs
    this.#attempts = attempts
  }

  /** The failures in a row. */
  get failures (): number {
    return this.#failures
  }

  /** From now on waits begin with what the server says. */
  suggest (ms: number): void {
    this.#suggestedMs = ms
  }

  /** It works. */
  succeeded (): void {
    this.#failures = 0
  }

  /**
   * It has failed once more: how long to wait, in ms, at least `atLeastMs`; null if that was once too often. Waits are up to
   * half as long again as they must be, so that clients that have lost one server do not all come back at once.
   */
  failed (atLeastMs = 0): number | null {
    if (this.#failures >= this.#attempts) return null
    const wait = Math.min(this.#maxMs, (this.#suggestedMs ?? this.#minMs) * 2 ** this.#failures++)
    return Math.min(LONGEST_MS, Math.max(wait, atLeastMs) * (1 + Math.random() / 2))
  }
}

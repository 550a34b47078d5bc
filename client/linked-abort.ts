/* Something that is stopped by any of several. */

export class LinkedAbort {
  readonly #own = new AbortController()
  readonly #others: AbortSignal[]
  readonly #abort = (): void => this.abort()

  /** Aborts as soon as one of `others` does; `unlink` it when it is not needed any more. */
  constructor (...others: Array<AbortSignal | undefined>) {
    this.#others = others.filter((other) => other !== undefined)
    for (const other of this.#others) {
      if (other.aborted) this.abort()
      else other.addEventListener('abort', this.#abort)
    }
  }

  get signal (): AbortSignal {
    return this.#own.signal
  }

  abort (reason?: unknown): void {
    this.#own.abort(reason)
  }

  /** Leaves nothing with the others. */
  unlink (): void {
    for (const other of this.#others) other.removeEventListener('abort', this.#abort)
  }
}

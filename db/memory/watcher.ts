/* Calls a listener soon after it was told to: once for many times, again if it rejects, never twice at a time. */

/** The pause before a listener that has rejected is called again, in ms. */
const RETRY_MS = 10

export class Watcher {
  readonly #listener: () => Promise<void>
  #wanted = false
  #calling = false
  #stopped = false
  #retry: NodeJS.Timeout | undefined

  constructor (listener: () => Promise<void>) {
    this.#listener = listener
  }

  notify (): void {
    if (this.#wanted || this.#stopped) return
    this.#wanted = true
    if (!this.#calling) setImmediate(() => { void this.#call() })
  }

  /** The listener is not called again. */
  stop (): void {
    this.#stopped = true
    clearTimeout(this.#retry)
  }

  async #call (): Promise<void> {
    if (this.#stopped) return
    this.#wanted = false
    this.#calling = true
    try {
      await this.#listener()
      this.#calling = false
      if (this.#wanted) setImmediate(() => { void this.#call() })
    } catch {
      if (!this.#stopped) this.#retry = setTimeout(() => { void this.#call() }, RETRY_MS)
    }
  }
}

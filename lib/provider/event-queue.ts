/* For agents that push by callback: what they push on one side, what a provider yields on the other. */
import { ProviderError, type ProviderEvent } from './provider.ts'

/** Above this `push` asks its caller to wait (high-water mark). */
const HIGH_WATER = 256
/** A caller that does not wait loses its run above this. */
const LIMIT = 10_000

/**
 * Events on their way from callbacks to a provider's `run`. It is bounded: who can wait, waits for `room()` before it pushes
 * on; who cannot and runs 10,000 events ahead of the log fails its run.
 */
export interface EventQueue extends AsyncIterable<ProviderEvent> {
  /** Adds an event. After the end it is dropped. */
  push (event: ProviderEvent): void
  /** Resolves when there is room for more, at once if there is, and at the end. */
  room (): Promise<void>
  /** Resolves when the run has taken what was pushed so far, or never will. */
  taken (): Promise<void>
  /** Ends the iteration behind what was pushed. */
  end (): void
  /** Ends it there with an error. */
  fail (error: unknown): void
}

/** An empty queue; for one iteration. */
export function eventQueue (): EventQueue {
  return new BoundedQueue()
}

class BoundedQueue implements EventQueue {
  #events: ProviderEvent[] = []
  #over = false
  #failure: { error: unknown } | null = null
  #wake: () => void = () => {}
  /** Whether the run has taken everything, and waits for more. */
  #isWaiting = false
  #waiting: Array<() => void> = []

  push (event: ProviderEvent): void {
    if (this.#over) return
    this.#isWaiting = false
    if (this.#events.push(event) > LIMIT) this.fail(new ProviderError('The agent runs too far ahead of its log.', { code: 'AGENT_TOO_FAST' }))
    this.#wake()
  }

  async room (): Promise<void> {
    if (!this.#over && this.#events.length >= HIGH_WATER) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
  }

  async taken (): Promise<void> {
    if (!this.#over && !this.#isWaiting) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
  }

  end (): void {
    this.#over = true
    this.#release()
    this.#wake()
  }

  fail (error: unknown): void {
    if (this.#over) return
    this.#failure = { error }
    this.end()
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<ProviderEvent> {
    try {
      for (;;) {
        const events = this.#events
        this.#events = []
        yield * events
        if (this.#events.length > 0) continue
        this.#release()
        if (this.#over) break
        this.#isWaiting = true
        await new Promise<void>((resolve) => { this.#wake = resolve })
        this.#isWaiting = false
      }
      if (this.#failure !== null) throw this.#failure.error
    } finally {
      this.#events = []
      this.end()
    }
  }

  #release (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

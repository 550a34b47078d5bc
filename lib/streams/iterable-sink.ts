/* Subscriptions for code in the same process: the sink is an AsyncIterable. */
import { type Event, parseEvent, type StoredEvent } from '../protocol/event.ts'
import type { Frame } from '../protocol/frames.ts'
import type { Format } from './channel.ts'
import type { Sink } from './sink.ts'
import type { Subscriber } from './subscriber.ts'

/** What a reader may leave unread before its subscription stops to run live. */
const MAX_BUFFERED = 256

const format: Format<StoredEvent[]> = { encode: (events) => events }

/** A sink that is read by `for await`; ends the subscription when the reader leaves or `signal` aborts. */
export class IterableSink implements Sink<StoredEvent[]> {
  readonly format = format
  #items: Array<StoredEvent | Frame> = []
  #full = false
  #ended = false
  #wake: (() => void) | null = null

  events (chunk: StoredEvent[]): boolean {
    for (const event of chunk) this.#items.push(event)
    this.#wake?.()
    this.#full = this.#items.length >= MAX_BUFFERED
    return !this.#full
  }

  frame (frame: Frame): void {
    this.#items.push(frame)
    this.#wake?.()
  }

  end (): void {
    this.#ended = true
    this.#wake?.()
  }

  /** What `subscriber` writes here, from its first frame on. */
  async * read (subscriber: Subscriber<StoredEvent[]>, signal: AbortSignal | undefined): AsyncGenerator<Event | Frame> {
    const close = (): void => subscriber.close()
    signal?.addEventListener('abort', close, { once: true })
    const aborted = (): boolean => signal?.aborted === true
    try {
      if (aborted()) return
      for (;;) {
        const items = this.#items
        this.#items = []
        for (const item of items) {
          yield 'json' in item ? parseEvent(item) : item
          if (aborted()) return
        }
        if (this.#items.length > 0) continue
        if (this.#ended) return
        if (this.#full) {
          this.#full = false
          subscriber.drained()
        }
        if (this.#items.length === 0 && !this.#ended) await new Promise<void>((resolve) => { this.#wake = resolve })
        this.#wake = null
      }
    } finally {
      signal?.removeEventListener('abort', close)
      subscriber.close()
    }
  }
}

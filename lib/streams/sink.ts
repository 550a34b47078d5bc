/* Where a subscriber writes. */
import type { Frame } from '../protocol/frames.ts'
import type { Format } from './channel.ts'

export interface Sink<Chunk> {
  readonly format: Format<Chunk>
  /**
   * For sinks that share a connection: whether this one may be written to now. False is as if `events` had said it was
   * full. Default: always.
   */
  ready? (): boolean
  /** For the same: the subscriber has written what it had, or has to wait. */
  paused? (): void
  /** Writes events; false if full: no more come until `Subscriber.drained` is called. */
  events (chunk: Chunk): boolean
  /** Writes a frame; `cursor` is set for the one that carries a cursor. Also written when full. */
  frame (frame: Frame, cursor?: number): void
  /** Nothing more comes. */
  end (): void
}

/** A sink that never throws: a broken one costs nobody else anything, whatever of it breaks. */
export class GuardedSink<Chunk> {
  readonly #sink: Sink<Chunk>
  readonly #broke: (error: unknown) => void

  /** `broke` is told of everything that the sink throws. */
  constructor (sink: Sink<Chunk>, broke: (error: unknown) => void) {
    this.#sink = sink
    this.#broke = broke
  }

  /** Writes what `encode` makes of events. False if there is no room for more, or the sink is broken. */
  events (encode: (format: Format<Chunk>) => Chunk): boolean {
    return this.#try(() => this.#sink.events(encode(this.#sink.format)), false)
  }

  frame (frame: Frame, cursor?: number): void {
    this.#try(() => this.#sink.frame(frame, cursor), undefined)
  }

  ready (): boolean {
    return this.#try(() => this.#sink.ready?.() !== false, false)
  }

  paused (): void {
    this.#try(() => this.#sink.paused?.(), undefined)
  }

  end (): void {
    this.#try(() => this.#sink.end(), undefined)
  }

  #try<T> (use: () => T, otherwise: T): T {
    try {
      return use()
    } catch (error) {
      this.#broke(error)
      return otherwise
    }
  }
}

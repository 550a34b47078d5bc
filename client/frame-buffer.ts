/* What a WebSocket brought of one session, and nobody has taken yet. */
import type { RunsClientError } from './errors.ts'

/** How much waits behind the frame that is next, in characters. A socket cannot be told to bring less of one session; what is left out is in the log. */
const ROOM = 1024 * 1024
/** How many frames wait: each costs memory, however short it is. */
const MOST_FRAMES = 8 * 1024

export class FrameBuffer {
  readonly #frames: Array<{ frame: object, size: number }> = []
  #size = 0
  #ended = false
  #error: RunsClientError | null = null
  #wake: () => void = () => {}

  /** Whether more comes that is taken. */
  get isOpen (): boolean {
    return !this.#ended
  }

  /** Adds a frame; `size` is its length. False if that was the last one for which there is room: what follows has to be asked for again. */
  push (frame: object, size: number): boolean {
    if (this.#ended) return false
    // The first does not count: a `chat_subscribed` of any length must leave room for an event, else the session makes no progress.
    if (this.#frames.length > 0) this.#size += size
    this.#frames.push({ frame, size })
    this.#wake()
    if (this.#size < ROOM && this.#frames.length < MOST_FRAMES) return true
    this.end()
    return false
  }

  /** Nothing more comes. What is there can be taken still; then `error` is thrown, if there is one. */
  end (error: RunsClientError | null = null): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#wake()
  }

  /** Nobody takes anything any more. */
  discard (): void {
    this.#frames.length = 0
    this.end()
  }

  /** What comes, in its order, until the end. */
  async * frames (): AsyncGenerator<object> {
    for (;;) {
      for (let next = this.#frames.shift(); next !== undefined; next = this.#frames.shift()) {
        this.#size -= this.#frames[0]?.size ?? 0
        yield next.frame
      }
      if (this.#ended) break
      await new Promise<void>((resolve) => { this.#wake = resolve })
    }
    if (this.#error !== null) throw this.#error
  }
}

/* All Server-Sent Events connections of one plugin: one clock for all, and one end. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { atMost } from '../../lib/common/at-most.ts'
import type { Opening } from '../../lib/streams/subscriptions.ts'
import type { EventStream, EventStreamOptions } from './event-stream.ts'

export interface SseOptions {
  /** A stream gets a comment after this much silence, in ms. */
  heartbeatMs: number
  /** A peer that takes no byte for this long is cut, in ms. */
  stallTimeoutMs: number
}

/** An open stream, whatever it is written in. */
type OpenStream = Pick<EventStream<unknown>, 'beat' | 'closed' | 'destroy' | 'follow'>
/** Makes the stream of a response: in our own frames, or in a dialect. */
export type MakeStream = (response: ServerResponse, headers: OutgoingHttpHeaders, options: EventStreamOptions) => OpenStream

export class SseConnections {
  readonly #options: SseOptions
  readonly #open = new Set<OpenStream>()
  #heartbeat: NodeJS.Timeout | null = null
  #onEmpty: () => void = () => {}

  constructor (options: SseOptions) {
    this.#options = options
  }

  /**
   * Turns a response that is still connected into a stream that follows `opening`. It ends up to half of `heartbeatMs`
   * after `hasEnded` says so of the time, in ms since 1970.
   */
  open (make: MakeStream, response: ServerResponse, headers: OutgoingHttpHeaders, opening: Opening, hasEnded: (now: number) => boolean): void {
    const connection = make(response, headers, { stallTimeoutMs: this.#options.stallTimeoutMs, hasEnded })
    this.#open.add(connection)
    this.#heartbeat ??= this.#startHeartbeat()
    // Node tells a response that waits behind another on its connection nothing of the end of that.
    const waitsOn = response.socket === null ? response.req.socket : null
    const closed = (): void => {
      waitsOn?.off('close', closed)
      this.#forget(connection)
    }
    response.on('close', closed)
    waitsOn?.on('close', closed)
    connection.follow(opening)
  }

  /** Waits until every connection has sent what it was given, for at most `deadlineMs`; then cuts the rest. */
  async close (deadlineMs: number): Promise<void> {
    if (this.#open.size > 0) await atMost(deadlineMs, new Promise<void>((resolve) => { this.#onEmpty = resolve }))
    for (const connection of this.#open) connection.destroy()
  }

  #startHeartbeat (): NodeJS.Timeout {
    // A connection that was written to just after one beat is passed over by the next: half the period keeps the whole.
    return setInterval(() => {
      const now = Date.now()
      for (const connection of this.#open) connection.beat(now)
    }, this.#options.heartbeatMs / 2)
  }

  #forget (connection: OpenStream): void {
    connection.closed()
    this.#open.delete(connection)
    if (this.#open.size > 0) return
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#heartbeat = null
    this.#onEmpty()
  }
}

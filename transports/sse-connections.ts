/* All Server-Sent Events connections of one plugin: one clock for all, and one end. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { atMost } from '../lib/at-most.ts'
import type { Opening } from '../lib/subscriptions.ts'
import { DialectConnection, type DialectTelling } from './dialects/connection.ts'
import type { EventStream } from './event-stream.ts'
import { SseConnection } from './sse.ts'

export interface SseOptions {
  /** A stream gets a comment after this much silence, in ms. */
  heartbeatMs: number
  /** A peer that takes no byte for this long is cut, in ms. */
  stallTimeoutMs: number
}

export class SseConnections {
  readonly #options: SseOptions
  readonly #open = new Set<Pick<EventStream<unknown>, 'beat' | 'closed' | 'destroy'>>()
  #heartbeat: NodeJS.Timeout | null = null
  #onEmpty: () => void = () => {}

  constructor (options: SseOptions) {
    this.#options = options
  }

  /**
   * Turns a response that is still connected into a stream that follows `opening`. It ends up to half of `heartbeatMs`
   * after `hasEnded` says so of the time, in ms since 1970. With `telling` it tells a run in a dialect.
   */
  open (response: ServerResponse, headers: OutgoingHttpHeaders, opening: Opening, hasEnded: (now: number) => boolean, telling: DialectTelling | null = null): void {
    const options = { stallTimeoutMs: this.#options.stallTimeoutMs, hasEnded }
    const connection = telling === null ? new SseConnection(response, headers, options) : new DialectConnection(response, headers, options, telling)
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

  #forget (connection: SseConnection | DialectConnection): void {
    connection.closed()
    this.#open.delete(connection)
    if (this.#open.size > 0) return
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#heartbeat = null
    this.#onEmpty()
  }
}

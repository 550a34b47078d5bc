/* All Server-Sent Events connections of one plugin: one heartbeat for all, and one end. */
import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { SseConnection } from './sse.ts'

export interface SseOptions {
  /** A stream gets a comment after this much silence, in ms. */
  heartbeatMs: number
  /** A peer that takes no byte for this long is cut, in ms. */
  stallTimeoutMs: number
}

export class SseConnections {
  readonly #options: SseOptions
  readonly #open = new Map<SseConnection, Promise<unknown>>()
  #heartbeat: NodeJS.Timeout | null = null

  constructor (options: SseOptions) {
    this.#options = options
  }

  /** Turns a response that is still connected into a stream. */
  open (response: ServerResponse, headers: OutgoingHttpHeaders): SseConnection {
    const connection = new SseConnection(response, headers, this.#options.stallTimeoutMs)
    this.#open.set(connection, once(response, 'close').then(() => this.#forget(connection)))
    this.#heartbeat ??= this.#startHeartbeat()
    return connection
  }

  /** Waits until every connection has sent what it was given, for at most `deadlineMs`; then cuts the rest. */
  async close (deadlineMs: number): Promise<void> {
    const deadline = setTimeout(() => {
      for (const connection of this.#open.keys()) connection.destroy()
    }, deadlineMs)
    await Promise.all(this.#open.values())
    clearTimeout(deadline)
  }

  #startHeartbeat (): NodeJS.Timeout {
    // A connection that was written to just after one beat is passed over by the next: half the period keeps the whole.
    return setInterval(() => {
      for (const connection of this.#open.keys()) connection.heartbeat()
    }, this.#options.heartbeatMs / 2)
  }

  #forget (connection: SseConnection): void {
    this.#open.delete(connection)
    if (this.#open.size > 0 || this.#heartbeat === null) return
    clearInterval(this.#heartbeat)
    this.#heartbeat = null
  }
}

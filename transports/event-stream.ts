/* One response that is an event stream: headers, what is written, silence, the end. What it says is for those who extend it. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Format } from '../lib/channel.ts'
import type { Frame } from '../lib/frames.ts'
import type { Sink, Subscriber } from '../lib/subscriber.ts'
import type { Opening } from '../lib/subscriptions.ts'
import { chunkSocket } from './shared-chunks.ts'

/** Above this much unsent the connection is full, and its reader goes back to reading the log at its own pace. */
const HIGH_WATER_BYTES = 256 * 1024
/** How long a client waits before it reconnects. */
const RETRY_MS = 1_000
// A comment without the blank line that would end a frame: some clients fire an empty message for that.
const HEARTBEAT = Buffer.from(':\n')

/** What every stream answers with, beside what the host set on the reply. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Proxies and compressors must pass each frame on at once, as it is.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff'
} as const

export interface EventStreamOptions {
  /** A peer that takes no byte for this long is cut, in ms; its cursor brings it back. */
  stallTimeoutMs: number
  /** Whether the stream is to end, at a time in ms since 1970. */
  hasEnded: (now: number) => boolean
}

// A peer that goes away while we write is ordinary; 'close' follows.
const ignore = (): void => {}

// Node's socket timer counts the bytes that the kernel takes, not those that we hand it. A quiet stream is no stall.
function cutIfStalled (this: Writable): void {
  if (this.writableLength > 0) this.destroy()
}

/** A connection over which a subscription is told. */
export abstract class EventStream<Chunk> implements Sink<Chunk> {
  abstract readonly format: Format<Chunk>
  readonly #response: ServerResponse
  /** Past the response, for chunks that are framed already; null if they must go through it. */
  protected readonly socket: Socket | null
  protected subscriber: Subscriber<Chunk> | null = null
  readonly #hasEnded: EventStreamOptions['hasEnded']
  /** Whether anything was written since the last look. */
  #active = true

  /** Sends the headers at once. */
  constructor (response: ServerResponse, headers: OutgoingHttpHeaders, { stallTimeoutMs, hasEnded }: EventStreamOptions) {
    this.#response = response
    this.#hasEnded = hasEnded
    response.on('error', ignore)
    response.setTimeout(stallTimeoutMs, cutIfStalled)
    response.writeHead(200, { ...headers, ...STREAM_HEADERS })
    response.flushHeaders()
    this.socket = chunkSocket(response)
    this.write(`retry: ${RETRY_MS}\n`)
  }

  abstract events (chunk: Chunk): boolean
  abstract frame (frame: Frame, cursor?: number): void

  /** Starts a subscription that lasts as long as the connection. */
  follow (opening: Opening): void {
    this.subscriber = opening.start(this)
  }

  /** The connection is gone. */
  closed (): void {
    this.subscriber?.close()
  }

  end (): void {
    this.#response.end()
  }

  /**
   * Keeps proxies from closing a stream that was silent since the last call; a socket that is still full gets nothing. Ends a
   * stream whose time is over: what it has not been given it gets again, once it comes back as somebody.
   */
  beat (now: number): void {
    const subscriber = this.subscriber
    if (subscriber !== null && this.#hasEnded(now)) subscriber.close({ kind: 'stream_closing', sessionId: subscriber.sessionId, retryMs: RETRY_MS })
    // The peer has ended the connection, and Node our side of it: what is not out yet would wait there for somebody to read it.
    else if (!this.#out().writable) this.destroy()
    else if (this.#active) this.#active = false
    else if (this.#response.writableLength === 0) this.write(HEARTBEAT)
  }

  /** Cuts the connection. A pipelined response that waits for its turn has no socket of its own to be cut by. */
  destroy (): void {
    const { req } = this.#response
    if (req.httpVersionMajor === 1) req.socket.destroy()
    else this.#response.destroy()
  }

  /** Writes events: false if the connection is full, and the subscriber is told once it has room again. */
  protected writeEvents (chunk: string | Buffer, out: ServerResponse | Socket = this.#response): boolean {
    if (this.write(chunk, out)) return true
    // Nothing more is given to us until then. The socket may serve another request by that time.
    out.once('drain', () => this.subscriber?.drained())
    return false
  }

  /** Writes also where the connection is full; false if it is. */
  protected write (chunk: string | Buffer, out: ServerResponse | Socket = this.#response): boolean {
    if (this.#response.writableEnded || this.#response.destroyed) return true
    if (!this.#out().writable) {
      this.destroy()
      return true
    }
    this.#active = true
    out.write(chunk)
    return this.#response.writableLength < HIGH_WATER_BYTES
  }

  #out (): ServerResponse | Socket {
    return this.socket ?? this.#response
  }
}

/* One response that is an event stream: headers, what is written, silence, the end. What it says is for those who extend it. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import type { Frame } from '../../lib/protocol/frames.ts'
import type { Format } from '../../lib/streams/channel.ts'
import type { Sink } from '../../lib/streams/sink.ts'
import type { Subscriber } from '../../lib/streams/subscriber.ts'
import type { Opening } from '../../lib/streams/subscriptions.ts'
import { ResponseWriter } from './response-writer.ts'

/** Above this much unsent the connection is full, and its reader goes back to reading the log at its own pace. */
const HIGH_WATER_BYTES = 256 * 1024
/** How long a client waits before it reconnects. */
const RETRY_MS = 1_000
// A comment without the blank line that would end a frame: some clients fire an empty message for that.
const HEARTBEAT = ':\n'

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
  protected readonly writer: ResponseWriter
  protected subscriber: Subscriber<Chunk> | null = null
  readonly #hasEnded: EventStreamOptions['hasEnded']
  /** Whether anything was written since the last look. */
  #active = true

  /** Sends the headers at once. */
  constructor (response: ServerResponse, headers: OutgoingHttpHeaders, { stallTimeoutMs, hasEnded }: EventStreamOptions) {
    this.#hasEnded = hasEnded
    response.on('error', ignore)
    response.setTimeout(stallTimeoutMs, cutIfStalled)
    this.writer = new ResponseWriter(response, { ...headers, ...STREAM_HEADERS })
    this.text(`retry: ${RETRY_MS}\n`)
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
    this.writer.end()
  }

  /**
   * Keeps proxies from closing a stream that was silent since the last call; a socket that is still full gets nothing. Ends a
   * stream whose time is over: what it has not been given it gets again, once it comes back as somebody.
   */
  beat (now: number): void {
    const { subscriber, writer } = this
    if (subscriber !== null && this.#hasEnded(now)) subscriber.close({ kind: 'stream_closing', sessionId: subscriber.sessionId, retryMs: RETRY_MS })
    // The peer has ended the connection, and Node our side of it: unsent bytes would wait there for good.
    else if (!writer.writable) writer.destroy()
    else if (this.#active) this.#active = false
    else if (writer.pending === 0) this.text(HEARTBEAT)
  }

  destroy (): void {
    this.writer.destroy()
  }

  /** Writes text of this stream alone, also where the connection is full; false if it is. */
  protected text (text: string): boolean {
    return this.#write(() => this.writer.text(text))
  }

  /** Writes events: false if the connection is full, and the subscriber is told once it has room again. */
  protected writeEvents (write: () => void): boolean {
    if (this.#write(write)) return true
    // Nothing more is given to us until then.
    this.writer.onceDrained(() => this.subscriber?.drained())
    return false
  }

  #write (write: () => void): boolean {
    const { writer } = this
    if (writer.over) return true
    if (!writer.writable) {
      writer.destroy()
      return true
    }
    this.#active = true
    write()
    return writer.pending < HIGH_WATER_BYTES
  }
}

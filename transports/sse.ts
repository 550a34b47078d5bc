/* Server-Sent Events: the frames (pure text), and one connection as a sink. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Format } from '../lib/channel.ts'
import type { StoredEvent } from '../lib/event.ts'
import type { Frame } from '../lib/frames.ts'
import type { Sink, Subscriber } from '../lib/subscriber.ts'
import type { Opening } from '../lib/subscriptions.ts'
import { chunkOf, chunkSocket } from './shared-chunks.ts'

/** Above this much unsent the connection is full, and its reader goes back to reading the log at its own pace. */
const HIGH_WATER_BYTES = 256 * 1024
/** How long EventSource waits before it reconnects. */
const RETRY_MS = 1_000
// A comment without the blank line that would end a frame: some clients fire an empty message for that.
const HEARTBEAT = Buffer.from(':\n')

/** What every stream answers with, beside what the host set on the reply. */
export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Proxies and compressors must pass each frame on at once, as it is.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff'
} as const

/** The frames of events: no `event:` line, so that one `onmessage` gets everything. JSON has no raw line break. */
export function eventFrames (events: readonly StoredEvent[]): string {
  let frames = ''
  for (const { seq, json } of events) frames += `id: ${seq}\ndata: ${json}\n\n`
  return frames
}

/** A gateway frame; with `cursor` it moves the client's Last-Event-ID. */
export function gatewayFrame (frame: Frame, cursor?: number): string {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`
  return `${id}data: ${JSON.stringify(frame)}\n\n`
}

// A peer that goes away while we write is ordinary; 'close' follows.
const ignore = (): void => {}

// Node's socket timer counts the bytes that the kernel takes, not those that we hand it. A quiet stream is no stall.
function cutIfStalled (this: Writable): void {
  if (this.writableLength > 0) this.destroy()
}

const plain: Format<Buffer> = { encode: (events) => Buffer.from(eventFrames(events)) }
const chunked: Format<Buffer> = { encode: (events) => chunkOf(eventFrames(events)) }

/** One response that streams. */
export class SseConnection implements Sink<Buffer> {
  readonly format: Format<Buffer>
  readonly #response: ServerResponse
  /** Where events go: the response, or past it to its socket. */
  readonly #out: ServerResponse | Socket
  #subscriber: Subscriber<Buffer> | null = null
  readonly #expiresAt: number
  /** Whether anything was written since the last look. */
  #active = true

  /** Sends the headers at once. A peer that takes no byte for `stallTimeoutMs` is cut; its cursor brings it back. */
  constructor (response: ServerResponse, headers: OutgoingHttpHeaders, { stallTimeoutMs, expiresAt }: { stallTimeoutMs: number, expiresAt: number | null }) {
    this.#response = response
    this.#expiresAt = expiresAt ?? Infinity
    response.on('error', ignore)
    response.setTimeout(stallTimeoutMs, cutIfStalled)
    response.writeHead(200, { ...headers, ...SSE_HEADERS })
    response.flushHeaders()
    const socket = chunkSocket(response)
    this.format = socket === null ? plain : chunked
    this.#out = socket ?? response
    this.#write(`retry: ${RETRY_MS}\n`)
  }

  /** Starts a subscription that lasts as long as the connection. */
  follow (opening: Opening): void {
    this.#subscriber = opening.start(this)
  }

  /** The connection is gone. */
  closed (): void {
    this.#subscriber?.close()
  }

  events (chunk: Buffer): boolean {
    if (this.#write(chunk, this.#out)) return true
    // Nothing more is given to us until then. The socket may serve another request by that time.
    this.#out.once('drain', () => this.#subscriber?.drained())
    return false
  }

  frame (frame: Frame, cursor?: number): void {
    // EventSource does not read frames, but it heeds this.
    if (frame.kind === 'stream_closing') this.#write(`retry: ${frame.retryMs}\n`)
    this.#write(gatewayFrame(frame, cursor))
  }

  end (): void {
    this.#response.end()
  }

  /**
   * Keeps proxies from closing a stream that was silent since the last call; a socket that is still full gets nothing. Ends a
   * stream whose time is over: what it has not been given it gets again, once it comes back as somebody.
   */
  beat (now: number): void {
    const subscriber = this.#subscriber
    if (now >= this.#expiresAt && subscriber !== null) subscriber.close({ kind: 'stream_closing', sessionId: subscriber.sessionId, retryMs: RETRY_MS })
    // The peer has ended the connection, and Node our side of it: what is not out yet would wait there for somebody to read it.
    else if (!this.#out.writable) this.destroy()
    else if (this.#active) this.#active = false
    else if (this.#response.writableLength === 0) this.#write(HEARTBEAT)
  }

  /** Cuts the connection. A pipelined response that waits for its turn has no socket of its own to be cut by. */
  destroy (): void {
    const { req } = this.#response
    if (req.httpVersionMajor === 1) req.socket.destroy()
    else this.#response.destroy()
  }

  #write (chunk: string | Buffer, out = this.#response as ServerResponse | Socket): boolean {
    if (this.#response.writableEnded || this.#response.destroyed) return true
    if (!this.#out.writable) {
      this.destroy()
      return true
    }
    this.#active = true
    out.write(chunk)
    return this.#response.writableLength < HIGH_WATER_BYTES
  }
}

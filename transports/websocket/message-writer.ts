/*
 * The one writer of a WebSocket's messages: all of ours go through it, in one order. Where it can it writes frames to the
 * socket of the library itself: they are made once for all who get them, where the library would frame them anew for each.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Format } from '../../lib/streams/channel.ts'
import { textFrames } from './frames.ts'

/** What one format makes of events: frames, or the texts for the library to frame. */
export type Messages = Buffer | readonly string[]

export interface MessageWriter {
  /** How events are encoded for `write`. */
  readonly format: Format<Messages>
  /** Bytes that the kernel has not taken yet. */
  readonly pending: number
  write (messages: Messages): void
  text (text: string): void
}

/** Events as frames. */
const FRAMES: Format<Buffer> = { encode: (events) => textFrames(events.map(({ json }) => json)) }
/** Events as texts. */
const TEXTS: Format<readonly string[]> = { encode: (events) => events.map(({ json }) => json) }

export interface MessageWriterOptions {
  /** A peer that takes no byte for this long is cut, in ms. */
  stallTimeoutMs: number
  /** Called when there is room again. */
  drained: () => void
}

/** A writer that goes past the library if that has the socket that we know, else through it. */
export function messageWriter (socket: WebSocket, options: MessageWriterOptions): MessageWriter {
  const out = socketOf(socket)
  return out === null ? new LibraryWriter(socket, options) : new SocketWriter(out, options)
}

class SocketWriter implements MessageWriter {
  readonly format = FRAMES
  readonly #out: Socket

  constructor (out: Socket, { stallTimeoutMs, drained }: MessageWriterOptions) {
    this.#out = out
    out.on('drain', drained)
    // Not as its second argument: that would listen only once, and a quiet spell would end the watch.
    out.setTimeout?.(stallTimeoutMs).on('timeout', cutIfStalled)
  }

  get pending (): number {
    return this.#out.writableLength
  }

  write (messages: Messages): void {
    this.#out.write(messages as Buffer)
  }

  text (text: string): void {
    this.#out.write(textFrames([text]))
  }
}

class LibraryWriter implements MessageWriter {
  readonly format = TEXTS
  readonly #socket: WebSocket
  readonly #options: MessageWriterOptions
  #stalled: NodeJS.Timeout | undefined
  #unsent = 0

  constructor (socket: WebSocket, options: MessageWriterOptions) {
    this.#socket = socket
    this.#options = options
    socket.on('close', () => clearTimeout(this.#stalled))
  }

  get pending (): number {
    return this.#socket.bufferedAmount
  }

  write (messages: Messages): void {
    for (const text of messages as readonly string[]) this.text(text)
  }

  text (text: string): void {
    this.#unsent++
    this.#stalled ??= setTimeout(() => this.#socket.terminate(), this.#options.stallTimeoutMs)
    this.#socket.send(text, () => this.#sent())
  }

  #sent (): void {
    this.#unsent--
    if (this.#unsent > 0) {
      this.#stalled?.refresh()
      return
    }
    clearTimeout(this.#stalled)
    this.#stalled = undefined
    this.#options.drained()
  }
}

/** The socket that the library writes to; null if it is not where it was in the versions that we know. */
function socketOf (socket: WebSocket): Socket | null {
  const { _socket: out } = socket as unknown as { _socket?: Partial<Socket> }
  return typeof out?.write === 'function' && typeof out.on === 'function' && typeof out.writableLength === 'number' ? out as Socket : null
}

// Node's socket timer counts the bytes that the kernel takes, not those that we hand it. A quiet socket is no stall.
function cutIfStalled (this: Socket): void {
  if (this.writableLength > 0) this.destroy()
}

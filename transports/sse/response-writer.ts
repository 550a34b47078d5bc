/*
 * The one writer of a streamed response: every byte after the head goes through it, so that their order does not depend on
 * when Node flushes. Where it can it writes chunks of HTTP/1.1 to the socket itself: they are framed once for all streams
 * that get them, where Node would frame them anew for each response and hand the kernel four pieces of each.
 */
import { type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** `text` as one chunk of HTTP/1.1. */
export function chunkOf (text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

export class ResponseWriter {
  readonly #response: ServerResponse
  /** Null if the bytes go through the response. */
  readonly #socket: Socket | null

  /** Sends the head at once. */
  constructor (response: ServerResponse, headers: OutgoingHttpHeaders) {
    const written = response.socket?.bytesWritten ?? 0
    response.writeHead(200, headers)
    response.flushHeaders()
    this.#response = response
    this.#socket = takesChunks(response, written) ? response.socket : null
  }

  /** Whether `write` takes chunks, made by `chunkOf`; else it takes the bare bytes. */
  get chunked (): boolean {
    return this.#socket !== null
  }

  /** False once the peer has ended the connection, or it was destroyed: nothing that is written arrives. */
  get writable (): boolean {
    return this.#out.writable
  }

  /** True once the response was ended or destroyed here. */
  get over (): boolean {
    return this.#response.writableEnded || this.#response.destroyed
  }

  /** Bytes that the kernel has not taken yet. */
  get pending (): number {
    return this.#out.writableLength
  }

  write (chunk: string | Buffer): void {
    this.#out.write(chunk)
  }

  text (text: string): void {
    // An empty chunk would be the end of the body.
    if (text !== '') this.write(this.chunked ? chunkOf(text) : text)
  }

  /** Calls `listener` when the connection has room again. */
  onceDrained (listener: () => void): void {
    this.#out.once('drain', listener)
  }

  end (): void {
    this.#response.end()
  }

  /** Cuts the connection. A pipelined response that waits for its turn has no socket of its own to be cut by. */
  destroy (): void {
    const { req } = this.#response
    if (req.httpVersionMajor === 1) req.socket.destroy()
    else this.#response.destroy()
  }

  get #out (): ServerResponse | Socket {
    return this.#socket ?? this.#response
  }
}

/**
 * Whether chunks may go to the socket of a response past it. Not over HTTP/2 or HTTP/1.0, while it waits behind another
 * response on its connection, if the host has replaced its `write`, or if its head has not reached the socket: `written` is
 * what the socket had taken before.
 */
function takesChunks (response: ServerResponse, written: number): boolean {
  const { chunkedEncoding, socket } = response
  return chunkedEncoding && response.write === ServerResponse.prototype.write && socket !== null && socket.bytesWritten > written
}

/*
 * Chunks of HTTP/1.1 that are framed once for all who get them, and go to the socket as they are, between what the response
 * writes there itself. Node would frame them anew for each response, and hand the kernel four pieces of each.
 */
import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** `text` as one chunk. */
export function chunkOf (text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

/**
 * The socket to which chunks of this response, whose headers were sent, may be written; null if they must go through it:
 * HTTP/2, HTTP/1.0, a response that waits behind another on its connection, or one whose `write` the host has replaced.
 */
export function chunkSocket (response: ServerResponse): Socket | null {
  return response.chunkedEncoding && response.write === ServerResponse.prototype.write ? response.socket : null
}

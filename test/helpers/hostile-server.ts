/* An HTTP server that answers each request with whatever a test wants, without end if need be, and counts. */
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A flood ends here, so that a client without bounds fails its test and does not exhaust the machine. */
const FLOOD_BYTES = 64 * 1024 * 1024

export interface HostileServer {
  url: string
  /** The URLs that were asked for. */
  asked: string[]
}

/** Answers each request by `answer`. Gone with the test. */
export async function hostileServer (t: Test, answer: RequestListener): Promise<HostileServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    request.resume()
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** Goes on with an answer that was begun: sends `piece` again and again, as fast as it is taken, until the client has gone. */
export function flood (response: ServerResponse, piece: string): void {
  let sent = 0
  const more = (): void => {
    while (!response.destroyed && sent < FLOOD_BYTES) {
      sent += piece.length
      if (!response.write(piece)) return
    }
    response.end()
  }
  response.on('drain', more)
  more()
}

/** Begins an event stream with `text`; it stays open. */
export function stream (response: ServerResponse, text = ''): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  if (text !== '') response.write(text)
  return response
}

/** Frames as they are on the wire. */
export function onWire (...frames: unknown[]): string {
  return frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')
}

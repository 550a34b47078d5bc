/* An HTTP server that a test answers for, request by request: nothing is answered unless the test says so. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { latch, type Latch } from './latch.ts'

/** One request, in the hands of the test. */
export class Asked {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  /** Its body, read to the end. */
  readonly text: string
  /** Resolves when the connection, or the answer, has ended. */
  readonly closed: Promise<unknown>

  constructor (request: IncomingMessage, response: ServerResponse, text: string) {
    this.#request = request
    this.#response = response
    this.text = text
    this.closed = once(response, 'close')
  }

  get url (): string { return this.#request.url! }
  get method (): string { return this.#request.method! }
  get headers (): IncomingMessage['headers'] { return this.#request.headers }

  /** Begins a stream, and sends frames. */
  stream (...frames: object[]): this {
    this.#response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    this.#response.flushHeaders()
    return this.send(...frames)
  }

  send (...frames: object[]): this {
    return this.write(...frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`))
  }

  /** Sends text as it is, in one piece. */
  write (...texts: string[]): this {
    this.#response.write(texts.join(''))
    return this
  }

  /** Whether the connection takes no more for now. */
  get isFull (): boolean { return this.#response.writableNeedDrain }

  /** Ends a stream as servers do. */
  end (): void {
    this.#response.end()
  }

  /** Cuts the connection, once what was sent is out. */
  cut (): void {
    const { socket } = this.#response
    if (this.#response.headersSent) this.#response.write('\n', () => socket?.destroy())
    else socket?.destroy()
  }

  answer (status: number, body: string | object = '', headers: Record<string, string> = {}): void {
    const [text, type] = typeof body === 'string' ? [body, 'text/html'] : [JSON.stringify(body), 'application/json']
    this.#response.writeHead(status, { 'content-type': type, ...headers }).end(text)
  }

  /** Answers with an error as the server writes it. */
  refuse (statusCode: number, code: string, more: object = {}): void {
    this.answer(statusCode, { statusCode, code, error: 'Refused', message: `refused: ${code}`, ...more })
  }
}

export class StreamServer {
  readonly #server: Server
  readonly #arrived: Asked[] = []
  readonly #wanted: Array<Latch<Asked>> = []

  private constructor () {
    this.#server = createServer((request, response) => { void this.#take(request, response) })
  }

  /** Gone with the test. */
  static async open (t: Test): Promise<StreamServer> {
    const server = new StreamServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    t.teardown(() => {
      server.#server.close()
      server.#server.closeAllConnections()
    })
    return server
  }

  get url (): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The next request that nobody has answered for. */
  next (): Promise<Asked> {
    const asked = this.#arrived.shift()
    if (asked !== undefined) return Promise.resolve(asked)
    const wanted = latch<Asked>()
    this.#wanted.push(wanted)
    return wanted.promise
  }

  /** How many requests wait to be answered for. */
  get waiting (): number {
    return this.#arrived.length
  }

  async #take (request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk as string
    const asked = new Asked(request, response, text)
    const wanted = this.#wanted.shift()
    if (wanted === undefined) this.#arrived.push(asked)
    else wanted.open(asked)
  }
}

/* Requests as bytes on a socket, for what no HTTP client would send. */
import { connect } from 'node:net'

/** What came back until the server closed, or until it was enough. */
export interface RawAnswer {
  /** Of the first answer; null if the server closed without one. */
  status: number | null
  head: string
  /** The body as it came, chunks and all. */
  body: string
  /** Whether it is a stream of events. */
  stream: boolean
}

export interface RawOptions {
  method?: string
  headers?: Array<[string, string]>
  body?: string | Buffer
  version?: string
}

/** A well-formed request but for what it is given; the server is asked to close after it. */
export function rawRequest (path: string, { method = 'GET', headers = [], body, version = '1.1' }: RawOptions = {}): Buffer {
  const length: Array<[string, string]> = body === undefined ? [] : [['content-length', String(Buffer.byteLength(body))]]
  const lines = [['host', 'localhost'], ['connection', 'close'], ...length, ...headers].map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n`), Buffer.from(body ?? '')])
}

export interface ExchangeOptions {
  /** Whether the client says that it has nothing more to send. */
  finish?: boolean
  /** Once this holds of what has come, the client leaves. */
  enough?: (text: string) => boolean
  /** A client that has not got its answer after so many ms leaves. Default: it waits for ever. */
  patienceMs?: number
}

/** Sends `bytes` to the server at `url`; resolves when the server has closed or the client has left. */
export function exchange (url: string, bytes: string | Buffer, { finish = false, enough = () => false, patienceMs }: ExchangeOptions = {}): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (enough(text)) socket.resetAndDestroy()
    })
    if (patienceMs !== undefined) socket.setTimeout(patienceMs, () => socket.resetAndDestroy())
    // A server that closes while it is still being sent to resets the connection.
    socket.on('error', () => {})
    socket.on('close', () => resolve(parse(text)))
    socket.write(bytes)
    if (finish) socket.end()
  })
}

function parse (text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]
  return { status: status === undefined ? null : Number(status), head, body: rest.join('\r\n\r\n'), stream: head.includes('content-type: text/event-stream') }
}

/* A WebSocket peer on bare TCP: the handshake by hand, any bytes after it, and everything that came back. */
import { connect, type Socket } from 'node:net'

export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const

export interface FrameOptions {
  opcode?: number
  fin?: boolean
  /** The reserved bits, as a number of 0 to 7. */
  rsv?: number
  masked?: boolean
  /** The length that is said, where it is not that of the payload. */
  declared?: number
}

/** One frame as clients send them, unless told otherwise. */
export function clientFrame (payload: string | Buffer = '', { opcode = OPCODE.TEXT, fin = true, rsv = 0, masked = true, declared }: FrameOptions = {}): Buffer {
  const data = Buffer.from(payload)
  const length = declared ?? data.length
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode
  head[1] = (masked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), data])
}

export interface HandshakeOptions {
  path?: string
  method?: string
  headers?: Record<string, string>
  /** Bytes in the same packet, right behind the handshake. */
  behind?: Buffer
}

/** A handshake as bytes; a header that is given as '' is left out. */
export function handshake ({ path = '/ws', method = 'GET', headers = {}, behind = Buffer.alloc(0) }: HandshakeOptions = {}): Buffer {
  const all = { host: 'localhost', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', ...headers }
  const lines = Object.entries(all).filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), behind])
}

export type Told = Record<string, unknown> & { kind: string }

export class RawSocket {
  readonly socket: Socket
  /** The status of the answer to the handshake, its head, and, if it was refused, what followed. */
  status: number | null = null
  head = ''
  body = ''
  /** The JSON of each message, in order. */
  readonly told: Told[] = []
  /** Pings that the server sent, and its answers to ours. */
  pings = 0
  pongs = 0
  /** Whether they are answered. */
  answersPings = true
  /** The code with which the server said goodbye. */
  closeCode: number | null = null
  closed = false
  #bytes = Buffer.alloc(0)
  #waiting: Array<() => void> = []

  constructor (url: string, bytes: Buffer) {
    this.socket = connect(Number(new URL(url).port), '127.0.0.1')
    this.socket.on('data', (chunk) => this.#take(chunk))
    // A server that cuts us resets the connection.
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.closed = true
      this.#notify()
    })
    this.socket.write(bytes)
  }

  /** Resolves once the server has answered the handshake; without one, once it has closed. */
  static async open (url: string, options: HandshakeOptions = {}): Promise<RawSocket> {
    const peer = new RawSocket(url, handshake(options))
    await peer.until(({ status, closed }) => status !== null || closed)
    return peer
  }

  get kinds (): string[] {
    return this.told.map(({ kind }) => kind)
  }

  /** The code of each refusal, or the kind of what is none. */
  get codes (): string[] {
    return this.told.map(({ kind, code }) => kind === 'protocol_error' ? String(code) : kind)
  }

  send (...bytes: Buffer[]): void {
    this.socket.write(Buffer.concat(bytes))
  }

  json (value: unknown): void {
    this.send(clientFrame(JSON.stringify(value)))
  }

  /** Resolves once `enough` holds; rejects if the connection ends before. */
  async until (enough: (peer: RawSocket) => boolean): Promise<this> {
    while (!enough(this)) {
      if (this.closed) throw new Error(`the connection ended after ${JSON.stringify(this.told)}, code ${this.closeCode}`)
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
    return this
  }

  /** What the server says to a message, up to the first of that kind. */
  async ask (value: unknown, kind = 'protocol_error'): Promise<Told> {
    const before = this.told.length
    this.json(value)
    await this.until(({ kinds }) => kinds.slice(before).includes(kind))
    return this.told.slice(before).find((each) => each.kind === kind)!
  }

  /** Resolves once a plain answer is there, by its length: the server may keep the connection for the next request. */
  async answered (): Promise<this> {
    return this.until(({ head, body, closed }) => closed || (head !== '' && Buffer.byteLength(body) >= Number(/^content-length: (\d+)/im.exec(head)?.[1])))
  }

  /** Resolves once the connection is gone, with the server's close code if it said one. */
  async gone (): Promise<number | null> {
    await this.until(({ closed }) => closed)
    return this.closeCode
  }

  /** Takes no byte from now on. */
  stall (): void {
    this.socket.pause()
  }

  /** Cuts the connection: no goodbye. */
  cut (): void {
    this.socket.destroy()
  }

  #take (chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    if (this.status === null && !this.#readHead()) return
    if (this.status === 101) while (this.#readFrame());
    else this.body = this.#bytes.toString()
    this.#notify()
  }

  #readHead (): boolean {
    const end = this.#bytes.indexOf('\r\n\r\n')
    if (end === -1) return false
    this.head = this.#bytes.subarray(0, end).toString()
    this.status = Number(this.head.split(' ')[1])
    this.#bytes = this.#bytes.subarray(end + 4)
    return true
  }

  #readFrame (): boolean {
    if (this.#bytes.length < 2) return false
    const short = this.#bytes[1]! & 0x7f
    const start = short === 126 ? 4 : short === 127 ? 10 : 2
    if (this.#bytes.length < start) return false
    const length = short === 126 ? this.#bytes.readUInt16BE(2) : short === 127 ? Number(this.#bytes.readBigUInt64BE(2)) : short
    if (this.#bytes.length < start + length) return false
    const payload = this.#bytes.subarray(start, start + length)
    const opcode = this.#bytes[0]! & 0x0f
    this.#bytes = this.#bytes.subarray(start + length)
    if (opcode === OPCODE.TEXT) this.told.push(JSON.parse(payload.toString()) as Told)
    if (opcode === OPCODE.CLOSE) this.#closing(payload)
    if (opcode === OPCODE.PONG) this.pongs++
    if (opcode === OPCODE.PING) {
      this.pings++
      if (this.answersPings) this.send(clientFrame(payload, { opcode: OPCODE.PONG }))
    }
    return true
  }

  /** Says goodbye too, as peers do. */
  #closing (payload: Buffer): void {
    this.closeCode = payload.length >= 2 ? payload.readUInt16BE() : 1005
    if (!this.socket.writableEnded) this.socket.end(clientFrame(payload, { opcode: OPCODE.CLOSE }))
  }

  #notify (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

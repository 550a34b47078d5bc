/*
 * A client that costs next to nothing: a bare socket that looks at `id:` lines only. It leaves the framing of HTTP chunks
 * in, which is right as long as no chunk ends inside such a line; then it would see a wrong seq and say so.
 */
import { connect, type Socket } from 'node:net'
import { Goal, type Reader } from './reader.ts'

const MARK = Buffer.from('\nid: ')
const LINE_BREAK = 10
const ZERO = 48
const NOTHING = Buffer.alloc(0)

export class SkimmingReader implements Reader {
  seq: number
  fault: string | null = null
  readonly #socket: Socket
  readonly #goal = new Goal()
  /** The frame that opens a stream has come. */
  #opened = false
  #onOpen: () => void = () => {}
  #rest: Buffer = NOTHING
  #closed = false

  private constructor (socket: Socket, after: number) {
    this.#socket = socket
    this.seq = after
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error.message))
    socket.on('close', () => this.#fail('the connection was closed'))
  }

  /** Resolves once the first frame of the stream has come; its id is the cursor, 0. */
  static open (port: number, path: string): Promise<SkimmingReader> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      const reader = new SkimmingReader(socket, 0)
      reader.#onOpen = () => reader.fault === null ? resolve(reader) : reject(new Error(reader.fault))
      socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`)
    })
  }

  reached (seq: number): Promise<void> {
    if (this.seq >= seq || this.fault !== null) return Promise.resolve()
    return this.#goal.set(seq)
  }

  close (): void {
    this.#closed = true
    // A reset leaves no port waiting: thousands of them would use them all up.
    this.#socket.resetAndDestroy()
  }

  #take (chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = bytes.indexOf(MARK)
    let read = 0
    while (at !== -1) {
      const end = bytes.indexOf(LINE_BREAK, at + MARK.length)
      if (end === -1) break
      this.#see(number(bytes, at + MARK.length, end))
      read = end
      at = bytes.indexOf(MARK, end)
    }
    const kept = at === -1 ? Math.max(read, bytes.length - MARK.length + 1) : at
    this.#rest = kept === bytes.length ? NOTHING : bytes.subarray(kept)
  }

  #see (seq: number): void {
    if (!this.#opened && seq === this.seq) {
      this.#opened = true
      this.#onOpen()
    } else if (this.#opened && seq === this.seq + 1) {
      this.seq = seq
      this.#goal.at(seq)
    } else {
      this.#fail(`${seq} came after ${this.seq}`)
    }
  }

  #fail (fault: string): void {
    if (this.#closed) return
    this.fault ??= fault
    this.#goal.giveUp()
    if (!this.#opened) this.#onOpen()
  }
}

function number (bytes: Buffer, start: number, end: number): number {
  let value = 0
  for (let index = start; index < end; index++) value = value * 10 + bytes[index]! - ZERO
  return value
}

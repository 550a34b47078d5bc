/*
 * A client that costs next to nothing: a bare socket that looks at `id:` lines only. It leaves the framing of HTTP chunks
 * in, which is right as long as no chunk ends inside such a line; then it would see a wrong seq and say so.
 */
import { connect, type Socket } from 'node:net'
import { Goal, type Reader } from './reader.ts'
import { STAMP_MARK, stampAge } from './stamp.ts'

const MARK = Buffer.from('\nid:')
const LINE_BREAK = 10
const ZERO = 48
const SPACE = 32
const NOTHING = Buffer.alloc(0)

export interface Skimming {
  /** The seq of the last event that it has: what it asks on from. Default 0. */
  after?: number
  /** Is told how old each event with a stamp was when it came, in µs. Default: nobody. */
  ages?: number[] | undefined
}

export class SkimmingReader implements Reader {
  seq: number
  fault: string | null = null
  readonly #socket: Socket
  readonly #goal = new Goal()
  readonly #ages: number[] | undefined
  /** The frame that opens a stream has come. */
  #opened = false
  #onOpen: () => void = () => {}
  #rest: Buffer = NOTHING
  #closed = false

  private constructor (socket: Socket, { after = 0, ages }: Skimming) {
    this.#socket = socket
    this.#ages = ages
    this.seq = after
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error.message))
    socket.on('close', () => this.#fail('the connection was closed'))
  }

  /** Resolves once the first frame of the stream has come; its id is the cursor. */
  static open (port: number, path: string, skimming: Skimming = {}): Promise<SkimmingReader> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      const reader = new SkimmingReader(socket, skimming)
      reader.#onOpen = () => reader.fault === null ? resolve(reader) : reject(new Error(reader.fault))
      const after = skimming.after === undefined ? '' : `last-event-id: ${skimming.after}\r\n`
      socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\n${after}\r\n`)
    })
  }

  reached (seq: number): Promise<void> {
    if (this.seq >= seq || this.fault !== null) return Promise.resolve()
    return this.#goal.set(seq)
  }

  /** Takes nothing more from the connection, until it is to go on. */
  pause (): void {
    this.#socket.pause()
  }

  goOn (): void {
    this.#socket.resume()
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
    const kept = this.#ages !== undefined ? Math.max(read, this.#age(bytes)) : at !== -1 ? at : Math.max(read, bytes.length - MARK.length + 1)
    this.#rest = kept === bytes.length ? NOTHING : bytes.subarray(kept)
  }

  /** Reads the stamps; answers where the last one ends. */
  #age (bytes: Buffer): number {
    let read = 0
    for (;;) {
      const at = bytes.indexOf(STAMP_MARK, read)
      const end = at === -1 ? -1 : bytes.indexOf(SPACE, at)
      if (end === -1) return read
      this.#ages!.push(stampAge(bytes, at + STAMP_MARK.length))
      read = end
    }
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
  // One space belongs to the frame.
  for (let index = bytes[start] === SPACE ? start + 1 : start; index < end && bytes[index]! >= ZERO; index++) value = value * 10 + bytes[index]! - ZERO
  return value
}

/* A client as clients are: it takes HTTP apart, and parses and checks every frame. */
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { Goal, type Reader } from './reader.ts'

export class ParsingReader implements Reader {
  seq = 0
  fault: string | null = null
  /** All that came, as it came. */
  readonly frames: string[] = []
  readonly #request: ClientRequest
  readonly #goal = new Goal()
  #onOpen: () => void = () => {}
  #rest = ''
  #closed = false

  private constructor (port: number, path: string) {
    this.#request = get({ port, path, host: '127.0.0.1', agent: false }, (response) => this.#read(response))
    this.#request.on('error', (error) => this.#fail(error.message))
  }

  /** Resolves once the first frame of the stream has come. */
  static open (port: number, path: string): Promise<ParsingReader> {
    return new Promise((resolve, reject) => {
      const reader = new ParsingReader(port, path)
      reader.#onOpen = () => reader.fault === null ? resolve(reader) : reject(new Error(reader.fault))
    })
  }

  reached (seq: number): Promise<void> {
    if (this.seq >= seq || this.fault !== null) return Promise.resolve()
    return this.#goal.set(seq)
  }

  close (): void {
    this.#closed = true
    this.#request.destroy()
  }

  #read (response: IncomingMessage): void {
    if (response.statusCode !== 200) this.#fail(`the answer was ${response.statusCode}`)
    response.setEncoding('utf8')
    response.on('data', (text: string) => this.#take(text))
    response.on('error', (error) => this.#fail(error.message))
    response.on('close', () => this.#fail('the connection was closed'))
  }

  #take (text: string): void {
    const frames = (this.#rest + text).split('\n\n')
    this.#rest = frames.pop()!
    for (const frame of frames) this.#see(`${frame}\n\n`)
  }

  #see (frame: string): void {
    this.frames.push(frame)
    if (this.frames.length === 1) return this.#onOpen()
    const { id, json } = partsOf(frame)
    if (json === undefined || id === undefined) return this.#fail(`a frame is not as it should be: ${frame}`)
    const { seq } = JSON.parse(json) as { seq: number }
    if (seq !== Number(id) || seq !== this.seq + 1) return this.#fail(`the event ${seq} came under ${id} after ${this.seq}`)
    this.seq = seq
    this.#goal.at(seq)
  }

  #fail (fault: string): void {
    if (this.#closed) return
    this.fault ??= fault
    this.#goal.giveUp()
    if (this.frames.length === 0) this.#onOpen()
  }
}

/** What stands in the lines of a frame: other packages have other orders of them. Nothing if there are others. */
export function partsOf (frame: string): { id?: string | undefined, json?: string | undefined } {
  if (!/^(?:(?:data|id|event):.*\n)+\n$/.test(frame)) return {}
  const { id } = /^id: ?(?<id>\d+)$/m.exec(frame)?.groups ?? {}
  const { json } = /^data: ?(?<json>.*)$/m.exec(frame)?.groups ?? {}
  return { id, json }
}

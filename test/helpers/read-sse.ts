/* A client over a real socket that keeps every frame of a stream, and can be cut or stalled. */
import { request, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Event } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'

/** One frame as it came: its id, if it had one, and its data. */
export interface SseFrame {
  id: string | undefined
  data: Event | Frame
}

export interface SseOptions {
  headers?: OutgoingHttpHeaders
  method?: string
  body?: string
}

export class SseClient {
  readonly frames: SseFrame[] = []
  /** The events, without the gateway's frames. */
  readonly events: Event[] = []
  readonly kinds: string[] = []
  /** Everything that arrived, byte for byte. */
  raw = ''
  readonly response: IncomingMessage
  readonly #request: ClientRequest
  #rest = ''
  #closed = false
  #waiting: Array<() => void> = []

  private constructor (request: ClientRequest, response: IncomingMessage) {
    this.#request = request
    this.response = response
    response.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    response.on('close', () => {
      this.#closed = true
      this.#notify()
    })
    response.on('error', () => {})
  }

  /** Opens a stream; resolves with its headers. */
  static open (url: string, { headers = {}, method = 'GET', body }: SseOptions = {}): Promise<SseClient> {
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method, headers, agent: false }, (response) => resolve(new SseClient(outgoing, response)))
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  get seqs (): number[] {
    return this.events.map(({ seq }) => seq)
  }

  /** The cursor that a browser would send now. */
  get lastEventId (): string | undefined {
    return this.frames.findLast(({ id }) => id !== undefined)?.id
  }

  /** Resolves once `enough` holds; rejects if the stream ends before. */
  async until (enough: (client: SseClient) => boolean): Promise<this> {
    while (!enough(this)) {
      if (this.#closed) throw new Error(`the stream ended after ${JSON.stringify(this.kinds)}`)
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
    return this
  }

  /** Resolves with the first frame of that kind. */
  async frame (kind: string): Promise<Event | Frame> {
    await this.until(({ kinds }) => kinds.includes(kind))
    return this.frames.find(({ data }) => data.kind === kind)!.data
  }

  /** Resolves once the server has sent so many comments. */
  async comments (count: number): Promise<void> {
    while (this.raw.split('\n:').length <= count) {
      if (this.#closed) throw new Error('the stream ended')
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
  }

  /** Resolves when the server has ended the stream. */
  async ended (): Promise<this> {
    while (!this.#closed) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    return this
  }

  /** Takes no byte from now on. */
  stall (): void {
    this.response.pause()
  }

  resume (): void {
    this.response.resume()
  }

  /** Cuts the connection as a lost network does: no goodbye. */
  cut (): void {
    this.#request.destroy()
  }

  #take (text: string): void {
    this.raw += text
    const parts = (this.#rest + text).split('\n\n')
    this.#rest = parts.pop()!
    for (const part of parts) {
      const lines = part.split('\n')
      const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n')
      if (data === '') continue
      const id = lines.find((line) => line.startsWith('id: '))?.slice(4)
      const item = JSON.parse(data) as Event | Frame
      this.frames.push({ id, data: item })
      this.kinds.push(item.kind)
      if ('seq' in item) this.events.push(item)
    }
    this.#notify()
  }

  #notify (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Posts JSON; answers status, headers and the parsed body. */
export async function postJson (url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  return { status: response.status, headers: response.headers, body: await response.json() as Record<string, unknown> }
}

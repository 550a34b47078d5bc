/* A client over a real WebSocket that keeps what it was sent, of each session and of all, and can be cut or stalled. */
import { connect, type Socket } from 'node:net'
import { type RawData, WebSocket } from 'ws'
import type { Event } from '../../lib/protocol/event.ts'
import type { Frame, SocketFrame } from '../../lib/protocol/frames.ts'
import type { ClientMessage } from '../../transports/websocket/client-messages.ts'
import { latch } from './latch.ts'

export type SocketMessage = Event | Frame | SocketFrame

/** What came, in order. */
export class Received {
  readonly frames: SocketMessage[] = []
  /** The events, without the gateway's frames. */
  readonly events: Event[] = []
  readonly kinds: string[] = []

  get seqs (): number[] {
    return this.events.map(({ seq }) => seq)
  }

  add (message: SocketMessage): void {
    this.frames.push(message)
    this.kinds.push(message.kind)
    if ('seq' in message) this.events.push(message)
  }
}

export interface SocketClientOptions {
  headers?: Record<string, string>
  /** Of the WebSocket. Default '/ws'. */
  path?: string
  /** Whether every byte is kept. Default: no. */
  raw?: boolean
}

export class SocketClient extends Received {
  readonly socket: WebSocket
  /** Of the connection's end, once there is none any more. 1006 = cut off. */
  readonly closed: Promise<{ code: number, reason: string }>
  readonly #tcp: Socket
  readonly #bytes: Buffer[] = []
  readonly #sessions = new Map<string, Received>()
  readonly #opened = latch()
  #over = false
  #waiting: Array<() => void> = []

  private constructor (url: string, { headers = {}, path = '/ws', raw = false }: SocketClientOptions) {
    super()
    const { hostname, port } = new URL(url)
    const tcp = this.#tcp = connect(Number(port), hostname)
    if (raw) tcp.on('data', (chunk) => this.#bytes.push(chunk))
    this.socket = new WebSocket(url.replace(/^http/, 'ws') + path, { headers, createConnection: () => tcp })
    this.socket.on('open', () => this.#opened.open())
    this.socket.on('message', (data) => this.#take(data))
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        this.#over = true
        this.#notify()
        resolve({ code, reason: reason.toString() })
      })
    })
  }

  /** Opens a WebSocket of the server at `url`; rejects if it is refused. */
  static async open (url: string, options: SocketClientOptions = {}): Promise<SocketClient> {
    const client = new SocketClient(url, options)
    const refused = new Promise<never>((_resolve, reject) => { client.socket.on('error', reject) })
    await Promise.race([client.#opened.promise, refused])
    return client
  }

  /** The same, following sessions from the cursors given. */
  static async follow (url: string, cursors: Record<string, number | 'latest'>, options: SocketClientOptions = {}): Promise<SocketClient> {
    return (await SocketClient.open(url, options)).subscribe(cursors)
  }

  /** Every byte that arrived, the handshake included. */
  get raw (): string {
    return Buffer.concat(this.#bytes).toString()
  }

  get localPort (): number | undefined {
    return this.#tcp.localPort
  }

  /** What came of one session. */
  session (sessionId: string): Received {
    let received = this.#sessions.get(sessionId)
    if (received === undefined) this.#sessions.set(sessionId, received = new Received())
    return received
  }

  send (...messages: ClientMessage[]): void {
    for (const message of messages) this.socket.send(JSON.stringify(message))
  }

  /** Sends messages in one piece, so that the server has them all at once. */
  sendTogether (...messages: ClientMessage[]): void {
    this.#tcp.cork()
    this.send(...messages)
    this.#tcp.uncork()
  }

  subscribe (cursors: Record<string, number | 'latest'>): this {
    this.send({ type: 'chat.subscribe', sessions: Object.entries(cursors).map(([sessionId, lastSeq]) => ({ sessionId, lastSeq })) })
    return this
  }

  /** Resolves once `enough` holds; rejects if the connection ends before. */
  async until (enough: (client: this) => boolean): Promise<this> {
    while (!enough(this)) {
      if (this.#over) throw new Error(`the connection ended after ${JSON.stringify(this.kinds.slice(-20))}`)
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
    return this
  }

  /** Resolves with the n-th frame of that kind, of one session or of all. */
  async frame (kind: string, sessionId?: string, n = 1): Promise<SocketMessage> {
    const received: Received = sessionId === undefined ? this : this.session(sessionId)
    const chosen = (): SocketMessage | undefined => received.frames.filter((frame) => frame.kind === kind)[n - 1]
    await this.until(() => chosen() !== undefined)
    return chosen()!
  }

  /** Resolves once the server has answered everything that was sent before. */
  async served (): Promise<void> {
    const sessionId = `served-${this.kinds.length}`
    this.send({ type: 'chat.unsubscribe', sessions: [{ sessionId }] })
    await this.frame('chat_unsubscribed', sessionId)
  }

  /** Takes no byte from now on. */
  stall (): void {
    this.socket.pause()
  }

  resume (): void {
    this.socket.resume()
  }

  /** Cuts the connection as a lost network does: no goodbye. */
  cut (): void {
    this.#tcp.destroy()
  }

  #take (data: RawData): void {
    const message = JSON.parse((data as Buffer).toString()) as SocketMessage
    this.add(message)
    if (message.sessionId !== undefined) this.session(message.sessionId).add(message)
    this.#notify()
  }

  #notify (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

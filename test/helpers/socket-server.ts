/* A server of WebSockets that a test answers for, message by message; what is asked over HTTP beside is in its hands, too. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { latch, type Latch } from './latch.ts'

/** What a client sent. */
export interface Told { type: string, requestId?: string, sessionId?: string, sessions?: Array<{ sessionId: string, lastSeq?: number | 'latest' }>, [field: string]: unknown }

/** One WebSocket of a client's, in the hands of the test. */
export class Peer {
  readonly #socket: WebSocket
  readonly #messages: Told[] = []
  readonly #wanted: Array<Latch<Told>> = []
  /** How many unsubscriptions of sessions that nobody has were answered. */
  probes = 0
  /** How many sessions it was told to leave. */
  unsubscriptions = 0
  /** Whether those are answered. */
  answersProbes = true
  readonly closed: Promise<unknown>

  constructor (socket: WebSocket) {
    this.#socket = socket
    this.closed = once(socket, 'close')
    socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString()) as Told))
  }

  /** The next message that is not an unsubscription: those are answered at once. */
  next (): Promise<Told> {
    const message = this.#messages.shift()
    if (message !== undefined) return Promise.resolve(message)
    const wanted = latch<Told>()
    this.#wanted.push(wanted)
    return wanted.promise
  }

  /** Takes a subscription; answers the cursors by session. */
  async subscribed (): Promise<Record<string, number | 'latest' | undefined>> {
    const { type, sessions } = await this.next()
    if (type !== 'chat.subscribe') throw new Error(`it sent ${type}`)
    return Object.fromEntries(sessions!.map(({ sessionId, lastSeq }) => [sessionId, lastSeq]))
  }

  /** Confirmations that wait for the test; null if none do. */
  held: object[] | null = null
  readonly #followed = new Set<string>()
  readonly #left = new Map<string, Latch>()

  /** Resolves once a session that was followed is unsubscribed. */
  unsubscribed (sessionId: string): Promise<void> {
    return this.#leaving(sessionId).promise
  }

  #leaving (sessionId: string): Latch {
    let left = this.#left.get(sessionId)
    if (left === undefined) this.#left.set(sessionId, left = latch())
    return left
  }

  send (...frames: object[]): this {
    for (const frame of frames) this.#socket.send(JSON.stringify(frame))
    return this
  }

  /** Sends what is no frame, as text, or as bytes. */
  text (text: string | Buffer): void {
    this.#socket.send(text)
  }

  close (code: number): void {
    this.#socket.close(code)
  }

  cut (): void {
    this.#socket.terminate()
  }

  #take (message: Told): void {
    for (const { sessionId } of message.sessions ?? []) {
      if (message.type === 'chat.subscribe') {
        this.#followed.add(sessionId)
        continue
      }
      this.unsubscriptions++
      const isProbe = sessionId.startsWith('probe-')
      if (isProbe) this.probes++
      if (this.#followed.delete(sessionId)) this.#leaving(sessionId).open()
      const confirmation = { kind: 'chat_unsubscribed', sessionId }
      if (this.held !== null) this.held.push(confirmation)
      else if (!isProbe || this.answersProbes) this.send(confirmation)
    }
    if (message.type === 'chat.unsubscribe') return
    const wanted = this.#wanted.shift()
    if (wanted === undefined) this.#messages.push(message)
    else wanted.open(message)
  }
}

export class SocketServer {
  readonly #server: Server
  readonly #arrived: Peer[] = []
  readonly #wanted: Array<Latch<Peer>> = []
  /** How many handshakes were asked for. */
  handshakes = 0
  /** What a handshake, or a request for it over HTTP, is refused with; null lets them in. */
  refusal: { status: number, body: string } | null = null

  private constructor () {
    const sockets = new WebSocketServer({ noServer: true })
    this.#server = createServer((_request, response) => {
      const { status, body } = this.refusal ?? { status: 426, body: '{"statusCode":426,"code":"UPGRADE_REQUIRED","message":"This is a WebSocket."}' }
      response.writeHead(status).end(body)
    })
    this.#server.on('upgrade', (request, socket, head) => {
      this.handshakes++
      if (this.refusal !== null) return socket.end(`HTTP/1.1 ${this.refusal.status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
      sockets.handleUpgrade(request, socket, head, (opened) => this.#take(new Peer(opened)))
    })
  }

  /** Gone with the test. */
  static async open (t: Test): Promise<SocketServer> {
    const server = new SocketServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    t.teardown(() => {
      server.#server.close()
      server.#server.closeAllConnections()
      for (const socket of server.#sockets) socket.cut()
    })
    return server
  }

  readonly #sockets = new Set<Peer>()

  get url (): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The next WebSocket. */
  next (): Promise<Peer> {
    const peer = this.#arrived.shift()
    if (peer !== undefined) return Promise.resolve(peer)
    const wanted = latch<Peer>()
    this.#wanted.push(wanted)
    return wanted.promise
  }

  #take (peer: Peer): void {
    this.#sockets.add(peer)
    const wanted = this.#wanted.shift()
    if (wanted === undefined) this.#arrived.push(peer)
    else wanted.open(peer)
  }
}

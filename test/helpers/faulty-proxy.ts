/* A proxy that treats each connection as its seed says, until it has done enough harm: for clients that come back by themselves. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { type Random, random } from './random.ts'

/** What happens to a connection; after so many bytes where it has begun. */
const STREAM_FAULTS = ['cut', 'cut', 'end', 'stall', 'silence', 'refuse', 'delay', 'pass'] as const
const POST_FAULTS = ['cut', 'lose', 'silence', 'refuse', 'delay', 'pass'] as const
const PAGE = '<!doctype html><h1>Somebody else</h1>'

type Fault = typeof STREAM_FAULTS[number] | typeof POST_FAULTS[number]

export class FaultyProxy {
  readonly #server: Server
  readonly #port: number
  readonly #numbers: Random
  readonly #sockets = new Set<Socket>()
  #faultsLeft: number
  readonly faults: Fault[] = []
  /** Whether all who follow have had a stream: from then on they forgive pages of somebody else's. */
  hasWorked = false
  /** Whether messages get through at all; what reads does not notice. */
  takesMessages = true

  private constructor (url: string, seed: number) {
    this.#port = Number(new URL(url).port)
    this.#numbers = random(seed)
    this.#faultsLeft = this.#numbers.below(12)
    this.#server = createServer((incoming, response) => { void this.#serve(incoming, response) })
    this.#server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => { void this.#upgrade(incoming, socket as Socket, head) })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {})
    })
  }

  /** A proxy in front of `url`; gone with the test. */
  static async open (t: Test, url: string, seed: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(url, seed)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    t.teardown(() => proxy.close())
    return proxy
  }

  get url (): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close (): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #fault (choices: readonly Fault[]): Fault {
    const fault = this.#faultsLeft > 0 ? this.#numbers.pick(choices) : 'pass'
    if (fault === 'pass') return fault
    this.#faultsLeft--
    this.faults.push(fault)
    return fault
  }

  async #serve (incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const isStream = incoming.url!.includes('/stream')
    if (!isStream && !this.takesMessages) {
      response.destroy()
      return
    }
    const fault = this.#fault(isStream ? STREAM_FAULTS : POST_FAULTS)
    const bytes = this.#numbers.below(3_000)
    const { pick, below } = this.#numbers
    if (fault === 'silence') return
    if (fault === 'refuse') {
      response.writeHead(pick(isStream && this.hasWorked ? [200, 404, 403, 502, 503] : [502, 503, 504]), { 'content-type': 'text/html' }).end(PAGE)
      return
    }
    if (fault === 'delay') await delay(below(20))
    const outgoing = request({ port: this.#port, host: '127.0.0.1', method: incoming.method, path: incoming.url, headers: incoming.headers, agent: false })
    response.on('close', () => outgoing.destroy())
    outgoing.on('error', () => response.destroy())
    outgoing.on('response', (answer) => {
      answer.on('error', () => response.destroy())
      // The server has done what it was asked for, and nobody hears of it.
      if (fault === 'lose') return response.destroy()
      response.writeHead(answer.statusCode!, answer.headers)
      response.flushHeaders()
      if (fault === 'cut' || fault === 'end' || fault === 'stall') return this.#passSome(answer, response, bytes, fault)
      answer.pipe(response)
    })
    incoming.pipe(outgoing)
  }

  #passSome (answer: IncomingMessage, response: ServerResponse, bytes: number, fault: Fault): void {
    let passed = 0
    answer.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, bytes - passed)
      passed += part.length
      if (part.length > 0) response.write(part)
      if (passed < bytes) return
      answer.pause()
      if (fault === 'cut') response.socket?.destroySoon()
      if (fault === 'end') response.end()
    })
    answer.on('end', () => response.end())
  }

  async #upgrade (incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const fault = this.#fault(['cut', 'cut', 'stall', 'silence', 'refuse', 'delay', 'pass'])
    const { below, pick } = this.#numbers
    let bytes = fault === 'cut' || fault === 'stall' ? below(3_000) : Infinity
    if (fault === 'silence') return
    if (fault === 'refuse') {
      socket.end(`HTTP/1.1 ${pick([404, 502, 503])} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
      return
    }
    if (fault === 'delay') await delay(below(20))
    const server = connect(this.#port, '127.0.0.1')
    const names = incoming.rawHeaders.map((text, index) => index % 2 === 0 ? `${text}: ` : `${text}\r\n`).join('')
    server.write(`GET ${incoming.url} HTTP/1.1\r\n${names}\r\n`)
    server.write(head)
    for (const [one, other] of [[socket, server], [server, socket]] as const) one.on('error', () => {}).on('close', () => other.destroy())
    socket.pipe(server)
    server.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, bytes)
      bytes -= part.length
      socket.write(part)
      if (bytes === 0 && fault === 'cut') socket.destroySoon()
    })
  }
}

/* A TCP proxy between a client and a server that breaks connections when the test says so. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import type { Test } from 'tap'
import { latch, type Latch } from './latch.ts'

/** Where the next connection breaks. */
interface Cut {
  text: Buffer
  done: Latch
}

export class CuttingProxy {
  readonly #server: Server
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  /** Those that carry a stream. */
  readonly #streaming = new Set<Socket>()
  #cut: Cut | null = null

  private constructor (port: number) {
    this.#port = port
    this.#server = createServer((client) => this.#join(client))
  }

  /** A proxy in front of `url`, gone with the test. */
  static async open (t: Test, url: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(Number(new URL(url).port))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    t.teardown(() => proxy.close())
    return proxy
  }

  /** Breaks all connections, and takes no more. */
  close (): void {
    this.#server.close()
    this.cut()
  }

  /** What clients connect to in place of the server. */
  get url (): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Breaks all connections, on both sides. New ones are taken. */
  cut (): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Of the streams and WebSockets that there are nothing passes any more, and no end: as when a network is gone. Browsers close what is idle then; new ones are served. */
  swallow (): void {
    for (const socket of this.#streaming) socket.pause().removeAllListeners('data').removeAllListeners('drain').removeAllListeners('close')
  }

  /**
   * Breaks all connections once the server sends `text`: what came before it and its first half pass, so that the
   * client is left with half a frame. Resolves when that has happened.
   */
  cutInside (text: string): Promise<void> {
    this.#cut = { text: Buffer.from(text), done: latch() }
    return this.#cut.done.promise
  }

  #join (client: Socket): void {
    const server = connect(this.#port, '127.0.0.1')
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('drain', () => other.resume())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#streaming.delete(socket)
        other.end()
      })
    }
    client.on('data', (chunk) => { if (!server.write(chunk)) client.pause() })
    this.#pass(server, client)
  }

  #pass (server: Socket, client: Socket): void {
    let before = Buffer.alloc(0)
    server.on('data', (chunk: Buffer) => {
      if (/text\/event-stream|101 Switching/.test(chunk.toString('latin1'))) for (const socket of [server, client]) this.#streaming.add(socket)
      const cut = this.#cut
      const seen = Buffer.concat([before, chunk])
      const at = cut === null ? -1 : seen.indexOf(cut.text)
      if (cut === null || at === -1) {
        // The text may come in two pieces.
        before = seen.subarray(cut === null ? seen.length : Math.max(0, seen.length - cut.text.length + 1))
        if (!client.write(chunk)) server.pause()
        return
      }
      this.#cut = null
      server.destroy()
      client.write(chunk.subarray(0, Math.max(0, at + (cut.text.length >> 1) - before.length)), () => {
        this.cut()
        cut.done.open()
      })
    })
  }
}

/* One session followed, over whichever transport: what every client of the protocol may rely on. */
import type { Event } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import { SocketClient, type SocketMessage } from './read-socket.ts'
import { SseClient } from './read-sse.ts'

/** One session's events and frames as they came; nothing of what a transport adds. */
export interface Follower {
  readonly frames: SocketMessage[]
  readonly events: Event[]
  readonly kinds: string[]
  readonly seqs: number[]
  /** Every byte that arrived. */
  readonly raw: string
  /** Resolves once `enough` holds; rejects if the connection ends before. */
  until: (enough: (follower: Follower) => boolean) => Promise<Follower>
  /** Resolves with the first frame of that kind. */
  frame: (kind: string) => Promise<SocketMessage>
  /** Resolves when nothing of the session follows any more: the server has ended the stream, or the subscription. */
  ended: () => Promise<Follower>
  /** Takes no byte from now on. */
  stall: () => void
  resume: () => void
  /** Cuts the connection as a lost network does: no goodbye. */
  cut: () => void
}

export interface Transport {
  readonly name: string
  /** Follows a session of the server at `url` after a cursor. */
  follow: (url: string, sessionId: string, after?: number | 'latest') => Promise<Follower>
}

const ENDS = ['stream_closing', 'session_deleted']

class SseFollower implements Follower {
  readonly #client: SseClient

  constructor (client: SseClient) {
    this.#client = client
  }

  get frames (): Array<Event | Frame> { return this.#client.frames.map(({ data }) => data) }
  get events (): Event[] { return this.#client.events }
  get kinds (): string[] { return this.#client.kinds }
  get seqs (): number[] { return this.#client.seqs }
  get raw (): string { return this.#client.raw }

  async until (enough: (follower: Follower) => boolean): Promise<this> {
    await this.#client.until(() => enough(this))
    return this
  }

  frame (kind: string): Promise<Event | Frame> { return this.#client.frame(kind) }

  async ended (): Promise<this> {
    await this.#client.ended()
    return this
  }

  stall (): void { this.#client.stall() }
  resume (): void { this.#client.resume() }
  cut (): void { this.#client.cut() }
}

class SocketFollower implements Follower {
  readonly #client: SocketClient
  readonly #sessionId: string

  constructor (client: SocketClient, sessionId: string) {
    this.#client = client
    this.#sessionId = sessionId
  }

  get frames (): SocketMessage[] { return this.#client.session(this.#sessionId).frames }
  get events (): Event[] { return this.#client.session(this.#sessionId).events }
  get kinds (): string[] { return this.#client.session(this.#sessionId).kinds }
  get seqs (): number[] { return this.#client.session(this.#sessionId).seqs }
  get raw (): string { return this.#client.raw }

  async until (enough: (follower: Follower) => boolean): Promise<this> {
    await this.#client.until(() => enough(this))
    return this
  }

  frame (kind: string): Promise<SocketMessage> { return this.#client.frame(kind, this.#sessionId) }

  async ended (): Promise<this> {
    // Cut off, or told; the socket goes on, and what were sent behind that would be before the answer to this.
    await Promise.race([this.#client.closed, this.until(({ kinds }) => ENDS.includes(kinds.at(-1) ?? '')).catch(() => {})])
    await Promise.race([this.#client.closed, this.#client.served().catch(() => {})])
    return this
  }

  stall (): void { this.#client.stall() }
  resume (): void { this.#client.resume() }
  cut (): void { this.#client.cut() }
}

export const SSE: Transport = {
  name: 'SSE',
  follow: async (url, sessionId, after = 0) => new SseFollower(await SseClient.open(`${url}/sessions/${sessionId}/stream?lastEventId=${after}`))
}

export const WEBSOCKET: Transport = {
  name: 'WebSocket',
  follow: async (url, sessionId, after = 0) => new SocketFollower(await SocketClient.follow(url, { [sessionId]: after }, { raw: true }), sessionId)
}

export const TRANSPORTS = [SSE, WEBSOCKET]

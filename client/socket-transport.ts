/* Sessions followed and steered over the client's one WebSocket. */
import type { CompleteEvent } from '../lib/protocol/event.ts'
import type { SocketFrame } from '../lib/protocol/frames.ts'
import type { AbortedFrame, AcceptedFrame, PermissionDecision, StartedRun } from '../lib/protocol/words.ts'
import { AGAIN, type Attempt, type Connect } from './following.ts'
import type { RetryOptions } from './options.ts'
import { repeated } from './repeated.ts'
import type { SharedSocket } from './shared-socket.ts'
import type { SocketConnection } from './socket-connection.ts'
import { type Message, namesAny, type StopTarget, type Transport } from './transport.ts'

/** Characters of a message from which on it is posted: the server takes only so much over a WebSocket. */
const LONG = 64 * 1024

export interface SocketTransportOptions {
  socket: SharedSocket
  /** For what the socket cannot do. */
  http: Transport
  retry: RetryOptions | undefined
  /** Aborts when the client is closed. */
  closed: AbortSignal
}

export class SocketTransport implements Transport {
  readonly #options: SocketTransportOptions
  #asked = 0

  constructor (options: SocketTransportOptions) {
    this.#options = options
  }

  connect (sessionId: string): Connect {
    const { socket, http } = this.#options
    const streamed = http.connect(sessionId)
    return async function * (attempt) {
      const { connection, release } = await socket.acquire(attempt.signal)
      try {
        // A socket follows each session once; a second follower has a stream of its own.
        // Somebody asks for another connection: this one may be dead.
        attempt.signal.addEventListener('abort', () => { if (attempt.signal.reason === AGAIN) connection.probe() }, { once: true })
        yield * connection.follows(sessionId) ? streamed(attempt) : frames(connection, sessionId, attempt)
      } finally {
        release()
      }
    }
  }

  async send (sessionId: string, message: Message, idempotencyKey: string, signal: AbortSignal | undefined): Promise<StartedRun> {
    const asked = { type: 'chat.send', sessionId, ...message, idempotencyKey, requestId: this.#requestId() }
    if (isLong(asked)) return this.#options.http.send(sessionId, message, idempotencyKey, signal)
    const answer = await this.#ask(asked, true, signal)
    const { runId, cursor, status } = answer as AcceptedFrame
    return { sessionId, runId, cursor, status }
  }

  async abort (sessionId: string, target: StopTarget, signal: AbortSignal | undefined): Promise<CompleteEvent | null> {
    const answer = await this.#ask({ type: 'chat.abort', sessionId, ...target, requestId: this.#requestId() }, namesAny(target), signal)
    return (answer as AbortedFrame).complete
  }

  async approve (sessionId: string, requestId: string, decision: PermissionDecision, signal: AbortSignal | undefined): Promise<void> {
    const asked = { type: 'chat.permission-response', sessionId, requestId, ...decision }
    if (isLong(asked)) return this.#options.http.approve(sessionId, requestId, decision, signal)
    await this.#ask(asked, true, signal)
  }

  /** A name for a message: none that an approval could have. */
  #requestId (): string {
    return `#${++this.#asked}`
  }

  #ask (message: { type: string, requestId: string, [field: string]: unknown }, mayRepeat: boolean, signal: AbortSignal | undefined): Promise<SocketFrame> {
    const { socket, retry, closed } = this.#options
    return repeated(async (stop) => {
      const { connection, release } = await socket.acquire(stop)
      try {
        return await connection.ask(message, stop)
      } finally {
        release()
      }
    }, { mayRepeat, retry, signal, closed })
  }
}

function isLong (message: object): boolean {
  return JSON.stringify(message).length >= LONG
}

/** What comes of a session after a cursor. Of what nobody takes no more is kept than there is room for: the rest is asked for later. */
async function * frames (connection: SocketConnection, sessionId: string, attempt: Attempt): AsyncGenerator {
  const { signal } = attempt
  // A buffer that was filled without a new event ends the connection, so that the back-off applies.
  for (let before: Attempt['cursor'] | null = null; !signal.aborted && before !== attempt.cursor;) {
    before = attempt.cursor
    const buffer = connection.follow(sessionId, before)
    const leave = (): void => connection.unfollow(sessionId, buffer)
    signal.addEventListener('abort', leave)
    try {
      yield * buffer.frames()
    } finally {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }
}

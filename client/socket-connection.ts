/*
 * One WebSocket from its handshake to its end: which session a frame is of, and which message an answer is to. It is never
 * made anew: its users ask for another.
 */
import type { Event } from '../lib/protocol/event.ts'
import type { Frame, SocketFrame } from '../lib/protocol/frames.ts'
import type { ProtocolErrorFrame } from '../lib/protocol/words.ts'
import { tooLarge } from './bounds.ts'
import { RunsClientError } from './errors.ts'
import { FrameBuffer } from './frame-buffer.ts'
import { newIdempotencyKey } from './idempotency-key.ts'
import { isObject } from './known-frame.ts'
import type { WebSocketConstructor, WebSocketLike } from './options.ts'
import { toldError } from './told-error.ts'
import { onWake } from './wake.ts'

/** What the server may close with that coming back does not change. */
const FINAL: Partial<Record<number, () => RunsClientError>> = {
  1008: () => new RunsClientError('TOO_MANY_MESSAGES', 'The server has closed the WebSocket, as the client sent more than it may.'),
  4401: () => new RunsClientError('UNAUTHENTICATED', 'The client\'s identity has expired.')
}
/** Of these the peer must be heard within the idle timeout: silence, a question, and its answer. */
const LOOKS = 3
/** A peer that is asked whether it is there must answer within this, in ms. */
const PROBE_MS = 5_000

/** How ws says that a message is longer than `maxPayload`. */
const TOO_LARGE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

export interface SocketConnectionOptions {
  WebSocket: WebSocketConstructor
  url: string
  idleTimeoutMs: number
  maxResponseBytes: number
  /** Called when the server has answered something, or brought an event: it is of use. */
  served: () => void
  /** Called once, when it has ended, or could not be opened; not if it was closed. `heldMs` is how long it was open; null = never. */
  ended: (heldMs: number | null) => void
}

/** An answer that somebody waits for. */
interface Waiting {
  requestId: string
  resolve: (answer: SocketFrame) => void
  reject: (error: RunsClientError) => void
}

/** A session of which something may come. */
interface Followed {
  /** Where it goes; null if nobody wants it. */
  buffer: FrameBuffer | null
  /** How many of our unsubscriptions are not confirmed yet: until they are, what comes is of a subscription that is over. */
  fences: number
}

export class SocketConnection {
  /** Resolves when it is open; rejects with what became of it otherwise. */
  readonly opened: Promise<void>
  readonly #socket: WebSocketLike
  readonly #options: SocketConnectionOptions
  readonly #sessions = new Map<string, Followed>()
  readonly #waiting: Waiting[] = []
  readonly #looking: ReturnType<typeof setInterval>
  readonly #forgetWakes: () => void
  /** A session that nobody has: that we do not follow it is an answer, and so a sign of life. */
  readonly #nobodys = `probe-${newIdempotencyKey()}`
  #silentLooks = 0
  /** How many messages have come. */
  #heard = 0
  #probing: ReturnType<typeof setTimeout> | null = null
  #openedAt: number | null = null
  #error: RunsClientError | null = null
  #settleOpened!: (error: RunsClientError | null) => void

  /** Connects. */
  constructor (options: SocketConnectionOptions) {
    const { WebSocket, url, idleTimeoutMs, maxResponseBytes } = this.#options = options
    this.opened = new Promise((resolve, reject) => { this.#settleOpened = (error) => error === null ? resolve() : reject(error) })
    this.opened.catch(() => {})
    // React Native's WebSocket warns of options that it does not know.
    const isWs = 'terminate' in (WebSocket as { prototype: object }).prototype
    const socket = this.#socket = isWs ? new WebSocket(url, undefined, { maxPayload: maxResponseBytes }) : new WebSocket(url)
    socket.onopen = () => {
      this.#silentLooks = 0
      this.#openedAt = performance.now()
      this.#settleOpened(null)
    }
    socket.onmessage = ({ data }: { data: unknown }) => this.#take(data)
    // Every other error is followed by 'close'.
    socket.onerror = ({ error }: { error?: { code?: unknown } | null }) => { if (error?.code === TOO_LARGE) this.#end(this.#tooLarge()) }
    socket.onclose = ({ code }: { code: number }) => this.#end(FINAL[code]?.() ?? new RunsClientError('NETWORK', `The WebSocket is closed (${code}).`))
    this.#looking = setInterval(() => this.#look(), idleTimeoutMs / LOOKS)
    this.#forgetWakes = onWake(() => this.probe())
  }

  /** Whether a session is followed: once is as often as a WebSocket can. */
  follows (sessionId: string): boolean {
    return this.#sessions.get(sessionId)?.buffer?.isOpen === true
  }

  /** Follows a session after a cursor, until `unfollow`, or its buffer ends. */
  follow (sessionId: string, cursor: number | 'latest'): FrameBuffer {
    const buffer = new FrameBuffer()
    if (this.#error !== null) {
      buffer.end(this.#error)
      return buffer
    }
    // A message that was sent here follows its session, too: where that ends, ours begins.
    this.#fence(sessionId, buffer)
    this.#send({ type: 'chat.subscribe', sessions: [{ sessionId, lastSeq: cursor }] })
    return buffer
  }

  /** Nobody takes anything of `buffer` any more. Idempotent. */
  unfollow (sessionId: string, buffer: FrameBuffer): void {
    buffer.discard()
    if (this.#error === null && this.#sessions.get(sessionId)?.buffer === buffer) this.#fence(sessionId, null)
  }

  /** Sends a message; resolves with its answer. Rejects with the error that is the answer, or that ended the connection; with nothing if `signal` aborts. */
  async ask (message: { type: string, requestId: string }, signal: AbortSignal): Promise<SocketFrame> {
    if (this.#error !== null) throw this.#error
    return new Promise<SocketFrame>((resolve, reject) => {
      const waiting: Waiting = { requestId: message.requestId, resolve, reject }
      this.#waiting.push(waiting)
      // Its place in the order stays: the answer comes all the same.
      signal.addEventListener('abort', () => reject(new RunsClientError('CLOSED', 'Nobody waits for the answer any more.')), { once: true })
      this.#send(message)
    })
  }

  /** Asks whether the peer is still there; without an answer soon the connection ends. */
  probe (): void {
    if (this.#error !== null || this.#openedAt === null || this.#probing !== null) return
    const heard = this.#heard
    this.#ask()
    this.#probing = setTimeout(() => {
      this.#probing = null
      if (this.#heard === heard) this.#end(new RunsClientError('NETWORK', `The server gave no answer for ${PROBE_MS} ms.`))
    }, PROBE_MS)
  }

  /** Says goodbye, and does not wait for an answer. Idempotent. */
  close (): void {
    this.#finish(new RunsClientError('CLOSED', 'The WebSocket is not needed any more.'))
  }

  #send (message: object): void {
    this.#socket.send(JSON.stringify(message))
  }

  /** Frames of a session that are received before its confirmation are dropped; those behind it go to `buffer`. */
  #fence (sessionId: string, buffer: FrameBuffer | null): void {
    const fences = this.#sessions.get(sessionId)?.fences ?? 0
    this.#sessions.set(sessionId, { buffer, fences: fences + 1 })
    this.#send({ type: 'chat.unsubscribe', sessions: [{ sessionId }] })
  }

  #take (data: unknown): void {
    if (this.#error !== null) return
    this.#silentLooks = 0
    this.#heard++
    if (typeof data === 'string' && data.length > this.#options.maxResponseBytes) return this.#end(this.#tooLarge())
    const frame = parsed(data)
    if (frame === null) return this.#end(badFrame())
    switch (frame.kind) {
      case 'chat_unsubscribed':
        return this.#unfenced(frame.sessionId)
      case 'chat_accepted':
      case 'chat_aborted':
      case 'permission_accepted':
        return this.#accepted(frame)
      case 'protocol_error':
        return this.#refused(frame)
      default:
        return this.#followed(frame, (data as string).length)
    }
  }

  #tooLarge (): RunsClientError {
    return tooLarge('A message of the WebSocket', this.#options.maxResponseBytes)
  }

  #unfenced (sessionId: string): void {
    const followed = this.#sessions.get(sessionId)
    if (followed === undefined || followed.fences === 0) return
    followed.fences--
    if (followed.fences === 0 && followed.buffer === null) this.#sessions.delete(sessionId)
  }

  /** Takes out who waits for the next answer of that name. */
  #answered (requestId: string | undefined): Waiting | undefined {
    const index = this.#waiting.findIndex((waiting) => waiting.requestId === requestId)
    if (index === -1) return undefined
    this.#options.served()
    return this.#waiting.splice(index, 1)[0]
  }

  #accepted (frame: Exclude<SocketFrame, ProtocolErrorFrame>): void {
    const waiting = this.#answered('requestId' in frame ? frame.requestId : undefined)
    if (waiting === undefined) return
    // The server subscribes a socket that sends to the session; leave it if it is not followed here.
    if (frame.kind === 'chat_accepted' && !this.follows(frame.sessionId)) this.#fence(frame.sessionId, null)
    waiting.resolve(frame)
  }

  #refused ({ code, error: message, requestId, sessionId, runId, retryAfter }: ProtocolErrorFrame): void {
    const error = toldError({ code, message, runId, retryAfter, sessionId, statusCode: null })
    if (error === null) return this.#end(badFrame())
    if (requestId !== undefined) return this.#answered(requestId)?.reject(error)
    // What is about nothing that we know of is about all; the server closes, or we have said what it does not understand.
    if (sessionId === undefined) return this.#end(new RunsClientError(code, message))
    const followed = this.#sessions.get(sessionId)
    if (followed?.fences === 0) followed.buffer?.end(error)
  }

  #followed (frame: Event | Frame, size: number): void {
    const followed = this.#sessions.get(frame.sessionId)
    if (followed === undefined || followed.buffer === null || followed.fences > 0) return
    if ('seq' in frame) this.#options.served()
    // Where there is no room for more the server goes on, until it is told.
    if (!followed.buffer.push(frame, size)) this.#fence(frame.sessionId, null)
  }

  #look (): void {
    if (++this.#silentLooks >= LOOKS) this.#end(new RunsClientError('NETWORK', 'Nothing came over the WebSocket for too long.'))
    else if (this.#silentLooks === LOOKS - 1) this.#ask()
  }

  #ask (): void {
    try {
      this.#send({ type: 'chat.unsubscribe', sessions: [{ sessionId: this.#nobodys }] })
    } catch {
      // It is not open yet: then that is what takes too long.
    }
  }

  #end (error: RunsClientError): void {
    if (this.#error !== null) return
    this.#finish(error)
    // A peer that broke the protocol may ignore the closing handshake, and go on sending.
    this.#socket.terminate?.()
    this.#options.ended(this.#openedAt === null ? null : performance.now() - this.#openedAt)
  }

  #finish (error: RunsClientError): void {
    if (this.#error !== null) return
    this.#error = error
    clearInterval(this.#looking)
    if (this.#probing !== null) clearTimeout(this.#probing)
    this.#forgetWakes()
    this.#settleOpened(error)
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null
    this.#socket.close()
    for (const { buffer } of this.#sessions.values()) buffer?.end(error)
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

function parsed (data: unknown): Event | Frame | SocketFrame | null {
  try {
    const value: unknown = typeof data === 'string' ? JSON.parse(data) : null
    return isObject(value) && typeof value['kind'] === 'string' ? value as unknown as Event : null
  } catch {
    return null
  }
}

function badFrame (): RunsClientError {
  return new RunsClientError('BAD_FRAME', 'The server sent what is no frame.')
}

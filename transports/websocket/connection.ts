/*
 * One WebSocket: serves the messages of each session in their order, a few sessions at a time, reads no more while those
 * are served, and ends when its peer is silent, stalled or abusive, or its time is over.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import type { Logger } from '../../lib/common/logger.ts'
import { endTurn, isTurnLong } from '../../lib/common/turn.ts'
import { hasCode, isRunsError, runsError, type RunsError, wireCode } from '../../lib/protocol/errors.ts'
import type { Frame, SocketFrame } from '../../lib/protocol/frames.ts'
import type { Limits } from '../../lib/protocol/limits.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import type { Format } from '../../lib/streams/channel.ts'
import { bySession, checkMessage, type ClientMessage, type Reference, referenceOf } from './client-messages.ts'
import { MessageBudget } from './message-budget.ts'
import { type Requester, serveMessage } from './message-handlers.ts'
import { type MessageWriter, messageWriter, type Messages } from './message-writer.ts'
import { SessionLanes } from './session-lanes.ts'
import type { Wire } from './subscription.ts'
import { SocketSubscriptions } from './subscriptions.ts'

/** Why we close, beside what the protocol itself has codes for (docs/PROTOCOL.md). */
export const CLOSE = { TOO_MANY_MESSAGES: 1008, RESTARTING: 1012, EXPIRED: 4401 } as const

/** Above this much unsent the socket is full, and what it follows goes back to reading the log at its own pace. */
const HIGH_WATER_BYTES = 256 * 1024
/** Messages that are served at once: those of one session may wait for a store, or for a run. */
const MAX_SERVED = 16
/** How long a peer may take to say goodbye too, in ms. */
const GOODBYE_MS = 500
/** How much longer than an idle peer one may take to answer a ping that takes what it is sent. */
const BUSY_PATIENCE = 4
/** When the client of a socket that has expired may come back, in ms. */
const RETRY_MS = 1_000

/** Who opened a socket. */
export interface SocketRequester extends Requester {
  /** Whether their identity has ended, at a time in ms since 1970. */
  hasEnded: (now: number) => boolean
  /** Reads JSON; throws if it is none. */
  parse: (text: string) => unknown
  log: Logger
}

export interface SocketOptions {
  /** A silent peer is asked for a sign of life this often, in ms. */
  heartbeatMs: number
  /** A peer that takes no byte, or gives no sign of life, for this long is cut, in ms. */
  stallTimeoutMs: number
  limits: Limits
}

export class SocketConnection implements Wire {
  readonly #socket: WebSocket
  readonly #out: MessageWriter
  readonly #runs: RunRegistry
  readonly #requester: SocketRequester
  readonly #options: SocketOptions
  readonly #budget: MessageBudget
  readonly #subscriptions: SocketSubscriptions
  readonly #inbox: Array<{ data: Buffer, isBinary: boolean }> = []
  #working = false
  readonly #lanes = new SessionLanes()
  readonly #served = new Set<Promise<void>>()
  /** Called when there may be room for answers again, or never will be. */
  #relieved: () => void = () => {}
  /** The ping that was not answered yet, and when it, or the last, was sent. */
  #ping: string | null = null
  #pingedAt = performance.now()
  #goodbye: NodeJS.Timeout | undefined
  #closing = false

  /** Listens at once: what the peer sends right behind its handshake is not lost. `closed` is called when it is gone. */
  constructor (socket: WebSocket, runs: RunRegistry, requester: SocketRequester, options: SocketOptions, closed: () => void) {
    this.#socket = socket
    this.#out = messageWriter(socket, {
      stallTimeoutMs: options.stallTimeoutMs,
      drained: () => {
        this.#relieved()
        this.#subscriptions.proceed()
      }
    })
    this.#runs = runs
    this.#requester = requester
    this.#options = options
    this.#budget = new MessageBudget(options.limits.messagesPerSecond)
    this.#subscriptions = new SocketSubscriptions({
      wire: this,
      open: async (sessionId, after) => {
        const admit = await requester.authorize('read', sessionId)
        return runs.openSubscription({ sessionId, owner: requester.owner, after, until: null, admit })
      },
      refuse: (error, sessionId) => this.#refuse(error, { sessionId }),
      emptied: () => { if (this.#closing) this.restart() },
      limit: options.limits.subscriptionsPerSocket
    })
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
    // The library answers each by itself.
    socket.on('ping', () => this.#spend(1))
    socket.on('pong', (data) => { if (data.toString() === this.#ping) this.#ping = null })
    // A frame that breaks the protocol; the library has told the peer.
    socket.on('error', () => this.#end(1002, ''))
    socket.on('close', () => {
      clearTimeout(this.#goodbye)
      this.#relieved()
      this.#subscriptions.close()
      closed()
    })
  }

  get format (): Format<Messages> {
    return this.#out.format
  }

  get full (): boolean {
    return this.#out.pending >= HIGH_WATER_BYTES
  }

  /** Asks a peer for a sign of life; cuts one that gave none, and ends a socket whose time is over. */
  beat (): void {
    const { heartbeatMs, stallTimeoutMs } = this.#options
    if (this.#requester.hasEnded(Date.now())) return this.#expire()
    const silence = performance.now() - this.#pingedAt
    if (this.#ping === null) {
      if (silence < heartbeatMs || this.#socket.readyState !== this.#socket.OPEN) return
      // Not to be guessed: who answers it has read everything before it.
      this.#ping = Math.random().toString(36)
      this.#pingedAt = performance.now()
      this.#socket.ping(this.#ping)
    } else if (!this.#working && silence > stallTimeoutMs * (this.#out.pending > 0 ? BUSY_PATIENCE : 1)) {
      this.#socket.terminate()
    }
  }

  /** The server closes: says goodbye once the subscriptions, which it ends too, have written their last. */
  finish (): void {
    this.#closing = true
    if (this.#subscriptions.size === 0) this.restart()
  }

  /** Closes now with 1012: the client is to reconnect, to any instance. */
  restart (): void {
    this.#end(CLOSE.RESTARTING, 'restarting')
  }

  terminate (): void {
    this.#socket.terminate()
  }

  write (messages: Messages): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#out.write(messages)
  }

  tell (frame: Frame | SocketFrame): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#out.text(JSON.stringify(frame))
  }

  #receive (data: Buffer, isBinary: boolean): void {
    if (!this.#spend(1)) return
    this.#inbox.push({ data, isBinary })
    if (this.#working) this.#socket.pause()
    else void this.#work()
  }

  async #work (): Promise<void> {
    this.#working = true
    for (let message = this.#inbox.shift(); message !== undefined; message = this.#inbox.shift()) {
      // Who takes no answers is asked no more questions: they would pile up.
      if (this.full) await new Promise<void>((resolve) => { this.#relieved = resolve })
      if (this.#socket.readyState === this.#socket.OPEN) await this.#serve(message.data, message.isBinary)
      // A store may answer without waiting for anything.
      if (isTurnLong()) await endTurn()
    }
    this.#working = false
    this.#socket.resume()
  }

  /** Resolves when the next message may be served: mostly as soon as this one is, as a store that is near answers within the turn. */
  async #serve (data: Buffer, isBinary: boolean): Promise<void> {
    const served = this.#take(data, isBinary).finally(() => this.#served.delete(served))
    this.#served.add(served)
    await Promise.race([served, nextTurn()])
    if (this.#served.size >= MAX_SERVED) await Promise.race(this.#served)
  }

  async #take (data: Buffer, isBinary: boolean): Promise<void> {
    if (this.#requester.hasEnded(Date.now())) return this.#expire()
    let reference: Reference = {}
    try {
      if (isBinary) throw runsError('INVALID_MESSAGE', ['A message must be text.'])
      const value = this.#parse(data)
      reference = referenceOf(value)
      const message = checkMessage(value)
      await Promise.all(bySession(message).map(([sessionId, part]) => this.#lanes.do(sessionId, () => this.#do(part, reference))))
    } catch (error) {
      this.#refuse(error, reference)
      // Some twenty of these in a row are the end.
      if (hasCode(error, 'INVALID_MESSAGE') || hasCode(error, 'UNKNOWN_MESSAGE_TYPE')) this.#spend(this.#options.limits.messagesPerSecond)
    }
  }

  /** Never rejects. */
  async #do (message: ClientMessage, reference: Reference): Promise<void> {
    try {
      await serveMessage(message, this.#runs, this.#requester, this, this.#subscriptions)
    } catch (error) {
      this.#refuse(error, reference)
    }
  }

  #parse (data: Buffer): unknown {
    // Where the host's own server reads the socket, its limit holds; ours comes on top.
    if (data.length > this.#options.limits.socketMessageBytes) throw runsError('INVALID_MESSAGE', ['The message is too long.'])
    try {
      return this.#requester.parse(data.toString())
    } catch {
      throw runsError('INVALID_MESSAGE', ['A message must be JSON.'])
    }
  }

  /** Pays for what the client does; false if it cannot, and is cut off. */
  #spend (cost: number): boolean {
    if (this.#goodbye !== undefined) return false
    if (this.#budget.take(cost)) return true
    this.#refuse(runsError('TOO_MANY_MESSAGES'), {})
    this.#end(CLOSE.TOO_MANY_MESSAGES, 'too many messages')
    return false
  }

  #refuse (error: unknown, reference: Reference): void {
    const shown = this.#shown(error)
    const { message, runId, retryAfter } = shown
    this.tell({ kind: 'protocol_error', code: wireCode(shown), error: message, ...reference, ...(runId !== undefined && { runId }), ...(retryAfter !== undefined && { retryAfter }) })
  }

  #shown (error: unknown): RunsError {
    if (!isRunsError(error) || error.statusCode >= 500) this.#requester.log.error({ err: error }, 'a message of a WebSocket could not be served')
    return isRunsError(error) ? error : runsError('INTERNAL_ERROR')
  }

  #expire (): void {
    this.#subscriptions.finish((sessionId) => ({ kind: 'stream_closing', sessionId, retryMs: RETRY_MS }))
    this.#end(CLOSE.EXPIRED, 'expired')
  }

  /** Closes, and does not wait long for the peer to do the same. */
  #end (code: number, reason: string): void {
    if (this.#goodbye !== undefined) return
    this.#goodbye = setTimeout(() => this.#socket.terminate(), GOODBYE_MS)
    this.#socket.close(code, reason)
  }
}

/*
 * One session that a WebSocket follows. An object of its own: once it is over, because the session was unsubscribed or
 * subscribed to anew, it never writes again, whatever is still on its way.
 */
import type { Cursor } from '../../lib/protocol/cursor.ts'
import type { Frame, SocketFrame } from '../../lib/protocol/frames.ts'
import type { Format } from '../../lib/streams/channel.ts'
import type { Sink } from '../../lib/streams/sink.ts'
import type { Subscriber } from '../../lib/streams/subscriber.ts'
import type { Opening } from '../../lib/streams/subscriptions.ts'
import type { Messages } from './message-writer.ts'

/** When a client may come back to a session whose subscription broke, in ms. */
const RETRY_MS = 1_000

/** The WebSocket that subscriptions share. */
export interface Wire {
  /** Whether it can take no more events for now. */
  readonly full: boolean
  readonly format: Format<Messages>
  write (messages: Messages): void
  tell (frame: Frame | SocketFrame): void
}

/** What a subscription asks of its WebSocket's list of subscriptions. */
export interface SubscriptionHost {
  readonly wire: Wire
  open (subscription: SocketSubscription): Promise<Opening>
  /** The subscription wants to write more: its turn is to come once there is room. */
  wait (subscription: SocketSubscription): void
  /** The subscription has ended by itself. */
  ended (subscription: SocketSubscription): void
  /** It could not be opened. */
  refused (subscription: SocketSubscription, error: unknown): void
}

export class SocketSubscription implements Sink<Messages> {
  readonly format: Format<Messages>
  readonly sessionId: string
  /** Where the client wants to start. */
  readonly after: Cursor
  readonly #host: SubscriptionHost
  #subscriber: Subscriber<Messages> | null = null
  #over = false
  /** Whether the client knows that nothing follows. */
  #told = false
  /** Ends the turn. */
  #rest: () => void = () => {}

  constructor (sessionId: string, after: Cursor, host: SubscriptionHost) {
    this.sessionId = sessionId
    this.after = after
    this.#host = host
    this.format = host.wire.format
  }

  /** Whether where it starts is decided: `latest` is what is there when it opens. */
  get isOpen (): boolean {
    return this.#subscriber !== null
  }

  /** Opens, or goes on where the socket was full; resolves when it is live, or full again. */
  async turn (): Promise<void> {
    if (this.#over) return
    const rest = new Promise<void>((resolve) => { this.#rest = resolve })
    if (this.#subscriber === null) {
      const opening = await this.#open()
      if (opening === null) return
      // Checked right before it starts: nobody else would close it.
      if (this.#over) return opening.cancel()
      this.#subscriber = opening.start(this)
    } else {
      this.#subscriber.drained()
    }
    await rest
  }

  /** Writes nothing more. Idempotent. */
  close (): void {
    this.#over = true
    this.#subscriber?.close()
  }

  /** Ends with a frame, also where events are left. */
  finish (frame: Frame): void {
    if (this.#subscriber === null) this.close()
    else this.#subscriber.close(frame)
  }

  ready (): boolean {
    if (!this.#host.wire.full) return true
    this.#host.wait(this)
    return false
  }

  paused (): void {
    this.#rest()
  }

  events (chunk: Messages): boolean {
    if (this.#over) return true
    this.#host.wire.write(chunk)
    return this.ready()
  }

  frame (frame: Frame): void {
    if (this.#over) return
    this.#told ||= frame.kind === 'stream_closing' || frame.kind === 'session_deleted'
    this.#host.wire.tell(frame)
  }

  end (): void {
    if (this.#over) return
    this.#over = true
    // A stream of Server-Sent Events would break off here; a socket has to say so.
    if (!this.#told) this.#host.wire.tell({ kind: 'stream_closing', sessionId: this.sessionId, retryMs: RETRY_MS })
    this.#host.ended(this)
  }

  async #open (): Promise<Opening | null> {
    try {
      return await this.#host.open(this)
    } catch (error) {
      if (!this.#over) this.#host.refused(this, error)
      this.#over = true
      return null
    }
  }
}

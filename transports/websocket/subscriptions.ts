/* The sessions that one WebSocket follows, and whose turn it is to write where not all can at once. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Cursor, LATEST } from '../../lib/protocol/cursor.ts'
import { runsError } from '../../lib/protocol/errors.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import type { Opening } from '../../lib/streams/subscriptions.ts'
import { type SubscriptionHost, SocketSubscription, type Wire } from './subscription.ts'

export interface SocketSubscriptionsOptions {
  wire: Wire
  open: (sessionId: string, after: Cursor) => Promise<Opening>
  /** Tells the client why a session is not followed. */
  refuse: (error: unknown, sessionId: string) => void
  /** Called whenever the last subscription has ended by itself. */
  emptied: () => void
  /** How many sessions may be followed. */
  limit: number
}

export class SocketSubscriptions implements SubscriptionHost {
  readonly #options: SocketSubscriptionsOptions
  readonly #open = new Map<string, SocketSubscription>()
  /** Those that want to open, or to go on once there is room. */
  readonly #turns = new Set<SocketSubscription>()
  #turning = false
  /** The socket is gone; a message that it sent may still be served. */
  #closed = false

  constructor (options: SocketSubscriptionsOptions) {
    this.#options = options
  }

  get wire (): Wire {
    return this.#options.wire
  }

  get size (): number {
    return this.#open.size
  }

  /** Follows a session from a cursor on; in place of how it was followed before. */
  follow (sessionId: string, after: Cursor): void {
    if (this.#closed) return
    const replaced = this.#open.get(sessionId)
    if (replaced === undefined && this.#open.size >= this.#options.limit) {
      return this.#options.refuse(runsError('TOO_MANY_SUBSCRIBERS', ['socket']), sessionId)
    }
    this.unfollow(sessionId)
    const subscription = new SocketSubscription(sessionId, after, this)
    this.#open.set(sessionId, subscription)
    this.wait(subscription)
    this.proceed()
  }

  /** Sees to it that everything of a session after a cursor is written that was not before. */
  ensure (sessionId: string, after: number): void {
    const open = this.#open.get(sessionId)
    // What is the latest is decided when its turn comes; by then that may lie past the cursor.
    if (open === undefined || (open.after === LATEST && !open.isOpen)) this.follow(sessionId, after)
  }

  /** From here on nothing of the session is written. */
  unfollow (sessionId: string): void {
    const subscription = this.#open.get(sessionId)
    if (subscription === undefined) return
    subscription.close()
    this.#open.delete(sessionId)
    // A peer that reads nothing never gives it its turn.
    this.#turns.delete(subscription)
  }

  /** There may be room again. */
  proceed (): void {
    if (!this.#turning) void this.#takeTurns()
  }

  /** Ends each with a frame, also where events are left. */
  finish (frameFor: (sessionId: string) => Frame): void {
    for (const subscription of this.#open.values()) subscription.finish(frameFor(subscription.sessionId))
  }

  /** The socket is gone. */
  close (): void {
    this.#closed = true
    this.#turns.clear()
    for (const subscription of this.#open.values()) subscription.close()
    this.#open.clear()
  }

  open ({ sessionId, after }: SocketSubscription): Promise<Opening> {
    return this.#options.open(sessionId, after)
  }

  wait (subscription: SocketSubscription): void {
    this.#turns.add(subscription)
  }

  ended (subscription: SocketSubscription): void {
    if (this.#open.get(subscription.sessionId) === subscription) this.#open.delete(subscription.sessionId)
    if (this.#open.size === 0) this.#options.emptied()
  }

  refused (subscription: SocketSubscription, error: unknown): void {
    this.#options.refuse(error, subscription.sessionId)
    this.ended(subscription)
  }

  /** One after the other, while there is room: all at once would fill the socket many times over. */
  async #takeTurns (): Promise<void> {
    this.#turning = true
    for (const subscription of this.#turns) {
      if (this.wire.full) break
      this.#turns.delete(subscription)
      await subscription.turn()
      await nextTurn()
    }
    this.#turning = false
  }
}

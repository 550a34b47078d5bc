/* The channels of one process: a session has one while somebody follows it, and costs nothing when nobody does. */
import type { StoredEvent } from '../protocol/event.ts'
import { Channel } from './channel.ts'

export class Channels {
  readonly #open = new Map<string, { channel: Channel, users: number }>()
  #users = 0

  /** How many use all channels together. */
  get users (): number {
    return this.#users
  }

  /** The session's channel, if somebody follows it. */
  of (sessionId: string): Channel | undefined {
    return this.#open.get(sessionId)?.channel
  }

  /** How many use the session's channel. */
  usersOf (sessionId: string): number {
    return this.#open.get(sessionId)?.users ?? 0
  }

  /** The session's channel, to be released by each who acquired it. */
  acquire (sessionId: string): Channel {
    let entry = this.#open.get(sessionId)
    if (entry === undefined) this.#open.set(sessionId, entry = { channel: new Channel(sessionId), users: 0 })
    entry.users++
    this.#users++
    return entry.channel
  }

  release (channel: Channel): void {
    this.#users--
    const entry = this.#open.get(channel.sessionId)!
    if (--entry.users === 0) this.#open.delete(channel.sessionId)
  }

  /** Passes committed events to the session's subscribers. */
  publish (sessionId: string, events: StoredEvent[]): void {
    if (events.length > 0) this.#open.get(sessionId)?.channel.publish(events)
  }

  /** The store has events up to `seq`, published here or not. */
  advance (sessionId: string, seq: number): void {
    this.#open.get(sessionId)?.channel.advance(seq)
  }

  /** The sessions that somebody follows. */
  sessionIds (): string[] {
    return [...this.#open.keys()]
  }
}

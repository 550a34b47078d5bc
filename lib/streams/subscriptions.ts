/* Who follows what in this process: opens subscriptions, hands them committed events, ends them at shutdown. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../common/logger.ts'
import { Quota } from '../common/quota.ts'
import { type Cursor, LATEST } from '../protocol/cursor.ts'
import { hasCode, runsError } from '../protocol/errors.ts'
import type { StoredEvent } from '../protocol/event.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Owner, SessionState } from '../protocol/session.ts'
import type { GapFrame } from '../protocol/words.ts'
import type { Store } from '../store/store.ts'
import type { Channel } from './channel.ts'
import { Channels } from './channels.ts'
import { Queues } from './queues.ts'
import type { Sink } from './sink.ts'
import { Pages, type SharedPage } from './pages.ts'
import { Subscriber, type SubscriberHost, type SubscriberOptions } from './subscriber.ts'

/** How many sessions are looked up before others get their turn. */
const REFRESH_AT_ONCE = 200

export interface SubscriptionRequest {
  sessionId: string
  owner: Owner
  /** The client's cursor; null if what it sent is none. */
  after: Cursor | null
  /** Ends after the `complete` of a run: of this one, or the one that is running now, else of the latest. */
  until: { runId: string } | 'complete' | null
  /** What a session that did not exist when the client was admitted must pass before anything of it is delivered. */
  admit?: ((session: SessionState) => boolean | Promise<boolean>) | null
}

/** A subscription whose first frames are decided but not written. Must be started or cancelled. */
export interface Opening {
  /** The client has the `complete` that it asked for, and nothing is running. */
  readonly done: boolean
  start: <Chunk>(sink: Sink<Chunk>) => Subscriber<Chunk>
  cancel: () => void
}

/** Where and how a subscription begins, decided on one snapshot. */
interface Beginning {
  cursor: number
  first: SubscriberOptions['first']
  gap: GapFrame | null
}

type Finishable = Pick<Subscriber<unknown>, 'sessionId' | 'owner' | 'finish' | 'deleted'>

export class Subscriptions {
  readonly #store: Store
  readonly #limits: Limits
  readonly #log: Logger
  readonly #channels = new Channels()
  readonly #queues: Queues
  readonly #pages: Pages
  readonly #open = new Set<Finishable>()
  readonly #streams: Quota
  readonly #waits: Quota
  /** Those whose session does not exist yet. */
  readonly #waiting = new Set<Finishable>()
  readonly #host: SubscriberHost = {
    read: (sessionId, owner, cursor) => this.#read(sessionId, owner, cursor),
    getSession: (sessionId, owner) => this.#store.getSession(sessionId, owner),
    appeared: (subscriber) => this.#appeared(subscriber),
    closed: (subscriber, channel) => {
      this.#open.delete(subscriber)
      this.#appeared(subscriber)
      this.#release(channel, subscriber.owner)
    },
    failed: (error, sessionId) => this.#log.error({ err: error, sessionId }, 'a stream broke; its client\'s cursor brings it back')
  }

  /** Up to where changes of the store were shown. */
  #changesSeen: string | null = null
  /** Set once all subscriptions end: one that was still opening ends too. */
  #retryMs: (() => number) | null = null

  constructor (store: Store, limits: Limits, log: Logger) {
    this.#store = store
    this.#limits = limits
    this.#log = log
    this.#queues = new Queues(store, log, (channel) => this.#channels.of(channel.sessionId) === channel)
    this.#pages = new Pages(store)
    this.#streams = new Quota(limits.subscribersPerOwner)
    this.#waits = new Quota(limits.waitingSubscribersPerOwner)
  }

  /** Passes committed events, in order, to the session's subscribers. */
  readonly publish = (sessionId: string, events: StoredEvent[]): void => {
    this.#channels.publish(sessionId, events)
  }

  /** The store has events up to `seq`, published here or not. */
  advance (sessionId: string, seq: number): void {
    this.#channels.advance(sessionId, seq)
  }

  /** What waits in the session has changed, or (`moved`) has if anything waited. */
  queueChanged (sessionId: string, how: 'changed' | 'moved' = 'changed'): void {
    const channel = this.#channels.of(sessionId)
    if (channel !== undefined) this.#queues[how](channel)
  }

  /** The session was deleted: its subscribers are told, and end. */
  deleted (sessionId: string): void {
    this.#pages.forget(sessionId)
    for (const subscriber of this.#open) {
      if (subscriber.sessionId === sessionId) subscriber.deleted()
    }
  }

  /** Shows what other instances may have committed. */
  async refresh (): Promise<void> {
    const { cursor, sessionIds: changed, revised } = await this.#store.changedSessions(this.#changesSeen)
    const sessionIds = changed?.filter((sessionId) => this.#channels.usersOf(sessionId) > 0) ?? this.#channels.sessionIds()
    for (let start = 0; start < sessionIds.length; start += REFRESH_AT_ONCE) {
      const some = sessionIds.slice(start, start + REFRESH_AT_ONCE)
      for (const [index, lastSeq] of (await this.#store.lastSeqs(some)).entries()) {
        if (lastSeq === null) this.deleted(some[index]!)
        else this.#channels.advance(some[index]!, lastSeq)
      }
      await nextTurn()
    }
    for (const sessionId of revised ?? this.#channels.sessionIds()) this.queueChanged(sessionId)
    this.#changesSeen = cursor
  }

  /**
   * Opens a subscription; a session that does not exist yet is waited for. Rejects with TOO_MANY_SUBSCRIBERS,
   * SESSION_DELETED, and SESSION_NOT_FOUND if it is another's.
   */
  async open ({ sessionId, owner, after, until, admit = null }: SubscriptionRequest): Promise<Opening> {
    if (this.#channels.users >= this.#limits.subscribers) throw runsError('TOO_MANY_SUBSCRIBERS', ['server'])
    if (!this.#streams.take(owner)) throw runsError('TOO_MANY_SUBSCRIBERS', ['owner'])
    const isFull = this.#channels.usersOf(sessionId) >= this.#limits.subscribersPerSession
    // Acquired before the read: what is committed after the snapshot moves the channel's head.
    const channel = this.#channels.acquire(sessionId)
    const { queueReads: queueRead } = channel
    try {
      const beginning = await this.#begin(sessionId, owner, after)
      await this.#assertAdmitted(sessionId, owner, beginning.first?.session ?? null, admit)
      // Only now: that others follow a session is not for strangers to know.
      if (isFull) throw runsError('TOO_MANY_SUBSCRIBERS', ['session'])
      // A channel that was opened just now knows nothing yet; a subscriber is compared with its head.
      channel.advance(beginning.first?.lastSeq ?? 0)
      channel.noteQueue(beginning.first?.session.waiting ?? [])
      const target = until === 'complete' ? await this.#target(beginning, owner) : until
      const waits = beginning.first === null
      if (waits && !this.#waits.take(owner)) throw runsError('TOO_MANY_SUBSCRIBERS', ['owner'])
      return {
        done: target === 'done',
        cancel: () => {
          if (waits) this.#waits.giveBack(owner)
          this.#release(channel, owner)
        },
        start: (sink) => this.#start(channel, sink, { ...beginning, owner, queueRead, until: target === 'done' ? null : target, admit })
      }
    } catch (error) {
      this.#release(channel, owner)
      throw error
    }
  }

  #release (channel: Channel, owner: Owner): void {
    this.#channels.release(channel)
    this.#streams.giveBack(owner)
  }

  /** Its session exists, or it waits no more. */
  #appeared (subscriber: Finishable): void {
    if (this.#waiting.delete(subscriber)) this.#waits.giveBack(subscriber.owner)
  }

  #start<Chunk> (channel: Channel, sink: Sink<Chunk>, options: SubscriberOptions): Subscriber<Chunk> {
    const subscriber = new Subscriber(channel, sink, this.#host, options)
    this.#open.add(subscriber)
    if (options.first === null) this.#waiting.add(subscriber)
    subscriber.start()
    if (this.#retryMs !== null) this.#finish(subscriber, this.#retryMs())
    return subscriber
  }

  /** Ends every subscription once it has what is committed, and tells each client when to come back. */
  finish (retryMs: () => number): void {
    this.#retryMs = retryMs
    this.#queues.close()
    this.#pages.close()
    for (const subscriber of this.#open) this.#finish(subscriber, retryMs())
  }

  #finish (subscriber: Finishable, retryMs: number): void {
    subscriber.finish({ kind: 'stream_closing', sessionId: subscriber.sessionId, retryMs })
  }

  async #read (sessionId: string, owner: Owner, cursor: number): Promise<SharedPage | null | 'deleted'> {
    try {
      return await this.#pages.next(sessionId, owner, cursor)
    } catch (error) {
      if (hasCode(error, 'SESSION_DELETED')) return 'deleted'
      throw error
    }
  }

  /** A session that is not there may be somebody else's; one that is may have come since the client was admitted. */
  async #assertAdmitted (sessionId: string, owner: Owner, session: SessionState | null, admit: NonNullable<SubscriptionRequest['admit']> | null): Promise<void> {
    const isForeign = session === null && owner !== null && await this.#isForeign(sessionId, owner)
    if (isForeign || (session !== null && admit !== null && !await admit(session))) throw runsError('SESSION_NOT_FOUND', [sessionId])
  }

  async #isForeign (sessionId: string, owner: string): Promise<boolean> {
    try {
      const session = await this.#store.getSession(sessionId, null)
      return session !== null && session.owner !== owner
    } catch (error) {
      // Its owner has heard so from the reading.
      if (hasCode(error, 'SESSION_DELETED')) return true
      throw error
    }
  }

  async #begin (sessionId: string, owner: Owner, after: Cursor | null): Promise<Beginning> {
    const asked = after === LATEST ? Number.MAX_SAFE_INTEGER : after ?? 0
    const first = await this.#pages.first(sessionId, owner, asked)
    const { lastSeq, compactedThrough } = first ?? { lastSeq: 0, compactedThrough: 0 }
    const gap = (reason: GapFrame['reason'], from: number, to: number): GapFrame => ({ kind: 'gap', sessionId, reason, from, to })
    if (after === LATEST) return { cursor: lastSeq, first, gap: null }
    if (after === null) return { cursor: 0, first, gap: gap('malformed', 1, lastSeq) }
    if (after > lastSeq) {
      return { cursor: 0, first: first && { ...first, events: [], through: 0 }, gap: gap('ahead', lastSeq + 1, after) }
    }
    const overtaken = after > 0 && after < compactedThrough
    return { cursor: after, first, gap: overtaken ? gap('compacted', after + 1, compactedThrough) : null }
  }

  /** The run whose `complete` ends a subscription that begins so. */
  async #target ({ cursor, first }: Beginning, owner: Owner): Promise<{ runId: string | null } | 'done'> {
    if (first === null) return { runId: null }
    const session: SessionState = first.session
    const current = session.runId ?? session.queue[0]
    if (current !== undefined) return { runId: current }
    const [latest] = await this.#store.listRuns(session.id, owner, { limit: 1, before: null })
    if (latest === undefined) return { runId: null }
    if (latest.completeSeq !== null && latest.completeSeq <= cursor) return 'done'
    return { runId: latest.runId }
  }
}

/*
 * cursor → sink: one connected client. First visit, reconnect and slow reader are one path: pages after the cursor, from
 * memory or the store, until the cursor is the channel's head; from then on live. It holds no queue: what a client has
 * not taken is in the log.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { StoredEvent } from '../protocol/event.ts'
import type { Frame } from '../protocol/frames.ts'
import type { Owner, SessionState } from '../protocol/session.ts'
import type { GapFrame, QueueFrame } from '../protocol/words.ts'
import type { EventsPage, LogPage } from '../store/store.ts'
import { type Channel, type Follower, NOTHING_WAITS, type SharedEncoding } from './channel.ts'
import { PAGE, type SharedPage } from './pages.ts'
import { GuardedSink, type Sink } from './sink.ts'

export interface SubscriberOptions {
  /** Where the client wants to start; already resolved. */
  cursor: number
  /** The session's state and first page after `cursor`; null while the session does not exist. */
  first: (LogPage & SharedPage) | null
  /** What the client has to be told before the first event. */
  gap: GapFrame | null
  /** Ends after the `complete` of this run; of the first run that is seen, if `runId` is null. */
  until: { runId: string | null } | null
  /** What a session that is waited for must pass before anything of it is delivered; else the subscription ends. */
  admit?: ((session: SessionState) => boolean | Promise<boolean>) | null
  /** Whose the session must be. */
  owner: Owner
  /** How many reads of the session's queue had begun before `first` was read. */
  queueRead: number
}

/** What subscribers ask for and report to; one for all, to keep each small. */
export interface SubscriberHost {
  /** Reads the next page of a session; null while it does not exist, 'deleted' once it was. */
  read (sessionId: string, owner: Owner, after: number): Promise<SharedPage | null | 'deleted'>
  /** The session's view; null if it does not exist (any more). */
  getSession (sessionId: string, owner: Owner): Promise<SessionState | null>
  /** Called when a session that was waited for exists and is the client's. */
  appeared (subscriber: Subscriber<unknown>): void
  /** Called once, when nothing more will be written. */
  closed (subscriber: Subscriber<unknown>, channel: Channel): void
  /** The log could not be read, or the sink not be written; it has been ended, and the client's cursor brings it back. */
  failed (error: unknown, sessionId: string): void
}

/** `idle`: the sink is full, or the session does not exist yet; somebody will wake us. */
type Mode = 'idle' | 'catching-up' | 'live' | 'closed'

export class Subscriber<Chunk> implements Follower {
  readonly #channel: Channel
  readonly #sink: GuardedSink<Chunk>
  readonly #host: SubscriberHost
  readonly #owner: Owner
  /** Let go once they are written: a page may be as large as a stream is long. */
  #first: SubscriberOptions['first']
  #gap: GapFrame | null
  /** Let go once it has let the client in: it may hold a whole request. */
  #admit: NonNullable<SubscriberOptions['admit']> | null
  #cursor: number
  #compactedThrough: number
  #until: { runId: string | null } | null
  /** Until a read has shown that the session exists and is the client's, nothing of the channel may reach it. */
  #admitted: boolean
  #mode: Mode = 'idle'
  #full = false
  #closing: Frame | null = null
  /** Since it began to read. */
  #isWoken = false
  #queueRead: number
  /** What it was told that waits, as JSON. */
  #queue = NOTHING_WAITS

  constructor (channel: Channel, sink: Sink<Chunk>, host: SubscriberHost, options: SubscriberOptions) {
    this.#channel = channel
    this.#sink = new GuardedSink(sink, (error) => {
      this.#host.failed(error, this.sessionId)
      this.#close(null)
    })
    this.#host = host
    this.#owner = options.owner
    this.#first = options.first
    this.#gap = options.gap
    this.#admit = options.first === null ? options.admit ?? null : null
    this.#cursor = options.cursor
    this.#compactedThrough = options.first?.session.compactedThrough ?? 0
    this.#until = options.until
    this.#admitted = options.first !== null
    this.#queueRead = options.queueRead
  }

  get sessionId (): string {
    return this.#channel.sessionId
  }

  get owner (): Owner {
    return this.#owner
  }

  get queueRead (): number { return this.#queueRead }

  get cursor (): number { return this.#cursor }

  /** Writes the first frames, then everything after the cursor. */
  start (): void {
    this.#channel.enter()
    const first = this.#first
    const gap = this.#gap
    this.#first = null
    this.#gap = null
    const session = first?.session
    if (session !== undefined && session.waiting.length > 0) this.#queue = JSON.stringify(session.waiting)
    this.#sink.frame({
      kind: 'chat_subscribed',
      sessionId: this.#channel.sessionId,
      isProcessing: session?.isProcessing ?? false,
      runId: session?.runId ?? null,
      waiting: session?.waiting ?? [],
      cursor: this.#cursor,
      lastSeq: session?.lastSeq ?? 0,
      compactedThrough: this.#compactedThrough,
      pendingPermissions: session?.pendingPermissions ?? [],
      morePendingPermissions: session?.morePendingPermissions ?? []
    }, this.#cursor)
    if (gap !== null) this.#sink.frame(gap)
    if (this.#isClosed()) return
    this.#mode = 'catching-up'
    void this.#catchUp(first)
  }

  deliver (events: StoredEvent[], shared?: SharedEncoding): boolean {
    if (!this.#takes()) return false
    const cut = this.#cut(events)
    const chosen = cut === 0 ? events : events.slice(0, cut)
    this.#cursor = chosen.at(-1)!.seq
    this.#full = !this.#sink.events((format) => chosen === events && shared !== undefined ? shared(format) : format.encode(chosen))
    if (cut > 0) this.close()
    else if (this.#full && this.#mode === 'live') this.#mode = 'idle'
    return this.#mode === 'live'
  }

  showQueue (frame: QueueFrame, text: string, read: number): void {
    this.#queueRead = read
    if (text === this.#queue) return
    this.#queue = text
    this.#sink.frame(frame)
  }

  /** The sink has room again. */
  drained (): void {
    this.#full = false
    this.wake()
  }

  wake (): void {
    this.#isWoken = true
    if (this.#full || this.#mode === 'catching-up' || this.#isClosed()) return
    this.#mode = 'catching-up'
    void this.#catchUp(null)
  }

  /** Ends with `frame`, after everything that is committed has been written. */
  finish (frame: Frame): void {
    this.#closing = frame
    if (this.#mode === 'live') this.#close(frame)
    else this.wake()
  }

  /** The session was deleted. One that was never let in learns that from its own reading, if it may. */
  deleted (): void {
    if (this.#admitted) this.finish({ kind: 'session_deleted', sessionId: this.sessionId })
    else this.wake()
  }

  /** Writes nothing more but `frame`, also where events are left. Idempotent. */
  close (frame: Frame | null = null): void {
    this.#close(frame)
  }

  async #catchUp (first: SharedPage | null): Promise<void> {
    try {
      if (first !== null) this.#deliverPage(first)
      while (!this.#isClosed()) {
        if (this.#full || !this.#takes()) {
          if (!this.#isClosed()) this.#mode = 'idle'
          return
        }
        if (this.#admitted && this.#channel.join(this)) {
          this.#mode = 'live'
          this.#channel.tellQueue(this)
          if (this.#closing !== null) this.#close(this.#closing)
          return
        }
        const recent = this.#admitted ? this.#channel.recent(this.#cursor, PAGE) : null
        if (recent !== null) this.deliver(recent)
        else if (!await this.#readPage()) return
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#sink.paused()
    }
  }

  /** Whether the sink takes events now; if not, it will say when. */
  #takes (): boolean {
    if (this.#sink.ready()) return true
    this.#full = true
    if (this.#mode === 'live') this.#mode = 'idle'
    return false
  }

  /** Delivers a page from the store; false if there is none now: the session does not exist yet, or is not the client's. */
  async #readPage (): Promise<boolean> {
    const exists = this.#channel.head > 0
    this.#isWoken = false
    const page = await this.#host.read(this.sessionId, this.#owner, this.#cursor)
    if (this.#isClosed()) return false
    if (page === 'deleted') {
      this.#close({ kind: 'session_deleted', sessionId: this.sessionId })
      return false
    }
    if (page !== null) {
      if (!this.#admitted) await this.#letIn()
      if (this.#isClosed()) return false
      this.#channel.advance(page.lastSeq)
      this.#deliverPage(page)
      // Between pages others get their turn.
      await nextTurn()
      return true
    }
    // It existed before we read, and was not shown to us: it has come to be somebody else's.
    if (exists || this.#closing !== null) this.#close(this.#closing)
    if (this.#isClosed()) return false
    // Something has happened while it read: it may have been created and deleted since.
    if (this.#isWoken || !this.#channel.awaitSession(this)) return true
    this.#mode = 'idle'
    return false
  }

  async #letIn (): Promise<void> {
    this.#admitted = await this.#admits()
    this.#admit = null
    if (this.#admitted) this.#host.appeared(this)
    else this.close()
  }

  async #admits (): Promise<boolean> {
    if (this.#admit === null) return true
    const session = await this.#host.getSession(this.sessionId, this.#owner)
    return session !== null && await this.#admit(session)
  }

  #deliverPage (page: SharedPage): void {
    this.#tellCompacted(page)
    if (page.events.length > 0) this.deliver(page.events, page.shared)
    // Not taken: it is read again.
    if (this.#cursor < (page.events.at(-1)?.seq ?? 0)) return
    if (!this.#isClosed()) this.#cursor = page.through
  }

  // While this reader was on its way, part of what it had not read yet was compacted: its client must not take that for a loss.
  #tellCompacted ({ compactedThrough }: EventsPage): void {
    if (compactedThrough > this.#compactedThrough && this.#cursor < compactedThrough) {
      this.#sink.frame({ kind: 'gap', sessionId: this.#channel.sessionId, reason: 'compacted', from: this.#cursor + 1, to: compactedThrough })
    }
    this.#compactedThrough = compactedThrough
  }

  /** How many of `events` are left until the end of the run that this subscriber is for; 0 = all and more. */
  #cut (events: StoredEvent[]): number {
    if (this.#until === null) return 0
    this.#until.runId ??= events[0]!.runId
    const { runId: last } = this.#until
    return events.findIndex(({ kind, runId }) => kind === 'complete' && runId === last) + 1
  }

  #fail (error: unknown): void {
    if (this.#isClosed()) return
    this.#host.failed(error, this.sessionId)
    this.#close(null)
  }

  #isClosed (): boolean {
    return this.#mode === 'closed'
  }

  #close (frame: Frame | null): void {
    if (this.#isClosed()) return
    this.#mode = 'closed'
    this.#channel.leave(this)
    if (frame !== null) this.#sink.frame(frame)
    this.#sink.end()
    this.#host.closed(this, this.#channel)
  }
}

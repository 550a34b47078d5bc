/* A session's log in memory, in the hands of a test: what is stored, what a read shows, and what a client was sent. */
import type { Logger } from '../../lib/common/logger.ts'
import type { EventOf, StoredEvent } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import type { LogPage, PageLimit } from '../../lib/store/store.ts'
import type { Channel, Format } from '../../lib/streams/channel.ts'
import type { Sink } from '../../lib/streams/sink.ts'
import { Subscriber, type SubscriberHost, type SubscriberOptions } from '../../lib/streams/subscriber.ts'
import { latch, type Latch } from './latch.ts'

const ignore = (): void => {}

/** Keeps nothing. */
export const quietLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** An approval that waits in every page. */
export const PENDING: EventOf<'permission_request'> = { kind: 'permission_request', sessionId: 's', runId: 'r', seq: 1, provider: 'p', timestamp: '', requestId: 'q', toolName: 't', input: null }

/** A stored event; `size` is the length of its JSON. */
export function storedEvent (seq: number, { kind = 'custom', runId = 'r', size = 0 }: { kind?: string, runId?: string, size?: number } = {}): StoredEvent {
  return { seq, kind, runId, transient: false, json: JSON.stringify({ kind, seq, runId }).padEnd(size) }
}

export function storedEvents (from: number, to: number): StoredEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => storedEvent(from + index))
}

/** What the store has, and a `read` whose answers wait for the test once `hold` is set. */
export class MemoryLog {
  readonly sessionId = 's'
  events: StoredEvent[] = []
  /** Whether the session exists, and is whose who reads. */
  exists = true
  compactedThrough = 0
  limit: PageLimit = { rows: 3, bytes: Infinity }
  hold = false
  /** The cursors of all reads. */
  readonly reads: number[] = []
  readonly held: Latch[] = []
  #asked: Latch | null = null

  get lastSeq (): number {
    return this.events.at(-1)?.seq ?? 0
  }

  /** Stores events up to `seq`; answers the new ones. */
  commit (seq: number): StoredEvent[] {
    const added = storedEvents(this.lastSeq + 1, seq)
    this.events.push(...added)
    return added
  }

  /** One snapshot. */
  page (after: number): LogPage | null {
    if (!this.exists) return null
    const { lastSeq, compactedThrough, sessionId: id } = this
    const retained = this.events.filter(({ seq }) => seq > after)
    const events: StoredEvent[] = []
    for (let bytes = 0; events.length < retained.length && events.length < this.limit.rows && bytes < this.limit.bytes;) {
      const event = retained[events.length]!
      events.push(event)
      bytes += event.json.length
    }
    const session = {
      id, owner: '', provider: null, title: null, metadata: {}, createdAt: '', updatedAt: '', isProcessing: true, runId: 'r', queue: [], waiting: [], lastSeq, compactedThrough, pendingPermissions: [PENDING], morePendingPermissions: []
    }
    return { session, events, through: events.length < retained.length ? events.at(-1)!.seq : lastSeq, lastSeq, compactedThrough }
  }

  /** The snapshot is that of the call; the answer may come later. */
  readonly read = async (after: number): Promise<LogPage | null> => {
    const page = this.page(after)
    this.reads.push(after)
    this.#asked?.open()
    this.#asked = null
    if (!this.hold) return page
    const answer = latch()
    this.held.push(answer)
    await answer.promise
    return page
  }

  /** Resolves when the next read is asked for. */
  async asked (): Promise<void> {
    this.#asked ??= latch()
    await this.#asked.promise
  }

  /** From now on reads answer at once, and those that wait do too. */
  release (): void {
    this.hold = false
    for (const answer of this.held.splice(0)) answer.open()
  }
}

const format: Format<number[]> = { encode: (events) => events.map(({ seq }) => seq) }

/** Writes down what it is given: seqs, frames by kind, 'END'. Full after `room` chunks. */
export class RecordingSink implements Sink<number[]> {
  readonly format = format
  readonly written: Array<number | string> = []
  readonly frames: Frame[] = []
  /** The cursors that frames carried. */
  readonly ids: Array<number | undefined> = []
  room = Infinity
  readonly #waiting: Array<{ enough: () => boolean, latch: Latch }> = []

  events (chunk: number[]): boolean {
    this.room--
    this.#write(...chunk)
    return this.room > 0
  }

  frame (frame: Frame, cursor?: number): void {
    this.frames.push(frame)
    this.ids.push(cursor)
    this.#write(frame.kind)
  }

  end (): void {
    this.#write('END')
  }

  /** Resolves once `item` has been written. */
  async until (item: number | string): Promise<void> {
    const enough = (): boolean => this.written.includes(item)
    if (enough()) return
    const waiter = { enough, latch: latch() }
    this.#waiting.push(waiter)
    await waiter.latch.promise
  }

  #write (...items: Array<number | string>): void {
    this.written.push(...items)
    for (const { enough, latch } of this.#waiting) {
      if (enough()) latch.open()
    }
  }
}

export interface Following {
  sink: RecordingSink
  subscriber: Subscriber<number[]>
  /** How often the subscriber said that it was over, and what went wrong. */
  closed: () => number
  errors: unknown[]
}

/** A client at `cursor`, opened as subscriptions are: on a snapshot that the channel learns of. Not started. */
export function follow (log: MemoryLog, channel: Channel, cursor: number, { read = log.read, ...more }: Partial<SubscriberOptions> & { read?: MemoryLog['read'] } = {}): Following {
  const sink = new RecordingSink()
  const errors: unknown[] = []
  let closed = 0
  const first = log.page(cursor)
  channel.advance(first?.session.lastSeq ?? 0)
  const host: SubscriberHost = {
    read: (_sessionId, _owner, after) => read(after), getSession: async () => null, appeared: () => {}, closed: () => { closed++ }, failed: (error) => { errors.push(error) }
  }
  const subscriber = new Subscriber(channel, sink, host, { cursor, first, gap: null, until: null, owner: null, queueRead: 0, ...more })
  return { sink, subscriber, closed: () => closed, errors }
}

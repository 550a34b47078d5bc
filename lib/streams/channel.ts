/*
 * One process's live view of one session: the head, the hot tail, and who follows.
 *
 * The rule that makes the hand-over exact: a subscriber is live iff its cursor equals the head. Both are compared and
 * changed only here and synchronously, so there is no moment in which an event falls between replay and live.
 */
import type { StoredEvent } from '../protocol/event.ts'
import type { QueueFrame, WaitingMessage } from '../protocol/words.ts'
import type { PageLimit } from '../store/store.ts'

const TAIL_EVENTS = 512
const TAIL_BYTES = 512 * 1024
/** An empty queue, as JSON. */
export const NOTHING_WAITS = '[]'

/** How events look on one kind of wire; each turn's events are encoded once per format. */
export interface Format<Chunk> {
  encode (events: StoredEvent[]): Chunk
}

/** The encoding of one batch, made at most once per format. */
export type SharedEncoding = <Chunk>(format: Format<Chunk>) => Chunk

/** Encodes events when they are first asked for in a format. */
export function sharedEncoding (events: StoredEvent[]): SharedEncoding {
  const chunks = new Map<Format<unknown>, unknown>()
  return <Chunk>(format: Format<Chunk>) => {
    if (!chunks.has(format)) chunks.set(format, format.encode(events))
    return chunks.get(format) as Chunk
  }
}

/** What a channel needs of a subscriber. */
export interface Follower {
  readonly cursor: number
  /** Takes the next events, whose encoding it may share with others; false if it cannot take more for now. */
  deliver (events: StoredEvent[], shared: SharedEncoding): boolean
  /** There is something new: catch up. */
  wake (): void
  /** The number of the read of the queue behind which it knows that. */
  readonly queueRead: number
  /** What waits, by that read; `text` is the same as JSON. Whoever was told so already need not be told again. */
  showQueue (frame: QueueFrame, text: string, read: number): void
}

/** The newest events of a session, contiguous up to the head. */
class HotTail {
  #events: StoredEvent[] = []
  #bytes = 0

  push (events: StoredEvent[]): void {
    for (const event of events) {
      this.#events.push(event)
      this.#bytes += event.json.length
    }
    let drop = 0
    while (this.#events.length - drop > TAIL_EVENTS || this.#bytes > TAIL_BYTES) this.#bytes -= this.#events[drop++]!.json.length
    if (drop > 0) this.#events.splice(0, drop)
  }

  /** A page after `cursor`; null if the tail does not reach back that far. */
  after (cursor: number, limit: PageLimit): StoredEvent[] | null {
    const first = this.#events[0]
    if (first === undefined || cursor + 1 < first.seq) return null
    const start = cursor + 1 - first.seq
    let end = start
    let bytes = 0
    while (end < this.#events.length && end - start < limit.rows && bytes < limit.bytes) bytes += this.#events[end++]!.json.length
    return this.#events.slice(start, end)
  }
}

/** What is known of a session's queue. */
interface KnownQueue {
  frame: QueueFrame
  /** The number of the read that brought it. */
  read: number
  /** What waits, as JSON. */
  waiting: string
}

export class Channel {
  readonly sessionId: string
  /** What was published since not all followers are live: they find it here, and not in the store. Null while all are. */
  #tail: HotTail | null = null
  #followers = 0
  readonly #live = new Set<Follower>()
  /** Followers of a session that does not exist yet; null if there are none, as nearly always. */
  #waiting: Set<Follower> | null = null
  #head = 0
  /** How often the queue was asked for. */
  #queueReads = 0
  /** Null while nothing waits, as far as is known, and nobody has to be told. */
  #queue: KnownQueue | null = null

  constructor (sessionId: string) {
    this.sessionId = sessionId
  }

  /** The newest seq that is known to be committed. */
  get head (): number {
    return this.#head
  }

  /** Delivers events that have just been committed. */
  publish (events: StoredEvent[]): void {
    const last = events.at(-1)!.seq
    // Seqs between are somebody else's commits, or these were read before they were published: the store has them all.
    if (events[0]!.seq !== this.#head + 1) {
      this.advance(last)
      return
    }
    this.#head = last
    const shared = sharedEncoding(events)
    for (const follower of this.#live) {
      if (!follower.deliver(events, shared)) this.#live.delete(follower)
    }
    if (this.#followers > this.#live.size) {
      this.#tail ??= new HotTail()
      this.#tail.push(events)
    }
    this.#wakeWaiting()
    // No event follows for now; subscribers that wait for the next run need no hot tail.
    if (events.at(-1)!.kind === 'complete') this.#tail = null
  }

  /** A read of the store showed events up to `seq`: live followers before it have to catch up. */
  advance (seq: number): void {
    if (seq <= this.#head) return
    this.#head = seq
    this.#tail = null
    const overtaken = [...this.#live]
    this.#live.clear()
    for (const follower of overtaken) follower.wake()
    this.#wakeWaiting()
  }

  /** The events after `cursor` from memory; null if only the store has them. */
  recent (cursor: number, limit: PageLimit): StoredEvent[] | null {
    return this.#tail?.after(cursor, limit) ?? null
  }

  /** A follower begins; it has to `leave`. */
  enter (): void {
    this.#followers++
  }

  /** Makes a follower live if it has everything; false if it has to catch up first. */
  join (follower: Follower): boolean {
    if (follower.cursor !== this.#head) return false
    this.#live.add(follower)
    if (this.#live.size === this.#followers) this.#tail = null
    return true
  }

  /** Wakes a follower once the session has events; false if it has some already. */
  awaitSession (follower: Follower): boolean {
    if (this.#head > 0) return false
    this.#waiting ??= new Set()
    this.#waiting.add(follower)
    return true
  }

  /** How many reads of the queue have begun: who reads the session after that knows what they bring. */
  get queueReads (): number {
    return this.#queueReads
  }

  /** Whether something waits, as far as is known here. */
  get hasQueue (): boolean {
    return this.#queue !== null && this.#queue.waiting !== NOTHING_WAITS
  }

  /** What the session's view says waits; counts only if nothing is known yet. */
  noteQueue (waiting: WaitingMessage[]): void {
    if (this.#queue === null && waiting.length > 0) this.#know(waiting, 0)
  }

  /** A read of the queue begins; its number. */
  beginQueueRead (): number {
    return ++this.#queueReads
  }

  /** What that read has brought: live followers are told, the others when they come to be live. */
  showQueue (waiting: WaitingMessage[], read: number): void {
    this.#know(waiting, read)
    for (const follower of [...this.#live]) this.tellQueue(follower)
  }

  /** Tells a live follower what waits, if the read began after its own: before that, it may know better. */
  tellQueue (follower: Follower): void {
    if (this.#queue !== null && this.#queue.read > follower.queueRead) follower.showQueue(this.#queue.frame, this.#queue.waiting, this.#queue.read)
  }

  #know (waiting: WaitingMessage[], read: number): void {
    this.#queue = { frame: { kind: 'queue_changed', sessionId: this.sessionId, waiting }, read, waiting: JSON.stringify(waiting) }
  }

  leave (follower: Follower): void {
    this.#followers--
    this.#live.delete(follower)
    this.#waiting?.delete(follower)
    if (this.#live.size === this.#followers) this.#tail = null
  }

  #wakeWaiting (): void {
    const waiting = this.#waiting
    if (waiting === null) return
    this.#waiting = null
    for (const follower of waiting) follower.wake()
  }
}

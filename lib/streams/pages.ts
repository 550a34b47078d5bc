/*
 * Pages of logs, shared by all who read the same at about the same time: after a restart hundreds come back at once. Each is
 * read once and encoded once per format. Whether a page may still be shown is asked of the store each time, which is far
 * cheaper than to read it: the session may have been deleted or compacted since, or have come to be somebody else's.
 */
import type { StoredEvent } from '../protocol/event.ts'
import type { Owner } from '../protocol/session.ts'
import type { EventsPage, LogPage, PageLimit, Store } from '../store/store.ts'
import { type SharedEncoding, sharedEncoding } from './channel.ts'

/** What is read and written at once; bounds what one slow client can hold in memory. */
export const PAGE: PageLimit = { rows: 500, bytes: 256 * 1024 }

/** All pages together, of JSON; as objects and encoded they take about three times as much. */
const MOST_BYTES = 16 * 1024 * 1024
const MOST_PAGES = 128
/** A smaller page is read as fast as it is found. */
const LEAST_EVENTS = 100
/** Pages are let go once none was used for this long, or up to twice as long, in ms. */
const KEPT_MS = 10_000

/** A page whose encodings others may share. */
export interface SharedPage extends EventsPage {
  shared?: SharedEncoding
}

interface KeptPage {
  after: number
  events: StoredEvent[]
  through: number
  /** As it was read: if the page is not full, it is all there is as long as this is the newest. */
  lastSeq: number
  bytes: number
  shared: SharedEncoding
}

type Head = Pick<EventsPage, 'lastSeq' | 'compactedThrough'>

export class Pages {
  readonly #store: Store
  /** By session and seq; the one that was used last is the last. */
  readonly #kept = new Map<string, KeptPage>()
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  /** Whether any page was used since the last look. */
  #isUsed = false

  constructor (store: Store) {
    this.#store = store
  }

  /** The session's view and the first page after a seq; see `Store.read`. */
  async first (sessionId: string, owner: Owner, after: number): Promise<(LogPage & SharedPage) | null> {
    const kept = this.#kept.get(keyOf(sessionId, after))
    if (kept !== undefined) {
      const session = await this.#store.getSession(sessionId, owner)
      if (session === null) return null
      if (isCurrent(kept, session)) return { session, ...this.#use(sessionId, kept, session) }
    }
    const page = await this.#store.read(sessionId, owner, after, limitOf(after))
    return page && { ...page, shared: this.#keep(sessionId, after, page) }
  }

  /** The page after a seq; see `Store.readEvents`. */
  async next (sessionId: string, owner: Owner, after: number): Promise<SharedPage | null> {
    const kept = this.#kept.get(keyOf(sessionId, after))
    if (kept !== undefined) {
      const head = await this.#store.readEvents(sessionId, owner, Number.MAX_SAFE_INTEGER, PAGE)
      if (head === null) return null
      if (isCurrent(kept, head)) return this.#use(sessionId, kept, head)
    }
    const page = await this.#store.readEvents(sessionId, owner, after, limitOf(after))
    return page && { ...page, shared: this.#keep(sessionId, after, page) }
  }

  /** Keeps nothing. */
  close (): void {
    this.#kept.clear()
    this.#bytes = 0
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Keeps nothing of the session. */
  forget (sessionId: string): void {
    for (const key of this.#kept.keys()) {
      if (key.startsWith(keyOf(sessionId, ''))) this.#drop(key)
    }
  }

  #use (sessionId: string, page: KeptPage, { lastSeq, compactedThrough }: Head): SharedPage {
    const key = keyOf(sessionId, page.after)
    this.#kept.delete(key)
    this.#kept.set(key, page)
    this.#isUsed = true
    const { events, through, shared } = page
    return { events, through: isFull(page) ? through : lastSeq, lastSeq, compactedThrough, shared }
  }

  #keep (sessionId: string, after: number, page: EventsPage): SharedEncoding {
    const { events, through, lastSeq, compactedThrough } = page
    const shared = sharedEncoding(events)
    // What compaction has gone over may still change.
    if (events.length < LEAST_EVENTS || after < compactedThrough) return shared
    const key = keyOf(sessionId, after)
    this.#drop(key)
    const bytes = events.reduce((sum, { json }) => sum + json.length, 0)
    this.#kept.set(key, { after, events, through, lastSeq, bytes, shared })
    this.#bytes += bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MOST_BYTES && this.#kept.size <= MOST_PAGES) break
      this.#drop(oldest)
    }
    this.#isUsed = true
    this.#timer ??= setInterval(() => this.#clearUnused(), KEPT_MS).unref()
    return shared
  }

  #drop (key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0
    this.#kept.delete(key)
  }

  #clearUnused (): void {
    if (!this.#isUsed) this.close()
    this.#isUsed = false
  }
}

// No session id has a space.
const keyOf = (sessionId: string, after: number | ''): string => `${sessionId} ${after}`

/** Pages end at the same seqs, wherever their reader began: so the next ones are shared. */
function limitOf (after: number): PageLimit {
  return { ...PAGE, rows: PAGE.rows - after % PAGE.rows }
}

const isFull = ({ through, lastSeq }: KeptPage): boolean => through < lastSeq

function isCurrent (page: KeptPage, { lastSeq, compactedThrough }: Head): boolean {
  return page.after >= compactedThrough && (isFull(page) || page.lastSeq === lastSeq)
}

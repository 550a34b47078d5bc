/* One session for as long as a page shows it: the newest of its history, then everything as it comes. */
import type { Event } from '../../lib/protocol/event.ts'
import type { WaitingMessage } from '../../lib/protocol/words.ts'
import type { RunsClient } from '../client.ts'
import { RunsClientError } from '../errors.ts'
import type { ConnectionState } from '../options.ts'
import { pause } from '../pause.ts'
import type { StreamItem } from '../stream-item.ts'
import type { Subscription } from '../subscription.ts'
import { emptyTranscript, fold, type Transcript, type TranscriptRun } from '../transcript.ts'

/** How long to wait before the history is asked for again, in ms: what one request does not forgive may pass. */
const RETRY_MS = 2_000

export interface SessionLogListener {
  changed (): void
  /** It is over: the session was deleted, or the server will not have this client. */
  failed (error: RunsClientError): void
  connection (state: ConnectionState): void
}

export class SessionLog {
  readonly #client: RunsClient
  readonly #sessionId: string
  readonly #limit: number
  readonly #listener: SessionLogListener
  #events: Event[] = []
  #past: Transcript = emptyTranscript
  #live: Transcript = emptyTranscript
  #subscription: Subscription | null = null
  #stop = new AbortController()
  hasMore = false

  constructor (client: RunsClient, sessionId: string, limit: number, listener: SessionLogListener) {
    this.#client = client
    this.#sessionId = sessionId
    this.#limit = limit
    this.#listener = listener
  }

  /** Oldest first. Between the history and what follows no run is cut in two. */
  get runs (): TranscriptRun[] {
    return this.#past.runs.length === 0 ? this.#live.runs : [...this.#past.runs, ...this.#live.runs]
  }

  get waiting (): WaitingMessage[] {
    return this.#live.waiting
  }

  /** Loads the history and follows, until `close`. */
  async open (): Promise<void> {
    const stop = this.#stop = new AbortController()
    // A page that comes back has its place already.
    let cursor = Math.max(this.#past.cursor, this.#live.cursor)
    while (cursor === 0 && !stop.signal.aborted) {
      try {
        const page = await this.#client.history(this.#sessionId, { limit: this.#limit, signal: stop.signal })
        cursor = page.cursor
        this.#keep(page.events, page.hasMore)
        break
      } catch (error) {
        if (stop.signal.aborted) return
        if (!(error instanceof RunsClientError)) throw error
        // It comes to be with its first message.
        if (error.code === 'SESSION_NOT_FOUND') break
        if (error.code !== 'NETWORK' && (error.statusCode ?? 500) < 500) return this.#listener.failed(error)
        await pause(RETRY_MS, stop.signal)
      }
    }
    if (!stop.signal.aborted) this.#follow(cursor)
  }

  /** Loads the page before. */
  async loadOlder (): Promise<void> {
    const [first] = this.#events
    if (!this.hasMore || first === undefined) return
    const { events, hasMore } = await this.#client.history(this.#sessionId, { limit: this.#limit, before: first.seq })
    if (this.#events[0] === first) this.#keep([...events, ...this.#events], hasMore)
  }

  reconnect (): void {
    this.#subscription?.reconnect()
  }

  /** What was had is kept: `open` goes on from there. */
  close (): void {
    this.#stop.abort()
    this.#subscription?.close()
    this.#subscription = null
  }

  #keep (events: Event[], hasMore: boolean): void {
    this.#events = events
    // A run that begins on one page and ends on the next is one run.
    this.#past = events.reduce((transcript, event) => fold(transcript, event), emptyTranscript)
    this.hasMore = hasMore
    this.#listener.changed()
  }

  #follow (cursor: number): void {
    const subscription = this.#client.subscribe(this.#sessionId, (item) => this.#take(item), { cursor, onState: (state) => this.#listener.connection(state) })
    this.#subscription = subscription
    subscription.closed.catch((error: unknown) => {
      if (this.#subscription === subscription && error instanceof RunsClientError) this.#listener.failed(error)
    })
  }

  #take (item: StreamItem): void {
    if (item.kind === 'session_deleted') return this.#listener.failed(new RunsClientError('SESSION_DELETED', 'The session was deleted.'))
    // The history was of another log: everything that is retained follows.
    if (item.kind === 'gap' && item.reason !== 'compacted') {
      this.#events = []
      this.#past = emptyTranscript
      this.hasMore = false
    }
    this.#live = fold(this.#live, item)
    this.#listener.changed()
  }
}

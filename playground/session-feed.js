/* One session as the page has it: its history, then what happens, for as long as it is open. */
import { emptyTranscript, fold } from 'fastify-agent-runs-client'

const PAGE = 100

export class SessionFeed {
  #client
  #sessionId
  #listener
  /** The history that was loaded, and what comes of it. Between it and `#live` no run is cut in two. */
  #events = []
  #past = emptyTranscript
  #live = emptyTranscript
  #hasMore = false
  #subscription = null
  #followedFrom = 0
  #connection = { status: 'connecting', attempt: 0 }
  #opened = false
  #closed = false

  /**
   * @param {() => any} client asked for each time
   * @param {string} sessionId
   * @param {{ changed: () => void, deleted: () => void, failed: (error: unknown) => void }} listener `changed` comes as often as events do
   */
  constructor (client, sessionId, listener) {
    this.#client = client
    this.#sessionId = sessionId
    this.#listener = listener
  }

  get sessionId () { return this.#sessionId }
  get isClosed () { return this.#closed }
  get hasMore () { return this.#hasMore }
  /** Whether nothing comes until `resume`: it was cut, or ended by an error. */
  get isCut () { return this.#opened && this.#subscription === null }
  get connection () { return this.#connection }
  /** Where the connection of now began; what came before it was there already. */
  get followedFrom () { return this.#followedFrom }
  /** The newest seq that the page has. */
  get cursor () { return Math.max(this.#live.cursor, this.#past.cursor) }
  /** The messages that wait their turn, next first. */
  get waiting () { return this.#live.waiting.filter(({ runId }) => !this.#past.runs.some((run) => run.runId === runId)) }
  get runs () { return [...this.#past.runs, ...this.#live.runs] }

  /** Loads the newest page of the history, and follows from there. Throws what the server says. */
  async open () {
    const { events, hasMore, cursor } = await this.#client().history(this.#sessionId, { limit: PAGE })
    if (this.#closed) return
    this.#opened = true
    this.#keep(events, hasMore)
    this.#follow(cursor)
  }

  /** Loads the page before. */
  async loadOlder () {
    const { events, hasMore } = await this.#client().history(this.#sessionId, { limit: PAGE, before: this.#events[0].seq })
    if (!this.#closed) this.#keep([...events, ...this.#events], hasMore)
  }

  /** Drops the connection, until `resume`. */
  cut () {
    this.#subscription?.close()
    this.#subscription = null
    this.#listener.changed()
  }

  /** Goes on behind the last event that came. */
  resume () {
    if (this.isCut && !this.#closed) this.#follow(this.cursor)
  }

  /** Does not wait for the next try any longer. */
  tryNow () {
    this.#subscription?.reconnect()
  }

  /** Follows over another connection from now on. */
  reconnect () {
    if (this.#subscription === null) return
    this.cut()
    this.resume()
  }

  close () {
    this.#closed = true
    this.#subscription?.close()
  }

  #keep (events, hasMore) {
    this.#events = events
    // A run that begins on one page and ends on the next is one run.
    this.#past = events.reduce((transcript, event) => fold(transcript, event), emptyTranscript)
    this.#hasMore = hasMore
    this.#listener.changed()
  }

  #follow (cursor) {
    const current = () => this.#subscription === subscription
    const subscription = this.#client().subscribe(this.#sessionId, (item) => current() && this.#take(item), {
      cursor,
      onState: (state) => {
        // The first state may come before we know the subscription.
        if (this.#subscription !== null && !current()) return
        this.#connection = state
        this.#listener.changed()
      }
    })
    this.#subscription = subscription
    this.#connection = subscription.state
    subscription.closed.catch((error) => {
      if (!current()) return
      this.#subscription = null
      this.#listener.failed(error)
    })
    this.#listener.changed()
  }

  #take (item) {
    if (item.kind === 'chat_subscribed') this.#followedFrom = item.cursor
    if (item.kind === 'session_deleted') return this.#listener.deleted()
    // The history was of another log: everything that is retained follows.
    if (item.kind === 'gap' && item.reason !== 'compacted') {
      this.#events = []
      this.#past = emptyTranscript
      this.#hasMore = false
    }
    this.#live = fold(this.#live, item)
    this.#listener.changed()
  }
}

/* What a client of the protocol knows of a session, and everything that the server should not have sent it. */
import { type Event, isTransient } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'

/** In every native session id of the provider that these clients talk to. */
export const NATIVE_MARKER = 'native-marker'

/** What whole messages of that provider consist of, and no delta holds. */
export const OF_THE_PROVIDER = '§'

interface HistoryPage { events: Event[], hasMore: boolean, cursor: number }

export class SessionView {
  /** The last seq that the client holds. */
  cursor = 0
  /** The text of each message, by run, kind and messageId. */
  readonly texts = new Map<string, string>()
  /** Durable events by seq, as they came. */
  readonly durable = new Map<number, string>()
  /** Each run's `complete`s. */
  readonly completes = new Map<string, number>()
  readonly faults: string[] = []
  /** Seqs up to here may be missing. */
  #mayMiss = 0
  gaps = 0
  /** Messages that are being streamed, and those of them of which deltas may be gone. */
  readonly #streamed = new Set<string>()
  readonly #partial = new Set<string>()
  /** Whether deltas of the run that is being followed may be gone. */
  #holed = false

  /** Applies a frame of a stream. */
  take (frame: Event | Frame): void {
    if ('seq' in frame) return this.#follow(frame)
    if (frame.kind === 'chat_subscribed') {
      if (frame.cursor !== this.cursor) this.#fault(`the stream starts at ${frame.cursor}, the client is at ${this.cursor}`)
      this.#mayMiss = Math.max(this.#mayMiss, frame.compactedThrough)
    } else if (frame.kind === 'gap' && frame.reason === 'compacted') {
      this.gaps++
      this.#mayMiss = Math.max(this.#mayMiss, frame.to)
    } else if (frame.kind !== 'queue_changed') {
      this.#fault(`a frame ${JSON.stringify(frame)}`)
    }
  }

  /** Reads the whole history of the session at `url`, from whose cursor on it is to be followed; nothing if there is no session. */
  async load (url: string, get: (url: string) => Promise<Response> = fetch): Promise<void> {
    const pages: Event[][] = []
    let from: number | null = null
    for (let query = ''; ;) {
      const page = await (await get(`${url}/messages?limit=500${query}`)).json() as HistoryPage | { code: string }
      if ('code' in page) return
      from ??= page.cursor
      pages.unshift(page.events)
      if (!page.hasMore) break
      query = `&before=${page.events[0]!.seq}`
    }
    for (const event of pages.flat()) this.#apply(event)
    this.cursor = from
  }

  /** What this client, who should have everything, has otherwise than the history; and whether each of `runs` has its one end. */
  compare (history: SessionView, runs: Iterable<string>): string[] {
    const faults = [...this.faults, ...history.faults]
    if (this.cursor !== history.cursor) faults.push(`the client is at ${this.cursor}, the log at ${history.cursor}`)
    for (const key of new Set([...this.texts.keys(), ...history.texts.keys()])) {
      const [mine, kept] = [this.texts.get(key) ?? '', history.texts.get(key) ?? '']
      if (mine !== kept) faults.push(`${key}: ${JSON.stringify(mine.slice(-200))} for ${JSON.stringify(kept.slice(-200))}`)
    }
    for (const seq of new Set([...this.durable.keys(), ...history.durable.keys()])) {
      const [mine, kept] = [this.durable.get(seq), history.durable.get(seq)]
      if (mine !== kept) faults.push(`${mine?.slice(0, 200)} for ${kept?.slice(0, 200)}`)
    }
    const expected = JSON.stringify([...runs].map((runId) => [runId, 1]).sort())
    for (const { completes } of [this, history]) {
      const ends = JSON.stringify([...completes].sort())
      if (ends !== expected) faults.push(`the ends ${ends} of the runs ${expected}`)
    }
    return faults.map(readable)
  }

  #follow (event: Event): void {
    if (event.seq <= this.cursor) this.#fault(`seq ${event.seq} after ${this.cursor}`)
    else if (event.seq - 1 > Math.max(this.cursor, this.#mayMiss)) this.#fault(`no event between ${this.cursor} and ${event.seq}, though only up to ${this.#mayMiss} some may be missing`)
    if (event.seq - 1 > this.cursor) {
      this.#holed = true
      for (const key of this.#streamed) this.#partial.add(key)
    }
    this.cursor = event.seq
    this.#apply(event)
  }

  #apply (event: Event): void {
    const { kind, runId } = event
    if (this.completes.has(runId)) this.#fault(`${kind} ${event.seq} of a run that is over`)
    if (kind === 'complete') this.completes.set(runId, (this.completes.get(runId) ?? 0) + 1)
    if (kind === 'stream_delta' || kind === 'thinking_delta') {
      const key = `${runId} ${kind === 'stream_delta' ? 'text' : 'thinking'} ${event.messageId}`
      this.texts.set(key, event.snapshot === true ? event.content : (this.texts.get(key) ?? '') + event.content)
      if (event.snapshot === true) this.#partial.delete(key)
      else if (this.#holed && !this.#streamed.has(key)) this.#partial.add(key)
      this.#streamed.add(key)
      return
    }
    if (kind === 'text' && event.role === 'user') this.#holed = false
    if (kind === 'text' || kind === 'thinking') this.#whole(`${runId} ${kind} ${event.messageId}`, String(event.content))
    if (!isTransient(kind, event as { transient?: unknown })) this.durable.set(event.seq, JSON.stringify(event))
  }

  /** A whole that was made of the deltas is what the client has made of them, too. */
  #whole (key: string, content: string): void {
    const built = this.texts.get(key)
    if (this.#streamed.delete(key) && !this.#partial.delete(key) && !content.includes(OF_THE_PROVIDER) && built !== content) this.#fault(`${key} is built up as ${built}, and comes as ${content}`)
    this.texts.set(key, content)
  }

  #fault (what: string): void {
    this.faults.push(what)
  }
}

/** Readers of the tests' output break lines at more than line feeds. */
function readable (fault: string): string {
  return fault.replace(/[^ -~]/g, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

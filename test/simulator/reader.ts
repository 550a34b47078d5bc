/* A client of one session: its cursor, its texts, and what it may expect of whatever comes next. */
import type { Event, StoredEvent } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import type { GapFrame, SubscribedFrame } from '../../lib/protocol/words.ts'
import type { HistoryPage } from '../../lib/store/store.ts'
import type { LoggedRun } from './ledger.ts'
import type { LoggedEvent, SessionLog } from './session-log.ts'
import { Texts } from './texts.ts'
import type { World } from './world.ts'

/** Where a connection was asked to start. */
export type Start = { after: number | 'latest' | null }

export class Reader {
  readonly name: string
  readonly log: SessionLog
  /** What it sends as its last id. */
  cursor = 0
  readonly #world: World
  readonly #texts = new Texts()
  /** It holds everything that was retained behind this seq. */
  #since = 0
  /** Up to where it was told that there may be holes. */
  #told = 0
  /** Messages of which deltas were gone, until they are set again. */
  readonly #torn = new Set<string>()
  #start: Start | null = null
  /** The runs that wait, as it was told last. */
  waiting: string[] = []

  constructor (name: string, log: SessionLog, world: World) {
    this.name = name
    this.log = log
    this.#world = world
  }

  /** Another connection was asked for. One that does not go on from the cursor begins anew. */
  connects (start: Start): void {
    this.#start = start
    if (start.after === this.cursor) return
    this.#texts.clear()
    this.#since = Infinity
  }

  /** Begins anew with the latest page of the history, to go on from its cursor. */
  history ({ session, events, hasMore, cursor }: HistoryPage): void {
    this.#waits(session.pendingPermissions, session.lastSeq)
    this.#texts.clear()
    this.#since = this.cursor = cursor
    const seqs = new Set(events.map(({ seq }) => seq))
    for (const { seq, json, runId } of events) {
      if (!this.log.at(seq)?.versions.includes(json)) this.#violation('C2', `was shown ${json} as history`)
      if (seq > cursor || runId === session.runId) this.#violation('C1', `was shown ${seq} as history, and is to go on from ${cursor}`)
      this.#texts.take(JSON.parse(json) as Event)
    }
    const missing = this.log.events.find(({ seq, transient }) => seq <= cursor && !transient && !seqs.has(seq))
    if (missing !== undefined && !hasMore) this.#violation('C1', `was not shown ${missing.seq} as history`)
  }

  frame (frame: Frame, id?: number): void {
    this.#world.journal.note(`${this.name} ${JSON.stringify(frame)}`)
    if (this.#start !== null) return this.#subscribed(frame, id)
    if (frame.kind === 'queue_changed') this.waiting = frame.waiting.map(({ runId }) => runId)
    if (frame.kind === 'chat_subscribed') this.#violation('C6', 'was subscribed twice')
    if (frame.kind === 'gap') this.#gap(frame)
  }

  event ({ seq, json }: Pick<StoredEvent, 'seq' | 'json'>): void {
    const logged = this.log.at(seq)
    if (this.#start !== null) this.#violation('C6', `was sent ${seq} before chat_subscribed`)
    if (seq <= this.cursor) return this.#violation('C1', `was sent ${seq} behind ${this.cursor}`)
    if (logged === undefined) return this.#violation('C2', `was sent ${seq}, which was never committed`)
    const known = logged.versions.includes(json) || (this.log.compacting > 0 && 'snapshot' in (JSON.parse(json) as Event))
    if (!known) return this.#violation('C2', `was sent ${json}, committed was ${logged.versions.join(' then ')}`)
    // Who holds nothing yet misses nothing, and is not told.
    if (this.cursor === 0) this.#told = this.log.goneThrough
    for (let missed = this.cursor + 1; missed < seq; missed++) this.#missed(missed)
    this.cursor = seq
    const event = JSON.parse(json) as Event
    this.#texts.take(event)
    if (event.kind === 'complete') this.#completed(this.#world.ledger.runs.get(event.runId)!)
    else if (logged.soFar !== null) this.#compareDelta(event, logged.soFar)
  }

  /** Whether all that is retained has come. */
  isAtEnd (): boolean {
    return this.#start === null && this.log.events.slice(this.cursor).every(({ retained }) => !retained)
  }

  #subscribed (frame: Frame, id: number | undefined): void {
    const { after } = this.#start!
    this.#start = null
    if (frame.kind !== 'chat_subscribed') return this.#violation('C6', `was sent ${frame.kind} before chat_subscribed`)
    const { cursor, lastSeq, runId, pendingPermissions, waiting } = frame
    this.waiting = waiting.map(({ runId }) => runId)
    const expected = after === 'latest' ? lastSeq : after === null || after > lastSeq ? 0 : after
    if (cursor !== expected || id !== cursor) this.#violation('C1', `begins at ${cursor} with id ${id}, for ${after} of ${lastSeq}`)
    if (runId !== this.log.runningAt(lastSeq)) this.#violation('C1', `was told that ${runId} is running at ${lastSeq}`)
    this.#waits(pendingPermissions, lastSeq)
    this.#forget(frame, after === this.cursor)
  }

  #waits (pending: SubscribedFrame['pendingPermissions'], lastSeq: number): void {
    const expected = this.log.pendingAt(lastSeq)
    if (JSON.stringify(pending) !== JSON.stringify(expected)) this.#violation('C11', `was told that ${JSON.stringify(pending)} waits at ${lastSeq}, by the log it is ${JSON.stringify(expected)}`)
  }

  #forget ({ cursor, compactedThrough }: SubscribedFrame, goesOn: boolean): void {
    this.#told = compactedThrough
    if (goesOn && cursor === this.cursor) return
    this.#texts.clear()
    this.cursor = cursor
    this.#since = cursor
  }

  #gap ({ reason, from, to }: GapFrame): void {
    if (reason !== 'compacted') {
      if (this.cursor !== 0) this.#violation('C6', `is to drop all, and goes on from ${this.cursor}`)
      return
    }
    if (from !== this.cursor + 1 || to < from || to > this.log.goneThrough) this.#violation('C6', `is told of a gap from ${from} to ${to} at ${this.cursor}`)
    this.#told = Math.max(this.#told, to)
  }

  #missed (seq: number): void {
    const { retained, transient, kind, runId, soFar } = this.log.at(seq)!
    if (soFar !== null) this.#torn.add(`${runId} ${soFar.key}`)
    if (!transient || (retained && this.log.compacting === 0)) this.#violation('C1', `was not sent ${seq} ${kind}`)
    else if (seq > this.#told) this.#violation('C6', `was not told that ${seq} ${kind} is gone`)
  }

  /** What is on the screen must be what was said so far, if all of it could be seen. */
  #compareDelta (event: Event, { text, since, key }: NonNullable<LoggedEvent['soFar']>): void {
    if ('snapshot' in event) this.#torn.delete(`${event.runId} ${key}`)
    else if (this.#since >= since || this.#torn.has(`${event.runId} ${key}`)) return
    const shown = this.#texts.of(event.runId).get(key)
    if (shown !== text) this.#violation('text', `shows "${shown}" for ${key} at ${event.seq}, it says "${text}"`)
  }

  #completed ({ runId, firstSeq }: LoggedRun): void {
    const shown = this.#texts.of(runId)
    for (const [key, text] of this.log.textsOf(runId)) {
      const complete = this.#since < firstSeq!
      if (!shown.has(key) && !complete) continue
      if (shown.get(key) !== text) this.#violation('text', `shows "${shown.get(key)}" for ${key} of ${runId} after its end, it says "${text}"`)
    }
    for (const key of shown.keys()) if (!this.log.textsOf(runId).has(key)) this.#violation('text', `shows ${key} of ${runId}, which the log does not know`)
  }

  #violation (rule: string, what: string): void {
    this.#world.journal.violation(rule, `${this.name} (${this.log.id}) ${what}`)
  }
}

/* One session's log as the database committed it, with every version that an event ever had. */
import { type Event, type EventOf, parseEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import type { Journal } from './journal.ts'
import { Texts } from './texts.ts'

export interface LoggedEvent extends Readonly<StoredEvent> {
  /** Its first text, and what compactions made of it. */
  readonly versions: string[]
  /** False once a compaction has removed it. */
  retained: boolean
  /** Of a delta: its message, what that said up to here, and the seq with which it began; null for other events. */
  readonly soFar: { key: string, text: string, since: number } | null
}

export class SessionLog {
  readonly id: string
  readonly events: LoggedEvent[] = []
  running: string | null = null
  compactedThrough = 0
  /** Compactions that are under way: they go in slices, and the log is compared when they have ended. */
  compacting = 0
  readonly #journal: Journal
  readonly #texts = new Texts()
  readonly #began = new Map<string, number>()

  constructor (id: string, journal: Journal) {
    this.id = id
    this.#journal = journal
  }

  get lastSeq (): number {
    return this.events.length
  }

  /** The event under a seq, retained or not. */
  at (seq: number): LoggedEvent | undefined {
    return this.events[seq - 1]
  }

  /** The run of which the event under `seq` is, if it was running then. */
  runningAt (seq: number): string | null {
    const event = this.at(seq)
    return event === undefined || event.kind === 'complete' ? null : event.runId
  }

  /** The requests that have no outcome in the log up to `seq`, oldest first. */
  pendingAt (seq: number): Array<EventOf<'permission_request'>> {
    const pending = new Map<string, EventOf<'permission_request'>>()
    for (const stored of this.events.slice(0, seq)) {
      if (!stored.kind.startsWith('permission_')) continue
      const event = parseEvent(stored)
      if (event.kind === 'permission_request') pending.set(event.requestId, event)
      else if (event.kind === 'permission_resolved' || event.kind === 'permission_cancelled') pending.delete(event.requestId)
    }
    return [...pending.values()]
  }

  /** What the messages of a run say by what was committed so far. */
  textsOf (runId: string): ReadonlyMap<string, string> {
    return this.#texts.of(runId)
  }

  /** Takes in one event that was just committed. */
  append (stored: StoredEvent): Event {
    const event = parseEvent(stored)
    const { seq, kind, runId } = stored
    const name = `${this.id}:${seq} ${kind}`
    if (seq !== this.lastSeq + 1) this.#journal.violation('C1', `${name} was committed behind ${this.lastSeq}`)
    if (event.seq !== seq || event.runId !== runId || event.kind !== kind || event.sessionId !== this.id) {
      this.#journal.violation('C2', `${name} is stored with another envelope: ${stored.json}`)
    }
    if (this.running === null) {
      if (event.kind !== 'text' || event.role !== 'user') this.#journal.violation('C4', `${name} of ${runId} was committed while no run was running`)
      this.running = runId
    } else if (this.running !== runId) {
      this.#journal.violation('C4', `${name} of ${runId} was committed while ${this.running} was running`)
    }
    if (kind === 'complete') this.running = null
    this.events.push({ ...stored, versions: [stored.json], retained: true, soFar: this.#soFar(event, runId) })
    return event
  }

  /** How far transient events may be gone by now. */
  get goneThrough (): number {
    return this.compacting > 0 ? this.lastSeq : this.compactedThrough
  }

  /** Compares the log with what a compaction left of it. */
  compacted (left: StoredEvent[], compactedThrough: number): void {
    const there = new Map(left.map((event) => [event.seq, event]))
    const violation = (what: string): void => this.#journal.violation('C2', `a compaction of ${this.id} ${what}`)
    if (compactedThrough < this.compactedThrough) violation(`moved compactedThrough back to ${compactedThrough}`)
    this.compactedThrough = compactedThrough
    const reader = new Texts()
    for (const event of this.events) {
      const stored = there.get(event.seq)
      there.delete(event.seq)
      if (stored === undefined) {
        if (event.retained && (!event.transient || event.seq > compactedThrough)) violation(`removed ${event.seq} ${event.kind}`)
        event.retained = false
        continue
      }
      if (stored.json !== event.versions.at(-1)) {
        if (event.soFar === null) violation(`rewrote ${event.seq} ${event.kind}`)
        event.versions.push(stored.json)
      }
      reader.take(parseEvent(stored))
    }
    if (there.size > 0) violation(`brought events: ${[...there.keys()].join()}`)
    for (const runId of new Set(this.events.map((event) => event.runId))) this.#compare(runId, reader)
  }

  #compare (runId: string, reader: Texts): void {
    const before = this.#texts.of(runId)
    const after = reader.of(runId)
    for (const [key, text] of before) {
      if (text !== after.get(key)) this.#journal.violation('text', `a compaction made of ${key} of ${runId} "${after.get(key)}", it was "${text}"`)
    }
  }

  #soFar (event: Event, runId: string): LoggedEvent['soFar'] {
    const key = this.#texts.take(event)
    if (event.kind !== 'stream_delta' && event.kind !== 'thinking_delta') return null
    const message = `${runId} ${key!}`
    const since = this.#began.get(message) ?? event.seq
    this.#began.set(message, since)
    return { key: key!, text: this.#texts.of(runId).get(key!)!, since }
  }
}

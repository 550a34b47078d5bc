/*
 * Which transient events of a run may go. Readers at any cursor still rebuild the same text: a delta goes only if its
 * message's durable whole is there (then all of that message go), or into a snapshot that holds the message's whole text so far and is set, not
 * appended. A snapshot never crosses a durable event that is part of what is said, so everything keeps its place.
 *
 * A run is read twice, event by event, so that nobody has to hold it: a survey finds how far to go, then the plan is made.
 */
import { ASIDE_KINDS, parseEvent, type StoredEvent } from '../protocol/event.ts'

export interface CompactionPlan {
  /** Seqs of events to delete, in ascending order. */
  remove: number[]
  /** Deltas that become snapshots, under their own seqs. */
  rewrite: StoredEvent[]
  /** Seqs at or below this may have holes now. */
  through: number
}

export interface RemovedEvent {
  seq: number
  /** Length of its JSON. */
  bytes: number
}

interface StreamedMessage {
  text: string
  firstSeq: number
  /** Its deltas since the last durable event: the last one, those before it, and how long they all are. */
  last: StoredEvent | null
  before: RemovedEvent[]
  bytes: number
}

const WHOLE_OF: Record<string, string> = { stream_delta: 'text', thinking_delta: 'thinking' }

/** What to do to leave about `keep` transient events of a run, the newest; null if there are no more. `events`: all of the run, in order. */
export function planCompaction (events: Iterable<StoredEvent>, keep: number): CompactionPlan | null {
  const survey = new CompactionSurvey()
  for (const event of events) survey.add(event)
  const planner = survey.planner(keep)
  if (planner === null) return null
  const rewrite: StoredEvent[] = []
  for (const event of events) rewrite.push(...planner.add(event))
  rewrite.push(...planner.end())
  const { remove, through } = planner
  return remove.length === 0 ? null : { remove: remove.map(({ seq }) => seq), rewrite, through }
}

/** The first reading: which events are transient, and which messages have their durable whole. */
export class CompactionSurvey {
  readonly #transient: number[] = []
  readonly #wholes = new Set<string>()
  #lastSeq = 0

  add (event: StoredEvent): void {
    this.#lastSeq = event.seq
    if (event.transient) this.#transient.push(event.seq)
    if (event.kind === 'text' || event.kind === 'thinking') this.#wholes.add(`${event.kind}:${messageOf(event).messageId}`)
  }

  /** How many transient events there are. */
  get transient (): number {
    return this.#transient.length
  }

  /** The seq of the last event. */
  get lastSeq (): number {
    return this.#lastSeq
  }

  /** For the second reading, of the same events; null if no more than `keep` are transient. */
  planner (keep: number): CompactionPlanner | null {
    const last = this.#transient[this.#transient.length - keep - 1]
    return last === undefined ? null : new CompactionPlanner(last, this.#lastSeq, this.#wholes)
  }
}

/** The second reading. */
export class CompactionPlanner {
  /** In ascending order of seq once the end was told. */
  readonly remove: RemovedEvent[] = []
  #through: number
  readonly #compacted: number
  readonly #lastSeq: number
  readonly #wholes: ReadonlySet<string>
  readonly #messages = new Map<string, StreamedMessage>()
  /** Messages that lose deltas, as their durable whole is there. They lose all: to a client that can only append, the rest would look like the beginning. */
  readonly #lost = new Set<string>()

  constructor (through: number, lastSeq: number, wholes: ReadonlySet<string>) {
    this.#through = through
    this.#compacted = through
    this.#lastSeq = lastSeq
    this.#wholes = wholes
  }

  /** See `CompactionPlan`. */
  get through (): number {
    return this.#through
  }

  /** Takes the next event; answers the snapshots that are complete now. */
  add (event: StoredEvent): StoredEvent[] {
    const { seq, transient } = event
    const key = transient ? keyOf(event) : null
    if (seq > this.#compacted) {
      // Stores count on from the newest event.
      if (key !== null && this.#lost.has(key) && seq !== this.#lastSeq) this.#drop(event)
      return []
    }
    if (key !== null && !this.#wholes.has(key)) this.#stream(key, event)
    else if (transient) {
      this.#drop(event)
      if (key !== null) this.#lost.add(key)
    } else if (!ASIDE_KINDS.has(event.kind)) return this.#merge()
    return []
  }

  /** No event follows; answers the last snapshots. */
  end (): StoredEvent[] {
    const snapshots = this.#merge()
    this.remove.sort((a, b) => a.seq - b.seq)
    return snapshots
  }

  #drop (event: StoredEvent): void {
    this.remove.push(removed(event))
    this.#through = Math.max(this.#through, event.seq)
  }

  #stream (key: string, event: StoredEvent): void {
    const { content, snapshot, fromSeq } = messageOf(event)
    let message = this.#messages.get(key)
    if (message === undefined) this.#messages.set(key, message = { text: '', firstSeq: fromSeq ?? event.seq, last: null, before: [], bytes: 0 })
    message.text = snapshot === true ? content : message.text + content
    if (message.last !== null) message.before.push(removed(message.last))
    message.last = event
    message.bytes += event.json.length
  }

  /** Makes one snapshot of the deltas of each message since the last durable event. */
  #merge (): StoredEvent[] {
    const snapshots: StoredEvent[] = []
    for (const message of this.#messages.values()) {
      const { last, before, bytes } = message
      Object.assign(message, { last: null, before: [], bytes: 0 })
      if (last === null || before.length === 0) continue
      const json = JSON.stringify({ ...parseEvent(last), content: message.text, snapshot: true, fromSeq: message.firstSeq })
      // A few words of a long message are shorter than all of it so far: many snapshots would grow with its square.
      if (json.length > bytes) continue
      for (const event of before) this.remove.push(event)
      snapshots.push({ ...last, json })
    }
    return snapshots
  }
}

function removed ({ seq, json }: StoredEvent): RemovedEvent {
  return { seq, bytes: json.length }
}

/** The message that a delta belongs to; null for other kinds. */
function keyOf (event: StoredEvent): string | null {
  const whole = WHOLE_OF[event.kind]
  return whole === undefined ? null : `${whole}:${messageOf(event).messageId}`
}

function messageOf (event: StoredEvent): { messageId: string, content: string, snapshot?: true, fromSeq?: number } {
  return parseEvent(event) as unknown as { messageId: string, content: string }
}

/*
 * Which transient events of a run may go. Readers at any cursor still rebuild the same text: a delta goes only if its
 * message's durable whole is there (then all of that message go), or into a snapshot that holds the message's whole text so far and is set, not
 * appended. A snapshot never crosses a durable event that is part of what is said, so everything keeps its place.
 */
import { ASIDE_KINDS, parseEvent, type StoredEvent } from './event.ts'

export interface CompactionPlan {
  /** Seqs of events to delete. */
  remove: number[]
  /** Deltas that become snapshots, under their own seqs. */
  rewrite: StoredEvent[]
  /** Seqs at or below this may have holes now. */
  through: number
}

interface StreamedMessage {
  text: string
  firstSeq: number
  /** Its deltas since the last durable event. */
  deltas: StoredEvent[]
}

const WHOLE_OF: Record<string, string> = { stream_delta: 'text', thinking_delta: 'thinking' }

/** What to do to leave about `keep` transient events of a run, the newest; null if there are no more. `events`: all of the run, in order. */
export function planCompaction (events: StoredEvent[], keep: number): CompactionPlan | null {
  const transient = events.filter((event) => event.transient)
  if (transient.length <= keep) return null
  const through = transient[transient.length - keep - 1]!.seq
  const wholes = new Set(events.filter(({ kind }) => kind === 'text' || kind === 'thinking').map((event) => `${event.kind}:${messageOf(event).messageId}`))
  const messages = new Map<string, StreamedMessage>()
  const plan: CompactionPlan = { remove: [], rewrite: [], through }
  /** Messages that lose deltas, as their durable whole is there. They lose all: what is left would look like the beginning to whoever can only append. */
  const lost = new Set<string>()
  for (const event of events) {
    const key = event.transient ? keyOf(event) : null
    if (event.seq > through) {
      // Stores count on from the newest event.
      if (key === null || !lost.has(key) || event === events.at(-1)) continue
      plan.remove.push(event.seq)
      plan.through = event.seq
    } else if (key !== null && !wholes.has(key)) addDelta(messages, key, event)
    else if (event.transient) {
      plan.remove.push(event.seq)
      if (key !== null) lost.add(key)
    } else if (!ASIDE_KINDS.has(event.kind)) merge(messages, plan)
  }
  merge(messages, plan)
  return plan.remove.length === 0 ? null : plan
}

function addDelta (messages: Map<string, StreamedMessage>, key: string, event: StoredEvent): void {
  const { content, snapshot, fromSeq } = messageOf(event)
  let message = messages.get(key)
  if (message === undefined) messages.set(key, message = { text: '', firstSeq: fromSeq ?? event.seq, deltas: [] })
  message.text = snapshot === true ? content : message.text + content
  message.deltas.push(event)
}

/** Which message a delta is of; null for what is none. */
function keyOf (event: StoredEvent): string | null {
  const whole = WHOLE_OF[event.kind]
  return whole === undefined ? null : `${whole}:${messageOf(event).messageId}`
}

/** Makes one snapshot of the deltas of each message since the last durable event. */
function merge (messages: Map<string, StreamedMessage>, plan: CompactionPlan): void {
  for (const message of messages.values()) {
    const last = message.deltas.pop()
    if (last === undefined) continue
    const json = JSON.stringify({ ...parseEvent(last), content: message.text, snapshot: true, fromSeq: message.firstSeq })
    const merged = message.deltas.reduce((bytes, delta) => bytes + delta.json.length, last.json.length)
    // A few words of a long message are shorter than all of it so far: many snapshots would grow with its square.
    if (message.deltas.length > 0 && json.length <= merged) {
      plan.remove.push(...message.deltas.map(({ seq }) => seq))
      plan.rewrite.push({ ...last, json })
    }
    message.deltas = []
  }
}

function messageOf (event: StoredEvent): { messageId: string, content: string, snapshot?: true, fromSeq?: number } {
  return parseEvent(event) as unknown as { messageId: string, content: string }
}

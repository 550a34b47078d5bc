/* Deltas → whole messages: whatever text a client saw as deltas ends as a durable `text` or `thinking`. */
import type { Event } from '../protocol/event.ts'

/** A message that was put together from its deltas. */
export interface AccumulatedMessage {
  kind: 'text' | 'thinking'
  messageId: string
  content: string
}

interface OpenMessage {
  kind: 'text' | 'thinking'
  messageId: string
  /** Each of about as many deltas: added one by one they were a string of objects that live as long as the message. */
  parts: string[]
  deltas: string[]
  bytes: number
  ended: boolean
}

const DELTAS_A_PART = 8

const WHOLE_OF = { stream_delta: 'text', thinking_delta: 'thinking' } as const

/** What became of the deltas of one run whose whole message has not come yet, in the order in which they began. */
export class DeltaAccumulator {
  readonly #open = new Map<string, OpenMessage>()
  /** The one that the newest delta belongs to, while it is open. */
  #newest: OpenMessage | null = null

  /** How many messages are unfinished. */
  get size (): number {
    return this.#open.size
  }

  /** Adds a delta; a snapshot holds the whole text so far. Answers how long the message is, in bytes. */
  delta (kind: keyof typeof WHOLE_OF, messageId: string, content: string, snapshot = false): number {
    const whole = WHOLE_OF[kind]
    let message = this.#newest
    // Mostly a message goes on.
    if (message === null || message.messageId !== messageId || message.kind !== whole) {
      const key = `${whole}:${messageId}`
      message = this.#open.get(key) ?? { kind: whole, messageId, parts: [], deltas: [], bytes: 0, ended: false }
      this.#open.set(key, message)
      this.#newest = message
    }
    if (snapshot) Object.assign(message, { parts: [], deltas: [], bytes: 0 })
    message.bytes += Buffer.byteLength(content)
    if (message.deltas.push(content) === DELTAS_A_PART) {
      message.parts.push(message.deltas.join(''))
      message.deltas = []
    }
    return message.bytes
  }

  /** No further delta of that message follows. */
  end (messageId: string): void {
    for (const message of this.#open.values()) {
      if (message.messageId === messageId) message.ended = true
    }
  }

  /** The message's durable whole has come; what was gathered of it is not needed. */
  whole (kind: 'text' | 'thinking', messageId: string): void {
    this.#open.delete(`${kind}:${messageId}`)
    this.#newest = null
  }

  /** The messages that are unfinished, oldest first. */
  open (): Array<Omit<AccumulatedMessage, 'content'>> {
    return [...this.#open.values()]
  }

  /** Takes out one message, ended or not; undefined if nothing of it is here. */
  take (kind: 'text' | 'thinking', messageId: string): AccumulatedMessage | undefined {
    return this.#take((message) => message.kind === kind && message.messageId === messageId)[0]
  }

  /** Takes out the messages that have ended. */
  takeEnded (): AccumulatedMessage[] {
    return this.#take((message) => message.ended)
  }

  /** Takes out all messages: nothing follows. */
  takeAll (): AccumulatedMessage[] {
    return this.#take(() => true)
  }

  #take (wanted: (message: OpenMessage) => boolean): AccumulatedMessage[] {
    const taken: AccumulatedMessage[] = []
    this.#newest = null
    for (const [key, message] of this.#open) {
      if (!wanted(message)) continue
      this.#open.delete(key)
      const { kind, messageId, parts, deltas } = message
      const content = parts.join('') + deltas.join('')
      if (content !== '') taken.push({ kind, messageId, content })
    }
    return taken
  }
}

/** The messages that a run's stored events leave unfinished. */
export function unfinishedMessages (events: Iterable<Event>): AccumulatedMessage[] {
  const deltas = new DeltaAccumulator()
  for (const event of events) {
    if (event.kind === 'stream_delta' || event.kind === 'thinking_delta') deltas.delta(event.kind, event.messageId, event.content, event.snapshot)
    else if (event.kind === 'text' || event.kind === 'thinking') deltas.whole(event.kind, event.messageId)
  }
  return deltas.takeAll()
}

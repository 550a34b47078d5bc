/* A stream that tells one run in a dialect. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type Event, parseEvent } from '../../../lib/protocol/event.ts'
import type { Frame } from '../../../lib/protocol/frames.ts'
import type { Format } from '../../../lib/streams/channel.ts'
import type { Opening } from '../../../lib/streams/subscriptions.ts'
import { EventStream, type EventStreamOptions } from '../../sse/event-stream.ts'
import { mergedDeltas } from './merged-deltas.ts'
import type { Dialect, DialectEncoder } from '../dialect.ts'

/** What is told. */
export interface DialectTelling {
  dialect: Dialect
  sessionId: string
  runId: string
  /** What the client has posted; null for a GET. */
  body: unknown
  /** The seq up to which an earlier stream has told the run. */
  told: number
}

// Parsed once for all that follow the session.
const parsed: Format<Event[]> = { encode: (events) => events.map(parseEvent) }

/** The end of a run, a pause and a goodbye end it well; whatever else happens cuts the connection, as an end would look like success. */
export class DialectConnection extends EventStream<Event[]> {
  readonly format = parsed
  readonly #runId: string
  readonly #told: number
  /** Let go once the encoder is there: a body may be a whole conversation, and a stream lasts for hours. */
  #telling: DialectTelling | null
  #encoder: DialectEncoder | null = null
  /** What was in the log when the stream began is a replay, up to here. */
  #lastSeq = 0
  #ended = false

  constructor (response: ServerResponse, headers: OutgoingHttpHeaders, options: EventStreamOptions, telling: DialectTelling) {
    super(response, { ...headers, ...telling.dialect.headers }, options)
    this.#runId = telling.runId
    this.#told = telling.told
    this.#telling = telling
  }

  override follow (opening: Opening): void {
    super.follow(opening)
    // It may have ended while it was being started.
    if (this.#ended) this.closed()
  }

  events (events: Event[]): boolean {
    let frames = ''
    for (const event of events[0]!.seq <= this.#lastSeq ? mergedDeltas(events) : events) {
      if (event.runId !== this.#runId || this.#ended) continue
      const encoder = this.#encoder!
      if (event.seq <= this.#told) {
        encoder.skip(event)
        continue
      }
      frames += encoder.encode(event)
      this.#ended = event.kind === 'complete' || encoder.paused
    }
    const hasRoom = frames === '' || this.writeEvents(() => this.writer.text(frames))
    if (this.#ended) this.closed()
    return hasRoom
  }

  frame (frame: Frame): void {
    if (frame.kind === 'chat_subscribed') {
      const { dialect, sessionId, runId, body } = this.#telling!
      this.#telling = null
      this.#lastSeq = frame.lastSeq
      const waiting = new Set(frame.pendingPermissions.map(({ requestId }) => requestId))
      this.#encoder = dialect.encoder({ sessionId, runId, body, waits: ({ seq, requestId }) => seq > frame.lastSeq || waiting.has(requestId) })
      this.text(this.#encoder.begin())
    } else if (frame.kind !== 'gap' && frame.kind !== 'queue_changed') {
      // Whole texts follow what was compacted; and our cursors come from the store.
      const frames = this.#encoder!.broken(frame)
      this.#ended = frames !== ''
      this.text(frames)
    }
  }

  override end (): void {
    if (this.#ended) super.end()
    else this.destroy()
  }
}

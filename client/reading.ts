/*
 * Where a client stands in a session's log, whatever brings the frames: what it has had already, what is missing, and where
 * it ends.
 */
import type { Event } from '../lib/protocol/event.ts'
import type { GapFrame, SubscribedFrame } from '../lib/protocol/words.ts'
import { RunsClientError } from './errors.ts'
import { isFrame } from './known-frame.ts'
import type { SubscriptionOptions } from './options.ts'
import type { StreamItem } from './stream-item.ts'

/** Whose `complete` is the last that is wanted: that of a run, or else the first behind a seq. */
interface End { runId: string | null, after: number }

export class Reading {
  readonly #untilComplete: boolean
  #cursor: number | 'latest'
  /** Up to here events may be gone. */
  #mayMiss = 0
  #lastSeq = 0
  /** Of the first connection, and of this one. */
  #end: End | null = null
  #latestEnd: End | null = null
  #over = false

  /** Throws INVALID_CURSOR, and INVALID_REQUEST at an `until` that does not exist: it would never end. */
  constructor ({ cursor = 0, until }: SubscriptionOptions) {
    if (cursor !== 'latest' && !(Number.isSafeInteger(cursor) && cursor >= 0)) throw new RunsClientError('INVALID_CURSOR', `${String(cursor)} is not a cursor: it must be a seq (0, 1, 2, …) or "latest".`)
    if (until !== undefined && until !== 'complete') throw new RunsClientError('INVALID_REQUEST', `until: "${String(until)}" is not known: it must be "complete", or nothing.`)
    this.#cursor = cursor
    this.#untilComplete = until === 'complete'
  }

  /** After what to read; what was had is at or below it. */
  get cursor (): number | 'latest' {
    return this.#cursor
  }

  /** How much the log held when the connection was made. */
  get lastSeq (): number {
    return this.#lastSeq
  }

  /** Whether all that was wanted is there. */
  get isOver (): boolean {
    return this.#over
  }

  /**
   * What to pass on of a received frame; null if nothing. Throws BAD_FRAME for an invalid frame, HOLE if an event is missing;
   * the cursor stays before both.
   */
  take (frame: unknown): StreamItem | null {
    if (!isFrame(frame)) throw new RunsClientError('BAD_FRAME', 'The server sent what is no frame.')
    if ('seq' in frame) return this.#event(frame)
    switch (frame.kind) {
      case 'chat_subscribed':
        return this.#subscribed(frame)
      case 'gap':
        return this.#gap(frame)
      case 'queue_changed':
        return frame
      case 'session_deleted':
        this.#over = true
        return frame
      default:
        // Of a later version, perhaps.
        return null
    }
  }

  #event (event: Event): Event | null {
    const cursor = this.#cursor === 'latest' ? event.seq - 1 : this.#cursor
    if (event.seq <= cursor) return null
    if (event.seq - 1 > Math.max(cursor, this.#mayMiss)) {
      throw new RunsClientError('HOLE', `The server sent event ${event.seq} after ${cursor}, though only up to ${this.#mayMiss} some may be missing.`, { sessionId: event.sessionId })
    }
    this.#cursor = event.seq
    if (event.kind === 'complete' && this.#isEnd(event)) this.#over = true
    return event
  }

  #isEnd ({ runId, seq }: Event): boolean {
    const end = this.#end
    return end !== null && (end.runId === null ? seq > end.after : runId === end.runId)
  }

  #subscribed (frame: SubscribedFrame): SubscribedFrame {
    const { cursor, lastSeq, compactedThrough, isProcessing, runId } = frame
    if (this.#cursor === 'latest') this.#cursor = cursor
    if (cursor > this.#cursor) throw new RunsClientError('HOLE', `The server goes on after ${cursor}, and not after ${this.#cursor}.`, { sessionId: frame.sessionId })
    this.#mayMiss = compactedThrough
    this.#lastSeq = lastSeq
    // Where nothing runs, the log ends with the `complete` of the latest run.
    this.#latestEnd = { runId, after: isProcessing ? lastSeq : lastSeq - 1 }
    if (this.#end === null && this.#untilComplete) {
      this.#end = this.#latestEnd
      this.#over = !isProcessing && lastSeq > 0 && cursor === lastSeq
    }
    return frame
  }

  #gap (frame: GapFrame): GapFrame {
    if (frame.reason === 'compacted') {
      this.#mayMiss = Math.max(this.#mayMiss, frame.to)
    } else {
      // The log is another one than the client knew.
      this.#cursor = 0
      if (this.#untilComplete) this.#end = this.#latestEnd
    }
    return frame
  }
}

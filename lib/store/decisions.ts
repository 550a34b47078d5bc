/*
 * What a store decides when a message comes, when its turn comes, and when a run ends from outside, given what is there: pure, so that every SQL
 * store decides alike. The reference in memory does not use it, and is what it is compared with.
 */
import { runsError } from '../protocol/errors.ts'
import { type Event, eventEncoder, type PendingEvent, pendingEvent, type RunIdentity, type StoredEvent } from '../protocol/event.ts'
import { ABORTED, completeFields } from '../protocol/run-ending.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import { unfinishedMessages } from './delta-accumulator.ts'
import type { MessageName, NewRun } from './store.ts'

/** What is in the session's way, read after the session was locked. */
export interface StartSnapshot<Run> {
  /** The run with the message's `runId`: the same call came before. */
  again: Run | undefined
  /** What the first of the message's names that is known stands for, and whether it asked for the same. */
  named: { run: Run, isSame: boolean } | undefined
  /** Whether the message was stopped before it came. */
  isStopped: boolean
  running: Run | undefined
  /** The first that waits. */
  next: Run | undefined
  /** How many wait, and the first and the last place among them (null if none waits). */
  queue: { length: number, first: number | null, last: number | null }
}

export type StartDecision<Run> =
  /** The message is this run already. */
  | { outcome: 'repeat', run: Run }
  | { outcome: 'busy', run: Run }
  | { outcome: 'refused' }
  /** A new run takes `position` in the queue; the running one is ended first if `interrupts`, and the first in the queue has its turn if `promotes`; it will not run if it `isCancelled`. */
  | { outcome: 'accept', position: number, interrupts: boolean, promotes: boolean, isCancelled: boolean }

/** Whether a name that is known was given to the same message. */
export function isSameMessage (known: string | null, { hash }: MessageName): boolean {
  return known === null || hash === null || known === hash
}

/** See `Store.startRun`. Throws IDEMPOTENCY_KEY_REUSED, QUEUE_FULL. */
export function decideStart<Run> ({ again, named, isStopped, running, next, queue }: StartSnapshot<Run>, request: NewRun): StartDecision<Run> {
  const { sessionId, onBusy, admit, maxQueued } = request
  if (again !== undefined) return { outcome: 'repeat', run: again }
  if (named !== undefined) {
    if (!named.isSame) throw runsError('IDEMPOTENCY_KEY_REUSED')
    return { outcome: 'repeat', run: named.run }
  }
  if (admit === 'nothing') return { outcome: 'refused' }
  const inTheWay = running ?? next
  if (onBusy === 'reject' && inTheWay !== undefined) return { outcome: 'busy', run: inTheWay }
  // It needs no slot.
  if (isStopped && inTheWay === undefined) return { outcome: 'accept', position: 1, interrupts: false, promotes: true, isCancelled: true }
  if (onBusy === 'reject' && admit === 'queue') return { outcome: 'refused' }
  const isFirst = onBusy === 'interrupt' && !isStopped
  const waits = admit === 'queue' || (!isFirst && inTheWay !== undefined)
  if (waits && queue.length >= maxQueued) throw runsError('QUEUE_FULL', [sessionId])
  return {
    outcome: 'accept',
    position: isFirst ? (queue.first ?? 1) - 1 : (queue.last ?? 0) + 1,
    interrupts: isFirst && running !== undefined,
    promotes: admit === 'run' && (running === undefined || isFirst),
    isCancelled: isStopped
  }
}

/** The first message that waits, and the session's newest seq. */
export interface NextMessage {
  run: RunIdentity
  /** The fields of its `text`, encoded. */
  fields: string
  isCancelled: boolean
  lastSeq: number
}

/** What is appended when a message's turn comes. One that was cancelled ends at once: then `completeSeq` is the seq of its end, and it is the next one's turn. */
export function decideTurn ({ run, fields, isCancelled, lastSeq }: NextMessage, now: Date): { events: StoredEvent[], completeSeq: number | null } {
  const pending: PendingEvent[] = [{ kind: 'text', transient: false, timestamp: now.toISOString(), fields }]
  if (isCancelled) pending.push(pendingEvent('complete', completeFields(run.sessionId, ABORTED)))
  return { events: encode(run, pending, lastSeq), completeSeq: isCancelled ? lastSeq + pending.length : null }
}

/** What is there of a run that is to end from outside: its driver is dead, or elsewhere. */
export interface DrivenRun {
  run: RunIdentity
  /** The session's newest seq. */
  lastSeq: number
  /** The run's messages and deltas so far, in order. */
  messages: Iterable<Event>
  /** The ids of its approvals without an outcome, oldest first. */
  unsettled: string[]
}

/** What such an end appends: what the deltas leave unfinished as whole messages, the end of approvals, and last the `complete`. */
export function decideEnd ({ run, lastSeq, messages, unsettled }: DrivenRun, ending: RunEnding): StoredEvent[] {
  return encode(run, [
    ...unfinishedMessages(messages).map(({ kind, messageId, content }) => kind === 'text'
      ? pendingEvent('text', { role: 'assistant', messageId, content })
      : pendingEvent('thinking', { messageId, content })),
    ...unsettled.map((requestId) => pendingEvent('permission_cancelled', { requestId, reason: ending.reason })),
    pendingEvent('complete', completeFields(run.sessionId, ending))
  ], lastSeq)
}

function encode (run: RunIdentity, pending: PendingEvent[], lastSeq: number): StoredEvent[] {
  const encoder = eventEncoder(run)
  return pending.map((event, index) => encoder(event, lastSeq + 1 + index))
}

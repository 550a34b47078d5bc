/* Events and frames as a server sends them, for clients that are tested without one. */
import type { Event, EventKind, EventOf } from '../../lib/protocol/event.ts'
import type { EventKinds, GapFrame, SubscribedFrame } from '../../lib/protocol/words.ts'

/** The event `seq` of a run, by default of run `r`. */
export function event<K extends EventKind> (seq: number, kind: K, fields: EventKinds[K], runId = 'r'): EventOf<K> {
  return { kind, sessionId: 's', runId, seq, provider: 'p', timestamp: '2026-11-22T12:00:00.000Z', ...fields } as unknown as EventOf<K>
}

/** A delta of one message whose text says its seq. */
export function delta (seq: number): Event {
  return event(seq, 'stream_delta', { messageId: 'm', content: `${seq} ` })
}

export function deltas (from: number, to: number): Event[] {
  return Array.from({ length: to - from + 1 }, (_, index) => delta(from + index))
}

export function complete (seq: number, runId = 'r'): Event {
  return event(seq, 'complete', { exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 's' }, runId)
}

export function subscribed (fields: Partial<SubscribedFrame> = {}): SubscribedFrame {
  return { kind: 'chat_subscribed', sessionId: 's', isProcessing: true, runId: 'r', waiting: [], cursor: 0, lastSeq: fields.cursor ?? 0, compactedThrough: 0, pendingPermissions: [], morePendingPermissions: [], ...fields }
}

export function gap (reason: GapFrame['reason'], from: number, to: number): GapFrame {
  return { kind: 'gap', sessionId: 's', reason, from, to }
}

/* Events → what a chat shows: a pure reducer. */
import type { CompleteEvent, Event, EventOf } from '../lib/protocol/event.ts'
import type { WaitingMessage } from '../lib/protocol/words.ts'
import type { StreamItem } from './stream-item.ts'
import { changedPart, endedPart, partKey, type TranscriptPart } from './transcript-part.ts'

/** One run: the message that started it, and what the agent made of it. */
export interface TranscriptRun {
  runId: string
  provider: string
  status: 'running' | 'completed'
  /** Its end; null before. */
  complete: CompleteEvent | null
  /** In the order of first appearance. */
  parts: TranscriptPart[]
  /** What the agent said last of what it used. */
  usage: Record<string, unknown> | null
  /** What the agent says that it does; null once it has ended. */
  activity: string | null
}

/** What a client knows of a session. */
export interface Transcript {
  /** The seq up to which everything is in it: from where to follow. */
  cursor: number
  /** Oldest first. */
  runs: TranscriptRun[]
  /** The messages that wait their turn, next first. */
  waiting: WaitingMessage[]
}

/** Nothing, from the beginning. */
export const emptyTranscript: Transcript = { cursor: 0, runs: [], waiting: [] }

/**
 * The transcript with one item more. Never changes its argument; returns it if nothing changed, and shares every run and
 * part that did not. Items that it had already change nothing; kinds that it does not know move only the cursor.
 */
export function fold (transcript: Transcript, item: StreamItem): Transcript {
  if ('seq' in item) return item.seq <= transcript.cursor ? transcript : { ...applied(transcript, item), cursor: item.seq }
  switch (item.kind) {
    case 'chat_subscribed': {
      // Who starts in the middle is asked all the same; what comes behind the cursor comes as an event.
      const waiting = item.pendingPermissions.filter(({ seq, runId, requestId }) => seq <= item.cursor && !holds(transcript, runId, `permission:${requestId}`))
      const asked = waiting.reduce<Transcript>(applied, transcript)
      const told = withWaiting(asked, item.waiting ?? [])
      return item.cursor <= told.cursor ? told : { ...told, cursor: item.cursor }
    }
    case 'queue_changed':
      return withWaiting(transcript, item.waiting)
    case 'gap':
      return item.reason === 'compacted' || transcript.cursor === 0 ? transcript : emptyTranscript
    case 'session_deleted':
      return transcript
  }
}

/** Without those that have had their turn: their messages are in the log. */
function withWaiting (transcript: Transcript, told: readonly WaitingMessage[]): Transcript {
  const waiting = told.filter(({ runId }) => !transcript.runs.some((run) => run.runId === runId))
  return waiting.length + transcript.waiting.length === 0 ? transcript : { ...transcript, waiting }
}

function holds ({ runs }: Transcript, runId: string, key: string): boolean {
  return runs.some((run) => run.runId === runId && run.parts.some((part) => part.key === key))
}

function applied (transcript: Transcript, event: Event): Transcript {
  const { runs } = transcript
  // Almost always the last one.
  const index = runs.findLastIndex(({ runId }) => runId === event.runId)
  const run = runs[index] ?? { runId: event.runId, provider: event.provider, status: 'running', complete: null, parts: [], usage: null, activity: null }
  const changed = changedRun(run, event)
  if (changed === runs[index]) return transcript
  if (index !== -1) return { ...transcript, runs: runs.with(index, changed) }
  const waiting = transcript.waiting.some(({ runId }) => runId === run.runId) ? transcript.waiting.filter(({ runId }) => runId !== run.runId) : transcript.waiting
  return { ...transcript, runs: [...runs, changed], waiting }
}

function changedRun (run: TranscriptRun, event: Event): TranscriptRun {
  switch (event.kind) {
    case 'stream_end': {
      const ended = run.parts.map((part) => 'messageId' in part && part.messageId === event.messageId ? endedPart(part) : part)
      return sameItems(ended, run.parts) ? run : { ...run, parts: ended }
    }
    case 'usage':
      return { ...run, usage: usageOf(event) }
    case 'status':
      return { ...run, activity: event.text }
    case 'complete': {
      return { ...run, status: 'completed', complete: event, parts: run.parts.map(endedPart), usage: event.usage ?? run.usage, activity: null }
    }
    default: {
      const key = partKey(event)
      if (key === null) return run
      const index = run.parts.findLastIndex((part) => part.key === key)
      const part = changedPart(key, run.parts[index], event)
      if (part === undefined) return run
      return { ...run, parts: index === -1 ? [...run.parts, part] : run.parts.with(index, part) }
    }
  }
}

function sameItems (some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.every((item, index) => item === others[index])
}

function usageOf ({ kind, sessionId, runId, seq, provider, timestamp, ...usage }: EventOf<'usage'>): Record<string, unknown> {
  return usage
}

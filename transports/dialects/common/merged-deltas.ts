/* A replay is told in large pieces: thousands of deltas would be as many frames, and as many renders of a page. */
import { ENVELOPE_FIELDS, type Event, type EventOf } from '../../../lib/protocol/event.ts'

type Delta = EventOf<'stream_delta' | 'thinking_delta'>

const PLAIN: ReadonlySet<string> = new Set([...ENVELOPE_FIELDS, 'messageId', 'content'])

/** The events, with the deltas that follow each other in one message as one, under the seq of the last. */
export function mergedDeltas (events: Event[]): Event[] {
  const merged: Event[] = []
  let open: { first: Delta, contents: string[] } | null = null
  const close = (): void => {
    if (open !== null) merged[merged.length - 1] = { ...merged.at(-1) as Delta, content: open.contents.join('') }
    open = null
  }
  for (const event of events) {
    if (open !== null && isPlainDelta(event) && event.kind === open.first.kind && event.messageId === open.first.messageId && event.runId === open.first.runId) {
      open.contents.push(event.content)
      merged[merged.length - 1] = event
      continue
    }
    close()
    merged.push(event)
    if (isPlainDelta(event)) open = { first: event, contents: [event.content] }
  }
  close()
  return merged
}

/** Whether a delta says nothing but its text: what else an agent adds is kept with the piece that it belongs to. */
function isPlainDelta (event: Event): event is Delta {
  return (event.kind === 'stream_delta' || event.kind === 'thinking_delta') && Object.keys(event).every((name) => PLAIN.has(name))
}

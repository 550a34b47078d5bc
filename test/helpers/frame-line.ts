/* A frame in a few words, for sequences that people read. */
import type { Event } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'

/** Its kind, and what tells it from others of its kind. */
export function frameLine (frame: Event | Frame): string {
  if (frame.kind === 'chat_subscribed') return `chat_subscribed ${frame.cursor}`
  if (frame.kind === 'complete') return `complete ${frame.reason}`
  return 'content' in frame ? `${frame.kind} ${String(frame.content)}` : frame.kind
}

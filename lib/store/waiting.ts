/* What is shown of a message while it waits. */
import { PREVIEW_LENGTH } from '../protocol/limits.ts'
import type { MessageContent, RunMessage, WaitingMessage } from '../protocol/words.ts'

/** The message in the fields of its `text` event. */
export function messageIn (fields: string): RunMessage {
  const { messageId, content } = JSON.parse(fields) as RunMessage
  return { messageId, content }
}

/** What a session's view shows of a message; `fields` are those of its `text`, `createdAt` is in ms since 1970. */
export function waitingMessage (runId: string, fields: string, createdAt: number): WaitingMessage {
  const { messageId, content } = messageIn(fields)
  return { runId, messageId, preview: previewOf(content), createdAt: new Date(createdAt).toISOString() }
}

/** The beginning of a message's text, in one line. Never half a character. */
function previewOf (content: MessageContent): string {
  const texts = typeof content === 'string' ? [content] : content.flatMap((part) => part.type === 'text' ? [part.text] : [])
  // A character takes two units at most; what is cut in the middle goes with the rest.
  const beginning = texts.map((text) => text.slice(0, PREVIEW_LENGTH * 4)).join(' ').replaceAll(/[\s\p{Cc}]+/gu, ' ').trim().toWellFormed()
  return Array.from(beginning).slice(0, PREVIEW_LENGTH).join('')
}

/* Texts for clients that can only append: what they have been told cannot be taken back. */
import type { MessageContent } from '../../../lib/protocol/message-content.ts'

export class GrowingTexts {
  readonly #told = new Map<string, string>()

  /** What a client has been told of a message; undefined if nothing yet. */
  told (messageId: string): string | undefined {
    return this.#told.get(messageId)
  }

  /** What to append for a delta. */
  append (messageId: string, { content, snapshot }: { content: string, snapshot?: boolean }): string {
    if (snapshot === true) return this.replace(messageId, content)
    this.#told.set(messageId, (this.#told.get(messageId) ?? '') + content)
    return content
  }

  /** What to append for a text that replaces all that came before; nothing if it does not go on from there. */
  replace (messageId: string, content: MessageContent): string {
    const told = this.#told.get(messageId) ?? ''
    const whole = plain(content)
    if (!whole.startsWith(told)) return ''
    this.#told.set(messageId, whole)
    return whole.slice(told.length)
  }
}

/** The text in a message's content. */
export function plain (content: MessageContent): string {
  if (typeof content === 'string') return content
  return content.map((part) => part.type === 'text' ? part.text : '').join('')
}

/*
 * Texts for clients that can only append: what they have been told cannot be taken back. Of each text its length and a hash are
 * kept, not the text: a stream may tell of many megabytes, and there are many streams.
 */
import type { MessageContent } from '../../../lib/protocol/words.ts'

/** What is remembered of a text. */
export interface TextMark {
  length: number
  hash: number
}

const NOTHING: TextMark = { length: 0, hash: 0 }

/** The mark of a text that goes on behind that of another. */
export function markOf (text: string, { length, hash }: TextMark = NOTHING): TextMark {
  return { length: length + text.length, hash: hashOf(text, 0, text.length, hash) }
}

/** Whether a text begins with the one that a mark is of. */
export function beginsWith (text: string, { length, hash }: TextMark): boolean {
  return text.length >= length && hashOf(text, 0, length) === hash
}

export class GrowingTexts {
  readonly #told = new Map<string, TextMark>()

  /** Whether a client has been told anything of a message. */
  has (messageId: string): boolean {
    return this.#told.has(messageId)
  }

  /** What to append for a delta. */
  append (messageId: string, { content, snapshot }: { content: string, snapshot?: boolean }): string {
    if (snapshot === true) return this.replace(messageId, content)
    this.#told.set(messageId, markOf(content, this.#told.get(messageId)))
    return content
  }

  /** What to append for a text that replaces all that came before; nothing if it does not go on from there. */
  replace (messageId: string, content: MessageContent): string {
    const told = this.#told.get(messageId) ?? NOTHING
    const whole = plain(content)
    if (!beginsWith(whole, told)) return ''
    const more = whole.slice(told.length)
    this.#told.set(messageId, markOf(more, told))
    return more
  }
}

/** A hash of characters that goes on from that of those before them. Two 26-bit sums in one number: texts that differ by chance do not collide. */
function hashOf (text: string, from: number, to: number, before = 0): number {
  let low = before % 0x4000000
  let high = Math.floor(before / 0x4000000)
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at) + 1
    low = (low * 31 + code) % 0x3fffffb
    high = (high * 257 + code) % 0x3ffffdd
  }
  return high * 0x4000000 + low
}

/** The text in a message's content. */
export function plain (content: MessageContent): string {
  if (typeof content === 'string') return content
  return content.map((part) => part.type === 'text' ? part.text : '').join('')
}

/*
 * Texts for clients that can only append: what they have been told cannot be taken back. Of each text its length and a hash are
 * kept, not the text: a stream may tell of many megabytes, and there are many streams.
 */
import type { MessageContent } from '../../../lib/protocol/message-content.ts'

interface Told {
  length: number
  hash: number
}

const NOTHING: Told = { length: 0, hash: 0 }

export class GrowingTexts {
  readonly #told = new Map<string, Told>()

  /** Whether a client has been told anything of a message. */
  has (messageId: string): boolean {
    return this.#told.has(messageId)
  }

  /** What to append for a delta. */
  append (messageId: string, { content, snapshot }: { content: string, snapshot?: boolean }): string {
    if (snapshot === true) return this.replace(messageId, content)
    const { length, hash } = this.#told.get(messageId) ?? NOTHING
    this.#told.set(messageId, { length: length + content.length, hash: hashOf(content, 0, content.length, hash) })
    return content
  }

  /** What to append for a text that replaces all that came before; nothing if it does not go on from there. */
  replace (messageId: string, content: MessageContent): string {
    const { length, hash } = this.#told.get(messageId) ?? NOTHING
    const whole = plain(content)
    if (whole.length < length || hashOf(whole, 0, length) !== hash) return ''
    this.#told.set(messageId, { length: whole.length, hash: hashOf(whole, length, whole.length, hash) })
    return whole.slice(length)
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

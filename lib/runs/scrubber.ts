/*
 * Keeps provider-native session ids inside: whatever a provider yields passes through here before it is stored.
 *
 * Known ids are replaced by the app's session id wherever they occur in strings and keys, as they are or URL-encoded.
 * Ids under 8 characters are replaced only as whole values: as parts of text they would hit innocent words. Of an id that a
 * message breaks off in, at most 7 characters leave.
 */

import { ENVELOPE_FIELDS } from '../protocol/event.ts'
import { toJson } from '../protocol/json.ts'

const MIN_PART_LENGTH = 8
const ID_FIELDS = ['session_id', 'providerSessionId', 'newSessionId', 'actualSessionId']

type Fields = Record<string, unknown>

/** The scrubber of one run; knows every native id that its session ever had. */
export class Scrubber {
  readonly #sessionId: string
  readonly #wholes = new Set<string>()
  /** Ids that are replaced wherever they occur, longest first: one may be the start of another. */
  #parts: string[] = []
  /** What the JSON of anything that holds an id holds. */
  readonly #needles: string[] = []
  /** Of each id, for each of its characters: how long the longest start of the id is that ends there and is not all up to there. */
  readonly #borders = new Map<string, Uint16Array>()
  readonly #held = new Map<string, string>()
  #version = 0

  constructor (sessionId: string, providerSessionIds: readonly string[]) {
    this.#sessionId = sessionId
    for (const id of providerSessionIds) this.add(id)
  }

  /** From now on `id` is replaced. */
  add (id: string): void {
    if (id === this.#sessionId || this.#wholes.has(id) || this.#parts.includes(id)) return
    this.#version++
    if (id.length < MIN_PART_LENGTH) {
      this.#wholes.add(id)
      this.#needles.push(JSON.stringify(id))
      return
    }
    for (const form of new Set([id, encodeURIComponent(id.toWellFormed())])) {
      this.#parts.push(form)
      this.#needles.push(JSON.stringify(form).slice(1, -1))
      this.#borders.set(form, bordersOf(form))
    }
    this.#parts.sort((a, b) => b.length - a.length)
  }

  /** Changes with each id that is added. */
  get version (): number {
    return this.#version
  }

  /** `text` without native ids. */
  text (text: string): string {
    if (this.#wholes.has(text) || this.#borders.has(text)) return this.#sessionId
    return text.length < MIN_PART_LENGTH ? text : this.#replaceParts(text)
  }

  /** The whole of a message without native ids, nor the start of one at its end. */
  message (text: string): string {
    return this.#parts.length === 0 || this.#wholes.has(text) ? this.text(text) : this.#withoutStart(text)
  }

  /**
   * An event's fields without native ids, and their JSON. Only fields whose JSON holds an id are walked, so a clean
   * event costs one encoding. Throws what `toJson` throws.
   */
  fields (fields: Fields): { fields: Fields, json: string } {
    for (const name of ID_FIELDS) {
      if (typeof fields[name] === 'string') fields = { ...fields, [name]: this.#sessionId }
    }
    const json = toJson(fields)
    if (!this.#needles.some((needle) => json.includes(needle))) return { fields, json }
    // What is walked is what would be sent: the parsed JSON, not the provider's live objects.
    const clean = this.#walk(JSON.parse(json)) as Fields
    // A key that was a native id is now one that the client chose.
    for (const name of ENVELOPE_FIELDS) delete clean[name]
    return { fields: clean, json: JSON.stringify(clean) }
  }

  /**
   * The part of a stream that may go out now: `content` after what was held back of `stream`, less a tail that could
   * be the start of a native id.
   */
  delta (stream: string, content: string): string {
    if (this.#parts.length === 0) return content
    const text = (this.#held.get(stream) ?? '') + content
    const tail = this.#possibleStart(text)
    if (tail < text.length) this.#held.set(stream, text.slice(tail))
    else this.#held.delete(stream)
    return this.#replaceParts(text.slice(0, tail))
  }

  /** Whether something of `stream` is held back. */
  holds (stream: string): boolean {
    return this.#held.has(stream)
  }

  /** What is held back of `stream`, which ends here. */
  flush (stream: string): string {
    const held = this.#held.get(stream) ?? ''
    this.#held.delete(stream)
    return this.#withoutStart(held)
  }

  /** Text that nothing follows: of a tail that is the start of an id too little is left to know the id by. */
  #withoutStart (text: string): string {
    if (this.#parts.length === 0) return text
    const start = this.#possibleStart(text)
    const before = this.#replaceParts(text.slice(0, start))
    const tail = text.slice(start)
    if (tail === '') return before
    if (!this.#parts.some((part) => part.startsWith(tail))) return before + this.#withoutStart(tail)
    // The start of a long id may hold the whole of a shorter one.
    const clean = this.#replaceParts(tail)
    return before + (clean === tail ? tail.slice(0, MIN_PART_LENGTH - 1) : clean)
  }

  #replaceParts (text: string): string {
    let clean = ''
    let end = 0
    for (const { index, length } of this.#matches(text)) {
      clean += text.slice(end, index) + this.#sessionId
      end = index + length
    }
    return end === 0 ? text : clean + text.slice(end)
  }

  /** Where ids stand in `text`, from left to right, the longest where several begin. Not a regular expression: many long ids make one too large. */
  * #matches (text: string): Generator<{ index: number, length: number }> {
    // Our own id comes first and is replaced by itself: it may hold a native one.
    const ids = [this.#sessionId, ...this.#parts].map((id) => ({ id, index: text.indexOf(id) })).filter(({ index }) => index !== -1)
    for (let from = 0; ;) {
      let next: typeof ids[number] | null = null
      for (const each of ids) {
        if (each.index !== -1 && each.index < from) each.index = text.indexOf(each.id, from)
        if (each.index !== -1 && (next === null || each.index < next.index)) next = each
      }
      if (next === null) return
      yield { index: next.index, length: next.id.length }
      from = next.index + next.id.length
    }
  }

  /** Where the first tail of `text` begins that could be the start of an id, and is not part of one that is complete. */
  #possibleStart (text: string): number {
    let longest = 0
    for (const [part, borders] of this.#borders) longest = Math.max(longest, startAtEnd(text, part, borders))
    return longest === 0 ? text.length : this.#behindMatch(text, text.length - longest)
  }

  #behindMatch (text: string, position: number): number {
    for (const { index, length } of this.#matches(text)) {
      if (index < position && index + length > position) return index + length
    }
    return position
  }

  #walk (value: unknown): unknown {
    if (typeof value === 'string') return this.text(value)
    if (Array.isArray(value)) return value.map((item) => this.#walk(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.#walk(item)]))
  }
}

/** The tables of Knuth, Morris and Pratt's search, which reads each character once, whatever the ids look like. */
function bordersOf (id: string): Uint16Array {
  const borders = new Uint16Array(id.length)
  for (let at = 1, length = 0; at < id.length; at++) {
    while (length > 0 && id[at] !== id[length]) length = borders[length - 1]!
    if (id[at] === id[length]) length++
    borders[at] = length
  }
  return borders
}

/** How long the longest start of `id`, but not all of it, is with which `text` ends. */
function startAtEnd (text: string, id: string, borders: Uint16Array): number {
  // Most texts have no character in question.
  let at = text.indexOf(id[0]!, text.length - id.length + 1)
  let length = 0
  while (at !== -1 && at < text.length) {
    while (length > 0 && text[at] !== id[length]) length = borders[length - 1]!
    if (text[at] === id[length]) length++
    at = length === 0 ? text.indexOf(id[0]!, at + 1) : at + 1
  }
  return length
}

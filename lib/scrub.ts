/*
 * Keeps provider-native session ids inside: whatever a provider yields passes through here before it is stored.
 *
 * Known ids are replaced by the app's session id wherever they occur in strings and keys, as they are or URL-encoded.
 * Ids under 8 characters are replaced only as whole values: as parts of text they would hit innocent words.
 */

const MIN_PART_LENGTH = 8
const ID_FIELDS = ['session_id', 'providerSessionId', 'newSessionId', 'actualSessionId']

type Fields = Record<string, unknown>

/** The scrubber of one run; knows every native id that its session ever had. */
export class Scrubber {
  readonly #sessionId: string
  readonly #wholes = new Set<string>()
  #parts: string[] = []
  #needles: string[] = []
  #firstCharacters = new Set<string>()
  #longest = 0
  readonly #held = new Map<string, string>()

  constructor (sessionId: string, providerSessionIds: readonly string[]) {
    this.#sessionId = sessionId
    for (const id of providerSessionIds) this.add(id)
  }

  /** From now on `id` does not leave. */
  add (id: string): void {
    if (id === this.#sessionId) return
    if (id.length < MIN_PART_LENGTH) {
      if (this.#wholes.has(id)) return
      this.#wholes.add(id)
      this.#needles.push(JSON.stringify(id))
      return
    }
    for (const form of new Set([id, encodeURIComponent(id.toWellFormed())])) {
      if (this.#parts.includes(form)) continue
      // Longest first: one id may be the start of another.
      this.#parts = [...this.#parts, form].sort((a, b) => b.length - a.length)
      this.#needles.push(JSON.stringify(form).slice(1, -1))
      this.#firstCharacters.add(form[0]!)
      this.#longest = Math.max(this.#longest, form.length)
    }
  }

  /** `text` without native ids. */
  text (text: string): string {
    if (this.#wholes.has(text)) return this.#sessionId
    return this.#replaceParts(text)
  }

  /**
   * An event's fields without native ids, and their JSON. Only fields whose JSON holds an id are walked, so a clean
   * event costs one encoding. Throws what `JSON.stringify` throws.
   */
  fields (fields: Fields): { fields: Fields, json: string } {
    for (const name of ID_FIELDS) {
      if (typeof fields[name] === 'string') fields = { ...fields, [name]: this.#sessionId }
    }
    const json = JSON.stringify(fields)
    if (!this.#needles.some((needle) => json.includes(needle))) return { fields, json }
    // What is walked is what would be sent: the parsed JSON, not the provider's live objects.
    const clean = this.#walk(JSON.parse(json)) as Fields
    return { fields: clean, json: JSON.stringify(clean) }
  }

  /**
   * The part of a stream that may go out now: `content` after what was held back of `stream`, less a tail that could
   * be the start of a native id.
   */
  delta (stream: string, content: string): string {
    if (this.#parts.length === 0) return content
    const text = this.#replaceParts(this.flush(stream) + content)
    const tail = this.#possibleStart(text)
    if (tail === text.length) return text
    this.#held.set(stream, text.slice(tail))
    return text.slice(0, tail)
  }

  /** What is held back of `stream`, which ends here. */
  flush (stream: string): string {
    const held = this.#held.get(stream) ?? ''
    this.#held.delete(stream)
    return held
  }

  #replaceParts (text: string): string {
    for (const part of this.#parts) {
      if (text.includes(part)) text = text.replaceAll(part, () => this.#sessionId)
    }
    return text
  }

  #possibleStart (text: string): number {
    for (let start = Math.max(0, text.length - this.#longest + 1); start < text.length; start++) {
      if (!this.#firstCharacters.has(text[start]!)) continue
      const tail = text.slice(start)
      if (this.#parts.some((part) => part.startsWith(tail))) return start
    }
    return text.length
  }

  #walk (value: unknown): unknown {
    if (typeof value === 'string') return this.text(value)
    if (Array.isArray(value)) return value.map((item) => this.#walk(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.#walk(item)]))
  }
}

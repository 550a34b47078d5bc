/* The lines of an agent's protocol: one JSON object each. Banners and escape sequences between them are noise. */
import { stripVTControlCharacters } from 'node:util'
import { ProviderError } from '../../lib/provider/provider.ts'

/** The longest line, in bytes: what reads the protocol keeps a line until its end. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/** The JSON object in a line that has noise around it; null if the line is only noise. */
export function objectIn (line: string): string | null {
  const text = stripVTControlCharacters(line)
  const start = text.indexOf('{')
  if (start === -1) return null
  const json = text.slice(start, text.lastIndexOf('}') + 1)
  try {
    JSON.parse(json)
    return json
  } catch {
    return null
  }
}

/** Filters the bytes that an agent writes: lines that begin with `{` and end with `}` pass as they are, others as the object in them. */
export class ProtocolLines {
  /** Of the line that has not ended yet. */
  #bytes = 0
  /** The beginning of a line that does not begin with `{`; null in the middle of one that does. */
  #noise: Uint8Array[] | null = []
  readonly #onNoise: (line: string) => void

  /** `onNoise` gets each line that holds no object. */
  constructor (onNoise: (line: string) => void) {
    this.#onNoise = onNoise
  }

  /** What to hand on of the next bytes. Throws a ProviderError AGENT_LINE_TOO_LONG. */
  take (chunk: Uint8Array): Uint8Array {
    const pieces: Uint8Array[] = []
    let isClean = true
    for (let start = 0; start < chunk.length;) {
      const end = chunk.indexOf(LINE_FEED, start) + 1 || chunk.length
      pieces.push(this.#piece(chunk.subarray(start, end)))
      isClean &&= this.#noise === null
      start = end
    }
    return isClean ? chunk : Buffer.concat(pieces)
  }

  /** Takes a piece of one line. */
  #piece (piece: Uint8Array): Uint8Array {
    const isEnd = piece.at(-1) === LINE_FEED
    // A line that came in several pieces has been handed on in part when its end is seen.
    if (this.#bytes === 0) this.#noise = piece[0] === OPENING_BRACE && !(isEnd && !endsAsObject(piece)) ? null : []
    this.#bytes += piece.length
    if (this.#bytes - Number(isEnd) > MAX_LINE_BYTES) throw new ProviderError('The agent wrote a line that is too long.', { code: 'AGENT_LINE_TOO_LONG' })
    if (isEnd) this.#bytes = 0
    if (this.#noise === null) return piece
    this.#noise.push(piece)
    if (!isEnd) return new Uint8Array()
    const line = Buffer.concat(this.#noise).toString()
    const object = objectIn(line)
    if (object === null && line.trim() !== '') this.#onNoise(line.trim())
    return Buffer.from(object === null ? '' : `${object}\n`)
  }
}

function endsAsObject (line: Uint8Array): boolean {
  return line.at(-2) === CLOSING_BRACE || (line.at(-2) === CARRIAGE_RETURN && line.at(-3) === CLOSING_BRACE)
}

/* How long a line of an agent may be: what reads its protocol keeps a line until its end. */
import { ProviderError } from '../../lib/provider/provider.ts'

/** The longest line, in bytes. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024
const LINE_FEED = 0x0a

export class LineLimit {
  /** Of the line that has not ended yet. */
  #bytes = 0

  /** Takes the next bytes of the output. Throws a ProviderError AGENT_LINE_TOO_LONG. */
  take (chunk: Uint8Array): void {
    const first = chunk.indexOf(LINE_FEED)
    this.#bytes += first === -1 ? chunk.length : first
    if (this.#bytes > MAX_LINE_BYTES) throw new ProviderError('The agent wrote a line that is too long.', { code: 'AGENT_LINE_TOO_LONG' })
    if (first !== -1) this.#bytes = chunk.length - chunk.lastIndexOf(LINE_FEED) - 1
  }
}

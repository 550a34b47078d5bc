/* A run whose events are made and written, and not stored. */
import { type Rhythm, said } from './timed-agent.ts'

export class UnstoredRun {
  readonly #sessionId: string
  readonly #runId = crypto.randomUUID()
  readonly #rhythm: Rhythm
  readonly #write: (seq: number, json: string) => void
  #seq = 0

  /** Writes the user's message at once. */
  constructor (sessionId: string, rhythm: Rhythm, write: (seq: number, json: string) => void) {
    this.#sessionId = sessionId
    this.#rhythm = rhythm
    this.#write = write
    this.#event('text', { role: 'user', messageId: 'message', content: JSON.stringify(rhythm) })
  }

  /** Writes what its agent says, and the end. */
  async say (start: number): Promise<void> {
    for await (const { kind, ...fields } of said(start, this.#rhythm)) this.#event(kind, fields)
    this.#event('complete', { reason: 'finished' })
  }

  #event (kind: string, fields: object): void {
    const seq = ++this.#seq
    this.#write(seq, JSON.stringify({ kind, sessionId: this.#sessionId, runId: this.#runId, seq, provider: 'timed', timestamp: new Date().toISOString(), ...fields }))
  }
}

/* Many clients, of one stream or of many: some parse all that comes, the others skim. */
import { setTimeout as delay } from 'node:timers/promises'
import { ParsingReader } from './parsing-reader.ts'
import type { Reader } from './reader.ts'
import { type Skimming, SkimmingReader } from './skimming-reader.ts'

const OPENED_AT_ONCE = 50
/** A stream that has not come to its end by then never will. */
const PATIENCE_MS = 120_000
/** How long an event may take that comes twice, or once too many. */
const SETTLING_MS = 50

export interface AudienceOptions extends Skimming {
  /** How many streams are opened at once. Default 50. */
  openedAtOnce?: number
}

export class Audience {
  readonly #readers: Reader[] = []

  /** Opens a stream of each path, the first `parsing` of them to be parsed; resolves when all have begun. Those who parse take no options. */
  static async open (port: number, paths: string[], parsing: number, { openedAtOnce = OPENED_AT_ONCE, ...skimming }: AudienceOptions = {}): Promise<Audience> {
    const audience = new Audience()
    for (let start = 0; start < paths.length; start += openedAtOnce) {
      const opened = await Promise.all(paths.slice(start, start + openedAtOnce).map((path, index) => {
        return start + index < parsing ? ParsingReader.open(port, path) : SkimmingReader.open(port, path, skimming)
      }))
      audience.#readers.push(...opened)
    }
    return audience
  }

  /** Resolves when everybody has everything up to `seq`, or never will. */
  async reached (seq: number): Promise<void> {
    const patience = new AbortController()
    const everybody = Promise.all(this.#readers.map((reader) => reader.reached(seq))).finally(() => patience.abort())
    await Promise.race([everybody, delay(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {})])
  }

  /** What is wrong with what everybody got, if `lastSeq` is the last event that there is; null if nothing is. */
  async fault (lastSeq: number): Promise<string | null> {
    await delay(SETTLING_MS)
    const faults = this.#readers.flatMap(({ seq, fault }) => {
      return fault ?? (seq === lastSeq ? [] : `${seq} of ${lastSeq} events came`)
    })
    return faults.length === 0 ? null : `${faults.length} of ${this.#readers.length} readers: ${faults[0]}`
  }

  /** Nobody takes anything more, until they go on. Only those who skim can. */
  pause (): void {
    for (const reader of this.#readers) (reader as SkimmingReader).pause()
  }

  goOn (): void {
    for (const reader of this.#readers) (reader as SkimmingReader).goOn()
  }

  /** The seq that everybody has. */
  get least (): number {
    return Math.min(...this.#readers.map(({ seq }) => seq))
  }

  get size (): number {
    return this.#readers.length
  }

  /** The frames that the first one got, who parsed them, as they came. */
  get frames (): string[] {
    return (this.#readers[0] as ParsingReader).frames
  }

  close (): void {
    for (const reader of this.#readers) reader.close()
  }
}

/* One connection of a reader: a sink that is at times full, at times broken, and cut whenever the client likes. */
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import type { Format } from '../../lib/streams/channel.ts'
import type { Sink } from '../../lib/streams/sink.ts'
import type { Subscriber } from '../../lib/streams/subscriber.ts'
import type { Reader } from './reader.ts'
import type { World } from './world.ts'

const format: Format<StoredEvent[]> = { encode: (events) => [...events] }
const BREAKING = 0.005

export class Connection implements Sink<StoredEvent[]> {
  readonly format = format
  readonly reader: Reader
  readonly #world: World
  #subscriber: Subscriber<StoredEvent[]> | null = null
  #full = false
  /** Why it is over. */
  over: 'deleted' | 'closing' | 'ended' | 'cut' | null = null
  readonly #untilComplete: boolean
  #lastFrame: Frame['kind'] | null = null
  #lastKind: string | null = null
  #broken = false

  constructor (reader: Reader, untilComplete: boolean, world: World) {
    this.reader = reader
    this.#untilComplete = untilComplete
    this.#world = world
  }

  /** Whose sink this is. */
  belongsTo (subscriber: Subscriber<StoredEvent[]>): void {
    this.#subscriber = subscriber
  }

  events (chunk: StoredEvent[]): boolean {
    const { prng, journal, setting, winding } = this.#world
    if (this.over === 'cut') return true
    if (this.over !== null) journal.violation('C6', `${this.reader.name} was sent events after its end`)
    if (this.#full) journal.violation('C6', `${this.reader.name} was sent events when it was full`)
    if (!winding && prng.chance(BREAKING)) {
      this.#broken = true
      throw new Error('broken pipe')
    }
    journal.note(`${this.reader.name} takes ${chunk.map(({ seq }) => seq).join()}`)
    for (const event of chunk) this.reader.event(event)
    this.#lastKind = chunk.at(-1)!.kind
    if (winding || !prng.chance(setting.stalling)) return true
    this.#full = true
    void this.#drain()
    return false
  }

  frame (frame: Frame, cursor?: number): void {
    if (this.over === 'cut') return
    if (this.over !== null) this.#world.journal.violation('C6', `${this.reader.name} was sent a frame after its end`)
    this.#lastFrame = frame.kind
    this.reader.frame(frame, cursor)
  }

  end (): void {
    if (this.over === 'cut') return
    const { journal, weather, setting } = this.#world
    if (this.over !== null) journal.violation('C6', `${this.reader.name} was ended twice`)
    this.over = this.#lastFrame === 'session_deleted' ? 'deleted' : this.#lastFrame === 'stream_closing' ? 'closing' : 'ended'
    journal.note(`${this.reader.name} is over: ${this.over}`)
    const due = this.over !== 'ended' || this.#broken || weather.disturbed || (this.#untilComplete && this.#lastKind === 'complete')
    if (!due) journal.violation('C6', `${this.reader.name} was ended for no reason`)
    if (this.over === 'closing' && weather.fair && setting.servers === 1 && !this.reader.isAtEnd()) {
      journal.violation('C9', `${this.reader.name} was ended at ${this.reader.cursor} of ${this.reader.log.lastSeq}`)
    }
  }

  /** The client leaves. */
  cut (): void {
    this.lost()
    this.#subscriber?.close()
  }

  /** The server is gone. */
  lost (): void {
    if (this.over === null) this.#world.journal.note(`${this.reader.name} is cut at ${this.reader.cursor}`)
    this.over ??= 'cut'
  }

  async #drain (): Promise<void> {
    const { prng, loop } = this.#world
    await loop.sleep(prng.between(1, prng.chance(0.2) ? 3_000 : 30))
    this.#full = false
    if (this.over === null) this.#subscriber!.drained()
  }
}

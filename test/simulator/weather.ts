/* How the database is doing: whether a call fails, loses its answer, or takes its time. */
import { runsError, type RunsError } from '../../lib/protocol/errors.ts'
import type { Loop } from './loop.ts'
import type { Prng } from './prng.ts'
import type { Setting } from './setting.ts'

/** `before`: the call is not executed. `after`: it is, and nobody learns of it. */
export type Fault = 'before' | 'after' | null

/** How much worse it is in an outage that is not total. */
const GUST_CHANCE = 0.5
/** A pause from which on others may take an instance for dead. */
const LONG_MS = 500

export class Weather {
  readonly #prng: Prng
  readonly #loop: Loop
  readonly #setting: Setting
  /** Until when nothing works, and until when every other call fails. */
  #outage = 0
  #gust = 0
  #calm = false
  /** Whether the database has ever failed, or kept somebody waiting for long. */
  #troubled = false
  /** Whether a server was ever stopped. */
  stopped = false

  constructor (prng: Prng, loop: Loop, setting: Setting) {
    this.#prng = prng
    this.#loop = loop
    this.#setting = setting
  }

  /** Whether anything has ever gone wrong that may cost a run its life. */
  get disturbed (): boolean {
    return this.#troubled || this.stopped
  }

  /** Whether the database has answered every call, and soon. */
  get fair (): boolean {
    return !this.#troubled && this.#setting.slow === 0
  }

  /** From now on all goes well. */
  clear (): void {
    this.#calm = true
  }

  outage (ms: number): void {
    this.#outage = this.#loop.now + ms
  }

  gust (ms: number): void {
    this.#gust = this.#loop.now + ms
  }

  strikes (): Fault {
    const { failing, losing } = this.#setting
    const prng = this.#prng
    if (this.#calm) return null
    let fault: Fault = null
    if (this.#loop.now < this.#outage) fault = 'before'
    else if (this.#loop.now < this.#gust && prng.chance(GUST_CHANCE)) fault = prng.pick(['before', 'after'])
    else if (prng.chance(failing)) fault = 'before'
    else if (prng.chance(losing)) fault = 'after'
    if (fault !== null) this.#troubled = true
    return fault
  }

  /** What a call that fails rejects with. */
  error (): RunsError {
    return runsError(this.#prng.chance(0.8) ? 'STORE_UNAVAILABLE' : 'STORE_FAILED')
  }

  /** The way to the database and back: at least one task, at times many ms. */
  async travel (): Promise<void> {
    const { slow, slowMs } = this.#setting
    const prng = this.#prng
    await this.#loop.step()
    if (this.#calm) return
    if (prng.chance(slow)) {
      const ms = prng.between(1, slowMs)
      if (ms > LONG_MS) this.#troubled = true
      await this.#loop.sleep(ms)
    } else if (prng.chance(0.3)) {
      await this.#loop.sleep(prng.between(1, 20))
    }
  }
}

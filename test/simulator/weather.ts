/* How the database is doing: whether a call fails, loses its answer, or takes its time. */
import { runsError, type RunsError } from '../../lib/protocol/errors.ts'
import type { Loop } from './loop.ts'
import type { Prng } from './prng.ts'
import type { Setting } from './setting.ts'

/** Whether a call is executed that fails, or that is never answered. */
export interface Fault {
  executed: boolean
  hangs: boolean
}

/** How much worse it is in an outage that is not total. */
const GUST_CHANCE = 0.5
/** An outage that ends no run. */
const SURVIVED_MS = 20_000
/** A pause from which on others may take an instance for dead. */
const LONG_MS = 500

export class Weather {
  readonly #prng: Prng
  readonly #loop: Loop
  readonly #setting: Setting
  /** Until when nothing works, and until when every other call fails. */
  #outage = 0
  #outageBegan = 0
  #gust = 0
  /** Whether calls hang in an outage; else they fail. */
  #silent = false
  #calm = false
  /** Whether the database was away, or at its worst, for longer than any run has to live through. */
  #deadly = false
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

  /** Whether a run that was accepted may have ended for the database's sake. What one server takes for death another's slow calls may be. */
  get deadly (): boolean {
    return this.#deadly || this.stopped || this.#setting.servers > 1
  }

  /** From now on all goes well. */
  clear (): void {
    this.#calm = true
  }

  outage (ms: number, silent: boolean): void {
    const { now } = this.#loop
    if (now >= this.#outage) this.#outageBegan = now
    this.#outage = Math.max(this.#outage, now + ms)
    this.#deadly ||= this.#outage - this.#outageBegan > SURVIVED_MS
    this.#silent = silent
  }

  gust (ms: number): void {
    this.#gust = this.#loop.now + ms
    this.#deadly = true
  }

  /** What becomes of a call; null if it is executed and answered. */
  strikes (): Fault | null {
    const { failing, losing, hanging } = this.#setting
    const prng = this.#prng
    if (this.#calm) return null
    let fault: Fault | null = null
    if (this.#loop.now < this.#outage) fault = { executed: false, hangs: this.#silent }
    else if (this.#loop.now < this.#gust && prng.chance(GUST_CHANCE)) fault = { executed: prng.chance(0.5), hangs: false }
    else if (prng.chance(failing)) fault = { executed: false, hangs: false }
    else if (prng.chance(losing)) fault = { executed: true, hangs: false }
    else if (prng.chance(hanging)) fault = { executed: prng.chance(0.5), hangs: true }
    if (fault !== null) this.#troubled = true
    return fault
  }

  /** What a call that fails rejects with. */
  error (): RunsError {
    if (this.#loop.now < this.#outage || this.#prng.chance(0.8)) return runsError('STORE_UNAVAILABLE')
    // It is not to be asked again.
    this.#deadly = true
    return runsError('STORE_FAILED')
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

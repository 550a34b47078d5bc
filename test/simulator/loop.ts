/*
 * An event loop in which chance decides what happens next, and time passes only when it says so. One task at a time;
 * between two of them all promises that can settle do.
 */
import type { Prng } from './prng.ts'

/** A schedule that has not ended after so many tasks never will. */
const MAX_TASKS = 400_000
/** How far the clock may jump although there is work: a process that was not given the processor. */
const STALL_MS = 50
const STALL_CHANCE = 0.02

// As they were before anybody replaced them.
const realImmediate = globalThis.setImmediate

/** Resolves when every promise that can settle without time or chance has. */
function quiescence (): Promise<void> {
  return new Promise((resolve) => { realImmediate(resolve) })
}

type Callback = () => void

/** What `setTimeout`, `setInterval` and `setImmediate` answer. */
export class Handle {
  readonly callback: Callback
  /** When it is due; null for an immediate. */
  at: number | null
  /** The period, of an interval. */
  readonly every: number | null

  constructor (callback: Callback, at: number | null, every: number | null) {
    this.callback = callback
    this.at = at
    this.every = every
  }

  ref (): this { return this }
  unref (): this { return this }
  hasRef (): boolean { return true }
}

export class Loop {
  /** In ms since 1970. */
  now = Date.UTC(2030, 0, 1)
  readonly started = this.now
  tasks = 0
  readonly #prng: Prng
  /** As Node's: first in, first out. */
  #immediates: Handle[] = []
  /** The next one first; of two that are due at once, the older one. */
  readonly #timers: Handle[] = []
  /** The simulator's own: any of them may be next. */
  readonly #steps: Callback[] = []
  /** Timers of the simulator's own. */
  readonly #own = new Set<Handle>()

  constructor (prng: Prng) {
    this.#prng = prng
  }

  /** Timers of the code under test that are not over. */
  get timers (): Handle[] {
    return this.#timers.filter((timer) => !this.#own.has(timer))
  }

  setImmediate (callback: Callback): Handle {
    const handle = new Handle(callback, null, null)
    this.#immediates.push(handle)
    return handle
  }

  setTimer (callback: Callback, ms: number | undefined, repeats: boolean): Handle {
    const period = Math.max(1, Math.trunc(ms ?? 1) || 1)
    const handle = new Handle(callback, this.now + period, repeats ? period : null)
    this.#arm(handle)
    return handle
  }

  clear (handle: unknown): void {
    if (!(handle instanceof Handle)) return
    if (handle.at === null) this.#immediates = this.#immediates.filter((other) => other !== handle)
    else this.#disarm(handle)
  }

  /** Goes on at some later task. */
  step (): Promise<void> {
    return new Promise((resolve) => { this.#steps.push(resolve) })
  }

  /** Goes on when so many ms have passed. */
  sleep (ms: number): Promise<void> {
    return new Promise((resolve) => {
      const handle = this.setTimer(() => {
        this.#own.delete(handle)
        resolve()
      }, ms, false)
      this.#own.add(handle)
    })
  }

  /** Does one task after another until `work` has settled or `stop` says so; the answer of `work`, or null if stopped. */
  async run<T> (work: Promise<T>, stop: () => boolean): Promise<T | null> {
    const state = { over: false }
    const done = (): void => { state.over = true }
    work.then(done, done)
    await quiescence()
    while (!state.over) {
      if (stop()) return null
      if (++this.tasks > MAX_TASKS) throw new Error(`the schedule did not end within ${MAX_TASKS} tasks`)
      this.#next()()
      await quiescence()
    }
    return work
  }

  #next (): Callback {
    const prng = this.#prng
    const timer = this.#timers[0]
    if (timer !== undefined && timer.at! - this.now <= STALL_MS && prng.chance(STALL_CHANCE)) this.#passUntil(timer)
    const due = timer !== undefined && timer.at! <= this.now
    const immediate = this.#immediates.length > 0
    let choices = this.#steps.length + (due ? 1 : 0) + (immediate ? 1 : 0)
    if (choices === 0) {
      if (timer === undefined) throw new Error('nothing is left to happen, and the schedule is not over')
      this.#passUntil(timer)
      return this.#fire(timer)
    }
    choices = prng.between(0, choices - 1)
    if (choices < this.#steps.length) return this.#steps.splice(choices, 1)[0]!
    return immediate && choices === this.#steps.length ? this.#immediates.shift()!.callback : this.#fire(timer!)
  }

  #passUntil (timer: Handle): void {
    this.now = Math.max(this.now, timer.at!)
  }

  #fire (timer: Handle): Callback {
    this.#timers.shift()
    if (timer.every !== null) {
      timer.at = this.now + timer.every
      this.#arm(timer)
    }
    return timer.callback
  }

  #arm (timer: Handle): void {
    let index = this.#timers.length
    while (index > 0 && this.#timers[index - 1]!.at! > timer.at!) index--
    this.#timers.splice(index, 0, timer)
  }

  #disarm (timer: Handle): void {
    const index = this.#timers.indexOf(timer)
    if (index >= 0) this.#timers.splice(index, 1)
  }
}

/* The client's waits between two tries, in the hands of a test: none is over before the test says so. */
import type { Test } from 'tap'
import { latch, type Latch } from './latch.ts'

export interface HeldPause {
  /** How long it was to be. */
  ms: number
  end: () => void
}

export interface HeldPauses {
  /** The next wait that begins. */
  next: () => Promise<HeldPause>
  /** How many have begun and were not taken. */
  readonly waiting: number
}

/** Until the end of the test. */
export function heldPauses (t: Test): HeldPauses {
  const begun: HeldPause[] = []
  const wanted: Array<Latch<HeldPause>> = []
  const { setTimeout: set } = globalThis
  globalThis.setTimeout = ((callback: () => void, ms = 0) => {
    if (!new Error().stack!.split('\n')[2]!.includes('/client/pause.ts')) return set(callback, ms)
    const pause = { ms, end: callback }
    const latched = wanted.shift()
    if (latched === undefined) begun.push(pause)
    else latched.open(pause)
    return undefined
  }) as unknown as typeof set
  t.teardown(() => { globalThis.setTimeout = set })
  return {
    next: () => {
      const pause = begun.shift()
      if (pause !== undefined) return Promise.resolve(pause)
      const latched = latch<HeldPause>()
      wanted.push(latched)
      return latched.promise
    },
    get waiting () { return begun.length }
  }
}

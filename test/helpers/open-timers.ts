/* The timers that the client leaves behind. */
import type { Test } from 'tap'

// Node's fetch has timers of its own.
const ASKED_BY_CLIENT = /\/client\/[a-z-]+\.ts/

/** Counts those that are open from now on, until the end of the test. */
export function openTimers (t: Test): { readonly count: number } {
  const open = new Set<unknown>()
  const { setTimeout: set, clearTimeout: clear } = globalThis
  const counted = (callback: () => void, ms?: number): NodeJS.Timeout => {
    const timer = set(() => {
      open.delete(timer)
      callback()
    }, ms)
    if (ASKED_BY_CLIENT.test(new Error().stack!.split('\n')[2]!)) open.add(timer)
    return timer
  }
  globalThis.setTimeout = counted as typeof set
  globalThis.clearTimeout = ((timer) => {
    open.delete(timer)
    clear(timer)
  }) as typeof clear
  t.teardown(() => { Object.assign(globalThis, { setTimeout: set, clearTimeout: clear }) })
  return { get count () { return open.size } }
}

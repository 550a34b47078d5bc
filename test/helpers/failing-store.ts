/* A store of which single calls fail: before they are executed, or after, so that only their answer is lost. */
import type { Test } from 'tap'
import { runsError } from '../../lib/protocol/errors.ts'
import type { Store } from '../../lib/store/store.ts'

export type Failure = 'before' | 'after'

/** Calls that do nothing to sessions and runs, or that the test needs itself. */
const SPARED = new Set(['open', 'close', 'watch'])

export class FailingStore {
  /** The store to hand out. */
  readonly store: Store
  /** The names of the calls, in order. */
  readonly calls: string[] = []
  /** Says which calls fail, counted from 0. */
  fails: (index: number, method: string) => Failure | null = () => null

  constructor (inner: Store) {
    this.store = new Proxy(inner, {
      get: (_, property) => {
        const value: unknown = Reflect.get(inner, property)
        if (typeof value !== 'function') return value
        const method = (value as (...args: unknown[]) => unknown).bind(inner)
        if (SPARED.has(String(property))) return method
        return async (...args: unknown[]) => {
          const failure = this.fails(this.calls.push(String(property)) - 1, String(property))
          if (failure === 'before') throw runsError('STORE_UNAVAILABLE')
          const answer = await method(...args)
          if (failure === 'after') throw runsError('STORE_UNAVAILABLE')
          return answer
        }
      }
    })
  }
}

/** How many tries go on at once; most of each is waiting for a retry. */
const AT_ONCE = 10

/** Tries to let each call fail, the first, the second and so on, until a try answers that it made no such call. Each try is a test of its own. */
export async function eachCall (t: Test, tryWith: (t: Test, call: number) => Promise<boolean>): Promise<void> {
  t.jobs = AT_ONCE
  for (let first = 0, isMore = true; isMore; first += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, async (_, index) => t.test(`call ${first + index}`, { buffered: true }, async (t) => {
      isMore = await tryWith(t, first + index) && isMore
    })))
  }
}

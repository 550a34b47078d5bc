/* A store of which single calls fail: before they are executed, or after, so that only their answer is lost. */
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

/*
 * Every call to a store has an end: a store that hangs must not hold runs, requests or a shutdown for ever. A deadline
 * does not cancel: a call that was given up may still take effect.
 */
import { hasCode, runsError } from '../protocol/errors.ts'
import type { Store } from './store.ts'

/** How long a caller waits for one call, in ms: POST and Stop make two, and have five seconds. */
export const CALL_DEADLINE_MS = 2_000
/** The same for calls that take many transactions. */
const SLICES_DEADLINE_MS = 60_000

const UNBOUNDED: ReadonlySet<string> = new Set(['open', 'close', 'watch'] satisfies Array<keyof Store>)
const IN_SLICES: ReadonlySet<string> = new Set(['compactRun', 'purge'] satisfies Array<keyof Store>)

/** The cause of a STORE_UNAVAILABLE whose call may still take effect. */
class DeadlineMissed extends Error {
  constructor (method: string, ms: number) {
    super(`${method} gave no answer for ${ms} ms`)
  }
}

/** Whether `error` says that the store gave no answer in time. */
export function missedDeadline (error: unknown): boolean {
  return hasCode(error, 'STORE_UNAVAILABLE') && error.cause instanceof DeadlineMissed
}

type Method = (...args: unknown[]) => unknown

/** The store, each of whose calls rejects with STORE_UNAVAILABLE once it is given up; but for `open`, `close` and `watch`. */
export function withDeadlines (store: Store): Store {
  const methods = new Map<PropertyKey, Method>()
  return new Proxy(store, {
    get (target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      let method = methods.get(property)
      if (method === undefined) methods.set(property, method = bounded(target, property as keyof Store))
      return method
    }
  })
}

function bounded (store: Store, name: keyof Store): Method {
  const call: Method = (...args) => Reflect.apply(store[name] as Method, store, args)
  if (UNBOUNDED.has(name)) return call
  const ms = IN_SLICES.has(name) ? SLICES_DEADLINE_MS : CALL_DEADLINE_MS
  return async (...args) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => { reject(runsError('STORE_UNAVAILABLE', [], { cause: new DeadlineMissed(name, ms) })) }, ms)
    const answer = Promise.resolve(call(...args))
    answer.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}

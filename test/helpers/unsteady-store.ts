/* A store as far away as a bad network puts it: calls are late, fail, lose their answers, or are never answered. */
import { setTimeout as delay } from 'node:timers/promises'
import { runsError } from '../../lib/protocol/errors.ts'
import type { Store } from '../../lib/store/store.ts'
import { random } from './random.ts'

const SPARED = new Set(['open', 'close', 'watch'])
/** A server that cannot see its store does not start. */
const STEADY_CALLS = 10
/** Longer than any caller waits. */
const GIVEN_UP_MS = 2_500

/** `store`, of whose calls one in ten is late, and a few in a thousand go wrong in each way. */
export function unsteadyStore (store: Store, seed: number): Store {
  const { below, chance } = random(seed)
  let calls = 0
  const call = async (method: () => Promise<unknown>): Promise<unknown> => {
    if (++calls <= STEADY_CALLS) return method()
    if (chance(0.1)) await delay(1 + below(60))
    const luck = below(1_000)
    if (luck < 5) throw runsError('STORE_UNAVAILABLE')
    if (luck < 8) return new Promise(() => {})
    // It takes effect after its caller has given up, and done something else.
    if (luck < 11) await delay(GIVEN_UP_MS)
    const answer = await method()
    if (luck < 14) return new Promise(() => {})
    if (luck < 19) throw runsError('STORE_UNAVAILABLE')
    return answer
  }
  return new Proxy(store, {
    get (target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const method = (value as (...args: unknown[]) => Promise<unknown>).bind(target)
      return SPARED.has(String(name)) ? method : (...args: unknown[]) => call(() => method(...args))
    }
  })
}

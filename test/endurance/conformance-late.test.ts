/* The suite with stores that answer late and out of order: it asks for nothing that only a local store can give. */
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { storeSuite } from '../../conformance/index.ts'
import type { Store } from '../../lib/store/store.ts'
import { random } from '../helpers/random.ts'
import { memoryHarness } from '../helpers/store-harnesses.ts'

const { below } = random(1)
const MOST_MS = 4

/** `store`, whose calls are executed a little later, and answered a little later. */
function late (store: Store): Store {
  return new Proxy(store, {
    get (target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const method = (value as (...args: unknown[]) => unknown).bind(target)
      if (name === 'watch') return method
      return async (...args: unknown[]) => {
        // What is given is taken as it is now.
        const given = structuredClone(args)
        await delay(below(MOST_MS))
        const answer = await method(...given)
        await delay(below(MOST_MS))
        return answer
      }
    }
  })
}

storeSuite(test, memoryHarness(late))

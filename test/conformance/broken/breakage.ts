/* Stores that break the contract, each in one way: the suite must find every one of them. */
import type { MemoryDatabase } from '../../../db/memory/database.ts'
import type { Store } from '../../../lib/store/store.ts'

/** What a broken store does otherwise than the one that it is made of. */
export type Breakage = (store: Store, database: MemoryDatabase) => Partial<Store>

/** A store that is as `store`, but for some methods. */
export function overriding (store: Store, methods: Partial<Store>): Store {
  return new Proxy(store, {
    get (target, key) {
      const own = methods[key as keyof Store] as unknown
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) as unknown : value
    }
  })
}

/** Resolves when others had their turn. */
export const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

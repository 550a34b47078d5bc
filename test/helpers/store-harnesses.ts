/* The stores that are put through the suite, and what a test may put between it and them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryDatabase, memoryStore, type StoreHarness } from '../../conformance/index.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Store } from '../../lib/store/store.ts'

/** Stores in memory; `wrap` may put something in between. */
export function memoryHarness (wrap: (store: Store, database: MemoryDatabase) => Store = (store) => store): StoreHarness {
  const databases = new WeakMap<Store, MemoryDatabase>()
  return {
    async database () {
      const database = new MemoryDatabase()
      return {
        async open (options) {
          const store = wrap(memoryStore(database, options), database)
          databases.set(store, database)
          await store.open()
          return store
        },
        async close () {}
      }
    },
    async crash (store) {
      databases.get(store)!.kill(store.instanceId)
    }
  }
}

/** Stores in SQLite files. */
export function sqliteHarness (): StoreHarness {
  return {
    async database () {
      const directory = mkdtempSync(join(tmpdir(), 'agent-runs-'))
      return {
        async open (options = {}) {
          const store = sqliteStore({ path: join(directory, 'runs.db'), ...options })
          await store.open()
          return store
        },
        async close () {
          rmSync(directory, { recursive: true, force: true })
        }
      }
    }
  }
}

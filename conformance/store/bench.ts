/* What each test of the store suite works with: a database of its own, and instances that are closed after it. */
import type { Store } from '../../lib/store/store.ts'
import type { StoreHarness, TestDatabase, TestRunner } from '../harness.ts'

/** Defines one test of the suite. */
export type StoreTest = (name: string, work: (bench: Bench) => Promise<void>) => void

export class Bench {
  readonly #harness: StoreHarness
  readonly #database: TestDatabase
  readonly #stores: Store[] = []

  private constructor (harness: StoreHarness, database: TestDatabase) {
    this.#harness = harness
    this.#database = database
  }

  static async on (harness: StoreHarness): Promise<Bench> {
    return new Bench(harness, await harness.database())
  }

  /** See `StoreHarness.soonMs`. */
  get soonMs (): number {
    return this.#harness.soonMs ?? 5_000
  }

  /** Another instance. */
  async open (options?: { leaseMs: number }): Promise<Store> {
    const store = await this.#database.open(options)
    this.#stores.push(store)
    return store
  }

  /** Ends an instance as the death of its process would, or as near as the harness comes. */
  async crash (store: Store): Promise<void> {
    this.#stores.splice(this.#stores.indexOf(store), 1)
    await (this.#harness.crash?.(store) ?? store.close())
  }

  /** Closes all instances. */
  async closeStores (): Promise<void> {
    for (const store of this.#stores.splice(0)) await store.close()
  }

  async close (): Promise<void> {
    try {
      await this.closeStores()
    } finally {
      await this.#database.close()
    }
  }
}

/** A `StoreTest` that hands its tests to a runner. */
export function storeTest (test: TestRunner, harness: StoreHarness): StoreTest {
  return (name, work) => {
    test(`store: ${name}`, async () => {
      const bench = await Bench.on(harness)
      try {
        await work(bench)
      } finally {
        await bench.close()
      }
    })
  }
}

/* What the suites need of those who run them. */
import type { Store } from '../lib/store/store.ts'

/** A test runner's `test`: tap's, node:test's and vitest's, mocha's `it`. */
export type TestRunner = (name: string, work: () => Promise<void>) => unknown

/** A database that only one test uses. */
export interface TestDatabase {
  /**
   * Another instance on this database, opened. Its `leaseMs` is the one asked for, or as near as the store can come;
   * tests of leases take several of them.
   */
  open (options?: { leaseMs?: number }): Promise<Store>
  /** Called when the test is over, after the instances were closed. */
  close (): Promise<void>
}

/** How the suite gets at a store. */
export interface StoreHarness {
  /** A fresh database, empty. */
  database (): Promise<TestDatabase>
  /** Ends an instance as the death of its process would. By default it is closed. */
  crash? (store: Store): Promise<void>
  /** How soon an instance hears of another's commits, and that another has died, at the latest, in ms. Default 5,000. */
  soonMs?: number
  /** Whether what is stored outlives the last instance. Default true. */
  durable?: boolean
}

/** Rejects if `promise` takes longer than `ms`. */
export async function within<T> (ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

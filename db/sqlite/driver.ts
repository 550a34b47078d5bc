/* better-sqlite3, loaded when a store opens a file: who brings a store or a database of their own can do without it. */
import type BetterSqlite3 from 'better-sqlite3'
import { runsError } from '../../lib/protocol/errors.ts'

export type Driver = typeof BetterSqlite3

/** The driver, its native part loaded. Rejects with AGENT_RUNS_STORE_DRIVER_MISSING. */
export async function loadDriver (): Promise<Driver> {
  try {
    const { default: Driver } = await import('better-sqlite3')
    // The package loads its native part with the first database, where a broken file could not be told from a broken driver.
    new Driver(':memory:').close()
    return Driver
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    throw runsError('AGENT_RUNS_STORE_DRIVER_MISSING', [`${process.platform}-${process.arch}`, reason!], { cause: error })
  }
}

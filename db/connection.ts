/* One SQLite connection: how it is opened, how it is told to wait, what its errors mean. */
import { setTimeout as delay } from 'node:timers/promises'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import { isRunsError, runsError } from '../lib/errors.ts'
import { migrate } from './migrate.ts'

/** A busy database blocks the event loop for at most this long; longer waits happen between turns. */
const BUSY_TIMEOUT_MS = 100
/** Pauses between tries when the database stays busy, in ms. */
const BUSY_DELAYS = [10, 25, 50, 100, 200, 400, 800]
/** Pages of 4 KiB; the default of 1,000 checkpoints so often that a busy log stalls. */
const WAL_AUTOCHECKPOINT_PAGES = 8_000
const CACHE_KIB = 64 * 1024

/** `normal` survives the death of the process; `full` a power loss too, at the price of an fsync per commit. */
export type Durability = 'normal' | 'full'

/** Opens the database at `path`, creating and migrating it as need be. Rejects with STORE_INVALID, STORE_SCHEMA_NEWER. */
export async function openDatabase (path: string, durability: Durability): Promise<Database> {
  // Others may be creating it at this moment: switching to WAL does not wait for a lock as statements do.
  return whenFree(() => {
    let database: Database | undefined
    try {
      database = new SqliteDatabase(path, { timeout: BUSY_TIMEOUT_MS })
      database.pragma('journal_mode = WAL')
      database.pragma(`synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`)
      database.pragma(`wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}`)
      database.pragma(`cache_size = -${CACHE_KIB}`)
      migrate(database)
      return database
    } catch (error) {
      database?.close()
      if (isRunsError(error) || isBusy(error)) throw error
      throw runsError('STORE_INVALID', [path, error instanceof Error ? error.message : String(error)], { cause: error })
    }
  })
}

/**
 * Does `work` when the database is free; waits off the loop. Rejects with STORE_UNAVAILABLE if it stays busy or is full,
 * with STORE_FAILED for anything else that SQLite says.
 */
export async function whenFree<T> (work: () => T): Promise<T> {
  for (const pause of [...BUSY_DELAYS, null]) {
    try {
      return work()
    } catch (error) {
      if (isBusy(error) && pause !== null) await delay(pause)
      else throw toRunsError(error)
    }
  }
  throw new Error('unreachable')
}

// SQLite's own words may name files and tables: they stay in the cause.
function toRunsError (error: unknown): unknown {
  if (isUnavailable(error)) return runsError('STORE_UNAVAILABLE', [], { cause: error })
  return error instanceof SqliteDatabase.SqliteError ? runsError('STORE_FAILED', [], { cause: error }) : error
}

function sqliteCode (error: unknown): string {
  return error instanceof SqliteDatabase.SqliteError ? error.code : ''
}

function isBusy (error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error))
}

/** Conditions that may pass: the transaction was rolled back, and trying again is safe. */
function isUnavailable (error: unknown): boolean {
  return isBusy(error) || /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|NOMEM)/.test(sqliteCode(error))
}

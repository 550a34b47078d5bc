/* One SQLite connection: how it is opened, how it is told to wait, what its errors mean, how others' commits are seen. */
import { closeSync, openSync, realpathSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Database, Transaction } from 'better-sqlite3'
import { isRunsError, type RunsError, runsError } from '../../lib/protocol/errors.ts'
import { loadDriver } from './driver.ts'
import { migrate } from './migrate.ts'
import type { Durability, HostDatabase } from './options.ts'
import { prepareQueries, type Queries } from './queries.ts'

/** A busy database blocks the event loop for at most this long; longer waits happen between turns. */
const BUSY_TIMEOUT_MS = 100
/** Pauses between tries when the database stays busy, in ms. */
const BUSY_DELAYS = [10, 25, 50, 100, 200, 400, 800]
/** Pages of 4 KiB; the default of 1,000 checkpoints so often that a busy log stalls. */
const WAL_AUTOCHECKPOINT_PAGES = 8_000
const CACHE_KIB = 16 * 1024
/** How often to look for the commits of other instances. */
const WATCH_INTERVAL_MS = 200

export const MEMORY = ':memory:'

type Work = (queries: Queries) => unknown

/** How often we wrote by each database object: SQLite does not tell of commits on one's own connection, which two stores may share. */
const writes = new WeakMap<Database, { count: number }>()

/** A database in use. Its methods reject with STORE_UNAVAILABLE while it is busy or full, with STORE_FAILED if it is broken. */
export class Connection {
  readonly #database: Database
  readonly #owned: boolean
  readonly #transaction: Transaction<(work: Work) => unknown>
  readonly #queries: Queries
  /** The file that was opened; null if it is none of ours, or none at all. */
  readonly #inode: number | null
  readonly #writes: { count: number }
  /** How many of them are ours. */
  #written = 0
  /** Why it cannot be used any more. */
  #gone: string | null = null

  private constructor (database: Database, owned: boolean) {
    this.#database = database
    this.#owned = owned
    this.#writes = writes.get(database) ?? { count: 0 }
    writes.set(database, this.#writes)
    this.#queries = prepareQueries(database, () => this.#writes.count - this.#written)
    this.#transaction = database.transaction((work: Work) => {
      this.#queries.tail.sync()
      return work(this.#queries)
    })
    this.#inode = owned && database.name !== MEMORY ? statSync(database.name).ino : null
  }

  /** Opens the database at `path`, creating and migrating it as need be. Rejects with the codes AGENT_RUNS_STORE_…. */
  static async open (path: string, durability: Durability): Promise<Connection> {
    const Driver = await loadDriver()
    // It needs the driver, which is there now.
    const { InstanceLocks } = await import('./instance-lock.ts')
    // Others may be creating it at this moment: switching to WAL does not wait for a lock as statements do.
    return whenFree(() => {
      let database: Database | undefined
      try {
        createPrivate(path)
        database = new Driver(path, { timeout: BUSY_TIMEOUT_MS })
        database.pragma('journal_mode = WAL')
        // What is deleted or compacted is not to be found in the file.
        database.pragma('secure_delete = ON')
        database.pragma(`synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`)
        database.pragma(`wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}`)
        database.pragma(`cache_size = -${CACHE_KIB}`)
        // A log that is broken somewhere must not be served until a client happens upon the place.
        const found = database.pragma('quick_check(1)', { simple: true })
        if (found !== 'ok') throw runsError('AGENT_RUNS_STORE_INVALID', [path, String(found)])
        migrate(database, () => path !== MEMORY && new InstanceLocks(realpathSync(path)).isAnyAlive())
        return new Connection(database, true)
      } catch (error) {
        database?.close()
        throw openingError(path, error)
      }
    })
  }

  /** Uses a database that somebody else opened, set up, and will close. Rejects with AGENT_RUNS_STORE_INVALID, AGENT_RUNS_STORE_SCHEMA_NEWER. */
  static async use (host: HostDatabase): Promise<Connection> {
    // Of all that it can do we use no more than what is asked for.
    const database = host as Database
    return whenFree(() => {
      try {
        assertUsable(database)
        migrate(database, () => false)
        return new Connection(database, false)
      } catch (error) {
        throw openingError(database.name, error)
      }
    })
  }

  /** Closes what was opened. Idempotent. */
  close (): void {
    this.#gone ??= 'it was closed'
    if (this.#owned) this.#database.close()
  }

  /**
   * One transaction that writes: it takes the write lock first, so that nothing it has read can change. Calls `committed` with
   * its answer before anything else can see what it wrote.
   */
  async write<T> (work: (queries: Queries) => T, committed?: (queries: Queries, answer: T) => void): Promise<T> {
    return whenFree(() => {
      const answer = this.#usable().immediate(work) as T
      this.#writes.count++
      this.#written++
      committed?.(this.#queries, answer)
      return answer
    })
  }

  /** One transaction that only reads: all of it is of one snapshot. */
  async read<T> (work: (queries: Queries) => T): Promise<T> {
    return whenFree(() => this.#usable().deferred(work) as T)
  }

  /**
   * Moves everything from the write-ahead log into the database, and empties it: until then it may hold what was removed.
   * False while somebody else uses it. A database of somebody else's is left as it is.
   */
  emptyWal (): boolean {
    if (!this.#owned || this.#gone !== null) return true
    try {
      const [{ busy }] = this.#database.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }]
      return busy === 0
    } catch (error) {
      if (isUnavailable(error)) return false
      throw toRunsError(error)
    }
  }

  /** See `Store.watch`. */
  watch (listener: () => Promise<void>): () => void {
    const version = (): string => this.#queries.version()
    let seen = version()
    let listening = false
    const look = async (): Promise<void> => {
      if (listening || this.#gone !== null) return
      listening = true
      try {
        if (this.#wasRemoved()) return
        const now = version()
        if (now === seen) return
        await listener()
        seen = now
      } catch {
        // The version is not taken as seen: the next look tries again.
      } finally {
        listening = false
      }
    }
    const poll = setInterval(() => { void look() }, WATCH_INTERVAL_MS).unref()
    return () => clearInterval(poll)
  }

  #usable (): Transaction<(work: Work) => unknown> {
    if (this.#gone !== null || !this.#database.open) throw unavailable(this.#gone ?? 'its owner closed it')
    // Of the host: what we wrote now would be rolled back with it.
    if (this.#database.inTransaction) throw unavailable('a transaction of its owner is open')
    return this.#transaction
  }

  /** A file that was removed or replaced still takes what is written, and nobody will ever read it. */
  #wasRemoved (): boolean {
    if (this.#inode === null || statSync(this.#database.name, { throwIfNoEntry: false })?.ino === this.#inode) return false
    this.#gone = 'its file was removed or replaced'
    this.#database.close()
    return true
  }
}

/** Creates a file that only its owner may read, if there is none; SQLite gives the files beside it the same mode. */
export function createPrivate (path: string): void {
  if (path !== MEMORY) closeSync(openSync(path, 'a', 0o600))
}

/** Does `work` when the database is free; waits off the loop. */
async function whenFree<T> (work: () => T): Promise<T> {
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

function assertUsable (database: Database): void {
  if (typeof database.prepare !== 'function' || !database.open) throw new Error('it is not open')
  if (database.readonly) throw new Error('it is read-only')
  if (typeof database.prepare('SELECT 1').pluck().get() !== 'number') throw new Error('its integers are BigInt (defaultSafeIntegers)')
}

function openingError (path: string, error: unknown): unknown {
  if (isRunsError(error) || isBusy(error)) return error
  return runsError('AGENT_RUNS_STORE_INVALID', [path, error instanceof Error ? error.message : String(error)], { cause: error })
}

function unavailable (why: string): RunsError {
  return runsError('STORE_UNAVAILABLE', [], { cause: new Error(why) })
}

// SQLite's own words may name files and tables: they stay in the cause.
function toRunsError (error: unknown): unknown {
  if (isUnavailable(error)) return runsError('STORE_UNAVAILABLE', [], { cause: error })
  return sqliteCode(error) === '' ? error : runsError('STORE_FAILED', [], { cause: error })
}

// Not by its class: a host's database may be of another copy of better-sqlite3.
function sqliteCode (error: unknown): string {
  return error instanceof Error && error.name === 'SqliteError' && 'code' in error ? String(error.code) : ''
}

function isBusy (error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error))
}

/** Conditions that may pass: the transaction was rolled back, and trying again is safe. */
function isUnavailable (error: unknown): boolean {
  return isBusy(error) || /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|NOMEM)/.test(sqliteCode(error))
}

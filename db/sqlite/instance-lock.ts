/*
 * Who is alive: each instance holds, for as long as it lives, an exclusive lock on a sidecar SQLite file named for its
 * id. The kernel gives the lock back when the process dies, however it dies, and not while it is merely stopped. Process
 * ids and host names tell none of that, least of all across containers.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import Database from 'better-sqlite3'

const SUFFIX = '.lock'

const isErrno = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code

function inodeOf (file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino
}

// Nothing is ever written, and a journal would be left behind by a process that is killed.
function open (file: string, options: Database.Options): Database.Database {
  const database = new Database(file, options)
  database.pragma('journal_mode = MEMORY')
  return database
}

/** The locks of the instances that use one database. */
export class InstanceLocks {
  readonly #directory: string
  #own: { file: string, database: Database.Database } | null = null

  constructor (databasePath: string) {
    this.#directory = `${databasePath}-instances`
  }

  /** Takes this instance's lock. */
  acquire (instanceId: string): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const file = this.#file(instanceId)
    for (;;) {
      const database = open(file, { timeout: 1_000 })
      const made = inodeOf(file)
      database.exec('BEGIN EXCLUSIVE')
      // A sweep may have taken the file for a dead instance's between its creation and the lock.
      if (made !== undefined && inodeOf(file) === made) {
        this.#own = { file, database }
        return
      }
      database.close()
    }
  }

  /** Gives this instance's lock back. Idempotent. */
  release (): void {
    if (this.#own === null) return
    const { file, database } = this.#own
    this.#own = null
    rmSync(file, { force: true })
    database.close()
  }

  /**
   * Whether an instance is dead: its lock can be taken, or there is none. A database that was restored from a backup
   * comes without the locks of those who once used it.
   */
  isDead (instanceId: string): boolean {
    return this.#try(this.#file(instanceId), () => {})
  }

  /** Whether any other instance is alive. */
  isAnyAlive (): boolean {
    return existsSync(this.#directory) && readdirSync(this.#directory).some((name) => name.endsWith(SUFFIX) && !this.isDead(basename(name, SUFFIX)))
  }

  /** Removes the files of dead instances, except of those in `wanted`. */
  sweep (wanted: ReadonlySet<string>): void {
    for (const name of readdirSync(this.#directory)) {
      if (!name.endsWith(SUFFIX) || wanted.has(basename(name, SUFFIX))) continue
      const file = join(this.#directory, name)
      // Unlinked under the lock, so that a starting instance notices.
      this.#try(file, () => rmSync(file))
    }
  }

  #file (instanceId: string): string {
    return join(this.#directory, instanceId + SUFFIX)
  }

  #try (file: string, work: () => void): boolean {
    let database: Database.Database | null = null
    try {
      database = open(file, { timeout: 0, fileMustExist: true })
      database.exec('BEGIN EXCLUSIVE')
      work()
      return true
    } catch (error) {
      if (isErrno(error, 'SQLITE_BUSY')) return false
      if (isErrno(error, 'SQLITE_CANTOPEN') || isErrno(error, 'ENOENT')) return true
      throw error
    } finally {
      database?.close()
    }
  }
}

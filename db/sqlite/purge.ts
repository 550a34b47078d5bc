/* What deletion leaves to be removed, in slices: a session may have a million rows, and rows of a mebibyte. */
import type { DrivenRuns } from './driven-runs.ts'
import { deleteTail } from './log.ts'
import { takePage } from './page.ts'
import type { Queries } from './queries.ts'
import { forgetOldStops, hasOldStops } from './stops.ts'

/** What one transaction removes. */
const SLICE = { rows: 1_000, bytes: 1024 * 1024 }

/** How transactions are made; see `Connection`. */
interface Database {
  read: <T>(work: (queries: Queries) => T) => Promise<T>
  write: <T>(work: (queries: Queries) => T, committed?: (queries: Queries, answer: T) => void) => Promise<T>
  emptyWal: () => boolean
}

export class Purge {
  readonly #database: Database
  readonly #driven: DrivenRuns
  /** Whether the write-ahead log may hold what was removed. */
  #hasRemoved = true
  /** How many rows of the tail that are in the log are still to be deleted; null before this was looked at. */
  #garbage: number | null = null

  constructor (database: Database, driven: DrivenRuns) {
    this.#database = database
    this.#driven = driven
  }

  /** Rows were removed by other means. */
  removed (): void {
    this.#hasRemoved = true
  }

  /** Deletes all rows of the tail that are in the log: nobody else does once this instance is gone. */
  async sweep (): Promise<void> {
    while (await this.#database.write((queries) => this.#driven.sweep(queries), (_, count) => this.#driven.swept(count)) > 0);
  }

  /** See `Store.purge`. */
  async next (): Promise<boolean> {
    const { read, write, emptyWal } = this.#database
    // Runs that append make more: what there was when this began is enough.
    this.#garbage ??= this.#driven.garbage
    if (this.#garbage > 0) {
      const swept = await write((queries) => this.#driven.sweep(queries), (_, count) => this.#driven.swept(count))
      this.#garbage = swept === 0 ? 0 : this.#garbage - swept
      return true
    }
    // Instances look often, and mostly there is nothing: that is no reason to take the lock.
    const isLeft = await read((queries) => queries.deletingSession.get() !== undefined || hasOldStops(queries))
    if (isLeft) {
      this.#hasRemoved = true
      return write(purgeSlice)
    }
    this.#garbage = null
    if (this.#hasRemoved) this.#hasRemoved = !emptyWal()
    return false
  }
}

/** Removes a slice of a session that was deleted; false if none is left to be removed. Inside one transaction of the caller. */
function purgeSlice (queries: Queries): boolean {
  const session = queries.deletingSession.get()
  if (session === undefined) return forgetOldStops(queries, SLICE.rows)
  const { key: sessionKey, id: sessionId } = session
  const { items } = takePage(queries.rowSizes(sessionKey, SLICE.rows), SLICE, ([, bytes]) => bytes)
  if (items.length > 0) {
    queries.deleteRowsThrough(sessionKey, items.at(-1)![0])
    return true
  }
  if (deleteTail(queries, sessionKey)) return true
  const rows = { sessionKey, sessionId, limit: SLICE.rows }
  // Approvals are found by their runs.
  for (const remove of [queries.deletePermissions, queries.deleteRuns, queries.deleteMessageKeys, queries.deleteProviderSessions]) {
    if (remove.run(rows).changes > 0) return true
  }
  queries.setSessionStatus.run({ sessionKey, status: 'deleted' })
  return true
}

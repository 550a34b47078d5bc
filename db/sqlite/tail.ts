/*
 * The tail holds the newest events of running runs, until there are enough of them for a row of the log. In SQLite it has no
 * index, which would be a page to write for each run and commit (measured: half the cost of an append). Each connection
 * keeps the index here, in memory.
 *
 * It may list rows that are in the log already: readers skip them. It never lacks a row of the current snapshot.
 */

/** What is known of a row of the tail. */
export interface TailRow {
  key: number
  /** Of its last event. */
  seq: number
  transient: 0 | 1
}

/** A row of the tail as SQLite gives it. */
export type TailRowHead = [key: number, sessionKey: number, seq: number, transient: 0 | 1]

/** The first `count` rows are committed; the array may grow on in a transaction that is not. */
interface Entry {
  rows: TailRow[]
  count: number
}

/** The index is rebuilt once it is twice as large as after the last rebuild, and this much more. */
const SLACK = 1_000

export class TailIndex {
  readonly #currentVersion: () => string
  readonly #headsAfter: (key: number) => TailRowHead[]
  readonly #exists: (key: number) => boolean
  readonly #sessions = new Map<number, Entry>()
  #version = ''
  /** Sessions whose rows may have been removed. */
  readonly #suspects = new Set<number>()
  /** The highest key that was seen; keys are never given again. */
  #newestKey = 0
  #size = 0
  #mostSize = 0

  /** `version` changes with each commit of others; `headsAfter` has the rows behind a key, in order; `exists` looks for a row. */
  constructor (version: () => string, headsAfter: (key: number) => TailRowHead[], exists: (key: number) => boolean) {
    this.#currentVersion = version
    this.#exists = exists
    this.#headsAfter = headsAfter
  }

  /** Brings the index up to the snapshot of the transaction that has just begun. */
  sync (): void {
    for (const sessionKey of this.#suspects) {
      const newest = this.rowsOf(sessionKey).at(-1)
      if (newest !== undefined && !this.#exists(newest.key)) this.committed(sessionKey, [])
    }
    this.#suspects.clear()
    const version = this.#currentVersion()
    if (version === this.#version) return
    if (this.#size > this.#mostSize) this.#clear()
    const isWhole = this.#newestKey === 0
    for (const [key, sessionKey, seq, transient] of this.#headsAfter(this.#newestKey)) this.#add(sessionKey, { key, seq, transient })
    if (isWhole) this.#mostSize = 2 * this.#size + SLACK
    this.#version = version
  }

  /** A transaction removes all rows of a session, unless it is rolled back: the next one looks whether they are gone. */
  removes (sessionKey: number): void {
    this.#suspects.add(sessionKey)
  }

  /** Of the snapshot; changes with each commit of others. */
  get version (): string {
    return this.#version
  }

  /** The highest key that was ever seen. */
  get newestKey (): number {
    return this.#newestKey
  }

  /** The newest seq of a session in the tail; 0 if there is none. */
  lastSeq (sessionKey: number): number {
    const entry = this.#sessions.get(sessionKey)
    return entry === undefined || entry.count === 0 ? 0 : entry.rows[entry.count - 1]!.seq
  }

  /** A session's rows, in order. */
  rowsOf (sessionKey: number): TailRow[] {
    const entry = this.#sessions.get(sessionKey)
    return entry === undefined ? [] : entry.rows.slice(0, entry.count)
  }

  /** A transaction of this process was committed that leaves a session with these rows. */
  committed (sessionKey: number, rows: TailRow[]): void {
    this.#size += rows.length - (this.#sessions.get(sessionKey)?.count ?? 0)
    if (rows.length === 0) {
      this.#sessions.delete(sessionKey)
      return
    }
    this.#newestKey = Math.max(this.#newestKey, rows.at(-1)!.key)
    this.#sessions.set(sessionKey, { rows, count: rows.length })
  }

  #add (sessionKey: number, row: TailRow): void {
    const entry = this.#sessions.get(sessionKey)
    this.#newestKey = row.key
    this.#size++
    if (entry === undefined) {
      this.#sessions.set(sessionKey, { rows: [row], count: 1 })
    } else {
      entry.rows[entry.count++] = row
    }
  }

  #clear (): void {
    this.#sessions.clear()
    this.#newestKey = 0
    this.#size = 0
  }
}

/* What the store in SQLite is told. It names no type of better-sqlite3, whose types consumers need not have. */

/** `normal` survives the death of the process; `full` a power loss too, at the price of an fsync per commit. */
export type Durability = 'normal' | 'full'

/** What the store uses of a statement of better-sqlite3. */
export interface HostStatement {
  run (...params: unknown[]): { changes: number, lastInsertRowid: number | bigint }
  get (...params: unknown[]): unknown
  all (...params: unknown[]): unknown[]
  iterate (...params: unknown[]): IterableIterator<unknown>
  pluck (): HostStatement
  raw (): HostStatement
}

/** What the store uses of a database of better-sqlite3, from `new Database(path)`. */
export interface HostDatabase {
  readonly name: string
  readonly open: boolean
  readonly readonly: boolean
  readonly inTransaction: boolean
  prepare (sql: string): HostStatement
  exec (sql: string): unknown
  transaction (work: (...params: unknown[]) => unknown): {
    deferred (...params: unknown[]): unknown
    immediate (...params: unknown[]): unknown
  }
}

export interface SqliteStoreOptions {
  /** The database file, created if it does not exist, or ':memory:'. Default './agent-runs.db'. */
  path?: string
  /**
   * In place of `path`, a better-sqlite3 database that you opened and will close: our tables go beside yours. Its
   * pragmas stay as they are; use WAL, and a busy timeout of at most 250 ms, as it blocks the event loop.
   */
  database?: HostDatabase
  /** 'normal' (default): a commit survives the death of the process. 'full': a power loss too; slower. For `path`. */
  durability?: Durability
  /** An instance that gives no sign of life for this long is taken for dead, in ms. Default 30,000. */
  leaseMs?: number
}

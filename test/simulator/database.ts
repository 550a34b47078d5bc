/* The one database of a schedule, and the instances of the store that are opened on it. */
import SqliteDatabase from 'better-sqlite3'
import { MemoryDatabase } from '../../db/memory/database.ts'
import { memoryStore } from '../../db/memory/store.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Store } from '../../lib/store/store.ts'
import type { Setting } from './setting.ts'

type Notice = () => void

export class Database {
  /** Another instance. */
  readonly instance: () => Store
  readonly close: () => void
  /** Who wants to hear of the commits of others. */
  readonly #notices = new Map<Notice, string>()

  constructor ({ store, leaseMs }: Setting) {
    if (store === 'memory') {
      const database = new MemoryDatabase()
      this.instance = () => memoryStore(database, { leaseMs })
      this.close = () => {}
    } else {
      const database = new SqliteDatabase(':memory:')
      this.instance = () => sqliteStore({ database, leaseMs })
      this.close = () => { database.close() }
    }
  }

  watch (instanceId: string, notice: Notice): () => void {
    this.#notices.set(notice, instanceId)
    return () => { this.#notices.delete(notice) }
  }

  /** An instance has committed something. */
  committed (instanceId: string): void {
    for (const [notice, watching] of this.#notices) if (watching !== instanceId) notice()
  }
}

/* The embedded store: SQLite by better-sqlite3, one file, any number of processes on one machine. */
import { randomUUID } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Database, Transaction } from 'better-sqlite3'
import { runsError } from '../lib/errors.ts'
import { type CompleteEvent, eventEncoder, type StoredEvent } from '../lib/event.ts'
import type {
  AppendGroup, AppendOutcome, HistoryPage, LogPage, NewRun, NewSession, PageLimit, RunStart, SessionPatch, Store
} from '../lib/store.ts'
import { ANONYMOUS, type Owner, type RunEnding, type RunningRun, type RunState, type SessionState } from '../lib/types.ts'
import { type Durability, openDatabase, whenFree } from './connection.ts'
import { InstanceLocks } from './instance-lock.ts'
import { appendGroup, closeRun, compactRun, insertEvents, readHistory, readLog, type RunKeys } from './log.ts'
import { prepareQueries, type Queries, type SessionRow } from './queries.ts'
import { toRunningRun, toRunState, toSession, toSessionState } from './rows.ts'

const MEMORY = ':memory:'
/** How often to look for the commits of other instances. */
const WATCH_INTERVAL_MS = 200
const MAX_HISTORY_BYTES = 4 * 1024 * 1024

export interface SqliteStoreOptions {
  /** The database file, created if it does not exist, or ':memory:'. Default './agent-runs.db'. */
  path?: string
  /** 'normal' (default): a commit survives the death of the process. 'full': a power loss too; slower. */
  durability?: Durability
}

/** A store in a SQLite file of its own. */
export function sqliteStore (options: SqliteStoreOptions = {}): Store {
  return new SqliteStore(options)
}

class SqliteStore implements Store {
  readonly instanceId = randomUUID()
  readonly #path: string
  readonly #durability: Durability
  /** Null in memory, where no other process can be. */
  #locks: InstanceLocks | null = null
  /** Of the runs that this instance drives. */
  readonly #keys = new Map<string, RunKeys>()
  #opening: Promise<void> | null = null
  #database: Database | null = null
  #transact: Transaction<(work: (queries: Queries) => unknown) => unknown> | null = null

  constructor ({ path = './agent-runs.db', durability = 'normal' }: SqliteStoreOptions) {
    this.#path = path === MEMORY ? path : resolve(path)
    this.#durability = durability
  }

  open (): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open (): Promise<void> {
    this.#database = await openDatabase(this.#path, this.#durability)
    const queries = prepareQueries(this.#database)
    this.#transact = this.#database.transaction((work: (queries: Queries) => unknown) => work(queries))
    // By its real name: whoever opens the file by another path must find the same locks.
    if (this.#path !== MEMORY) this.#locks = new InstanceLocks(realpathSync(this.#path))
    this.#locks?.acquire(this.instanceId)
    const running = await this.#read((queries) => queries.runningRuns.all({ owner: null }))
    this.#locks?.sweep(new Set([this.instanceId, ...running.map((run) => run.instanceId)]))
  }

  async close (): Promise<void> {
    this.#database?.close()
    this.#database = null
    this.#transact = null
    this.#opening = null
    this.#locks?.release()
  }

  async createSession (session: NewSession): Promise<SessionState | null> {
    return this.#write((queries) => {
      const { changes } = insertSession(queries, session)
      return changes === 0 ? null : toSessionState(queries.session.get({ id: session.id })!)
    })
  }

  async getSession (sessionId: string, owner: Owner): Promise<SessionState | null> {
    return this.#read((queries) => {
      const row = owned(queries, sessionId, owner)
      return row && toSessionState(row)
    })
  }

  async listSessions (owner: Owner, { limit, before }: { limit: number, before: string | null }): Promise<SessionState[]> {
    return this.#read((queries) => queries.sessionPage.all({ owner, limit, before }).map(toSessionState))
  }

  async updateSession (sessionId: string, owner: Owner, patch: SessionPatch): Promise<SessionState | null> {
    return this.#write((queries) => {
      const row = owned(queries, sessionId, owner)
      if (row === null) return null
      const title = patch.title === undefined ? row.title : patch.title
      const metadata = patch.metadata === undefined ? row.metadata : JSON.stringify(patch.metadata)
      queries.updateSession.run({ key: row.key, title, metadata, now: Date.now() })
      return toSessionState(queries.session.get({ id: sessionId })!)
    })
  }

  async startRun ({ runId, sessionId, owner, provider, message, createSession }: NewRun): Promise<RunStart> {
    return this.#write((queries) => {
      let session = queries.session.get({ id: sessionId })
      if (session === undefined) {
        if (!createSession) return { outcome: 'not-found' }
        insertSession(queries, { id: sessionId, owner: owner ?? ANONYMOUS, provider, title: null, metadata: {} })
        session = queries.session.get({ id: sessionId })!
      } else if (owner !== null && session.owner !== owner) {
        return { outcome: 'not-found' }
      }
      if (session.runId !== null) {
        const { cursor, instanceId } = queries.run.get({ id: session.runId })!
        return { outcome: 'busy', runId: session.runId, cursor, instanceId }
      }
      const { key: sessionKey, lastSeq: cursor } = session
      const now = Date.now()
      const { lastInsertRowid } = queries.insertRun.run({ id: runId, sessionKey, provider, instanceId: this.instanceId, cursor, now })
      const stored = eventEncoder({ sessionId, runId, provider })(message, cursor + 1)
      insertEvents(queries, { sessionKey, runKey: Number(lastInsertRowid) }, [stored])
      queries.setLastSeq.run({ sessionKey, lastSeq: stored.seq, now })
      const known = queries.providerSessionIds.all({ sessionKey })
      return {
        outcome: 'started',
        session: toSession(session),
        message: stored,
        providerSessionId: known.findLast((row) => row.provider === provider)?.id ?? null,
        providerSessionIds: known.map(({ id }) => id)
      }
    })
  }

  async getRun (runId: string, owner: Owner): Promise<RunState | null> {
    return this.#read((queries) => {
      const row = queries.run.get({ id: runId })
      return row === undefined || (owner !== null && row.owner !== owner) ? null : toRunState(row)
    })
  }

  async listRuns (sessionId: string, owner: Owner, { limit }: { limit: number }): Promise<RunState[]> {
    return this.#read((queries) => queries.runsOfSession.all({ sessionId, owner, limit }).map(toRunState))
  }

  async listRunningRuns (owner: Owner): Promise<RunningRun[]> {
    return this.#read((queries) => queries.runningRuns.all({ owner }).map(toRunningRun))
  }

  async append (groups: AppendGroup[]): Promise<AppendOutcome[]> {
    const outcomes = await this.#write((queries) => groups.map((group): AppendOutcome => {
      const keys = this.#keysOf(queries, group.runId)
      return keys === null ? 'stale' : appendGroup(queries, keys, this.instanceId, group)
    }))
    for (const { runId, ending } of groups) {
      if (ending !== null) this.#keys.delete(runId)
    }
    return outcomes
  }

  async closeRun (runId: string, ending: RunEnding): Promise<{ events: StoredEvent[], complete: CompleteEvent } | null> {
    this.#keys.delete(runId)
    return this.#write((queries) => closeRun(queries, runId, ending))
  }

  async listOrphanedRuns (): Promise<Array<{ runId: string, sessionId: string }>> {
    const locks = this.#locks
    if (locks === null) return []
    const others = await this.#read((queries) => queries.runningElsewhere.all({ instanceId: this.instanceId }))
    const dead = new Set([...new Set(others.map((run) => run.instanceId))].filter((instanceId) => locks.isDead(instanceId)))
    return others.filter((run) => dead.has(run.instanceId)).map(({ id, sessionId }) => ({ runId: id, sessionId }))
  }

  async read (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<LogPage | null> {
    return this.#read((queries) => {
      const session = owned(queries, sessionId, owner)
      return session && readLog(queries, session, after, limit)
    })
  }

  async readHistory (sessionId: string, owner: Owner, { before, limit }: { before: number | null, limit: number }): Promise<HistoryPage | null> {
    return this.#read((queries) => {
      const session = owned(queries, sessionId, owner)
      return session && readHistory(queries, session, before, { rows: limit, bytes: MAX_HISTORY_BYTES })
    })
  }

  async compactRun (runId: string, keep: number): Promise<number> {
    return this.#write((queries) => compactRun(queries, runId, keep))
  }

  async listCompactableRuns (completedBefore: number, limit: number): Promise<string[]> {
    return this.#read((queries) => queries.compactableRuns.all({ before: completedBefore, limit }).map(({ id }) => id))
  }

  async lastSeqs (sessionIds: string[]): Promise<number[]> {
    return this.#read((queries) => sessionIds.map((id) => queries.lastSeq.get({ id })?.lastSeq ?? 0))
  }

  watch (listener: () => Promise<void>): () => void {
    // Counts the commits of all connections but this one, without reading the database.
    const version = this.#database!.prepare<[], number>('PRAGMA data_version').pluck()
    let seen = version.get()
    let listening = false
    const look = async (): Promise<void> => {
      if (listening || this.#database === null) return
      listening = true
      try {
        const now = version.get()
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

  async setProviderSessionId (sessionId: string, provider: string, providerSessionId: string): Promise<void> {
    await this.#write((queries) => {
      const session = queries.session.get({ id: sessionId })
      if (session === undefined) return
      const row = { sessionKey: session.key, provider, providerSessionId }
      const newest = queries.providerSessionIds.all(row).findLast((known) => known.provider === provider)
      if (newest?.id === providerSessionId) return
      queries.deleteProviderSession.run(row)
      queries.insertProviderSession.run(row)
    })
  }

  #keysOf (queries: Queries, runId: string): RunKeys | null {
    const known = this.#keys.get(runId)
    if (known !== undefined) return known
    const run = queries.run.get({ id: runId })
    if (run === undefined) return null
    const keys = { runKey: run.key, sessionKey: run.sessionKey }
    this.#keys.set(runId, keys)
    return keys
  }

  /** One transaction that writes: it takes the write lock first, so that nothing it has read can change. */
  async #write<T> (work: (queries: Queries) => T): Promise<T> {
    return whenFree(() => this.#transaction().immediate(work) as T)
  }

  /** One transaction that only reads: all of it is of one snapshot. */
  async #read<T> (work: (queries: Queries) => T): Promise<T> {
    return whenFree(() => this.#transaction().deferred(work) as T)
  }

  #transaction (): Transaction<(work: (queries: Queries) => unknown) => unknown> {
    if (this.#transact === null) throw runsError('STORE_UNAVAILABLE', [], { cause: new Error('the store is not open') })
    return this.#transact
  }
}

function insertSession (queries: Queries, { metadata, ...session }: NewSession) {
  return queries.insertSession.run({ ...session, metadata: JSON.stringify(metadata), now: Date.now() })
}

function owned (queries: Queries, sessionId: string, owner: Owner): SessionRow | null {
  const row = queries.session.get({ id: sessionId })
  return row === undefined || (owner !== null && row.owner !== owner) ? null : row
}

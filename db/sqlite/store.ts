/* The embedded store: SQLite by better-sqlite3, one file, any number of processes on one machine. */
import '../../lib/common/node-version.ts'
import { randomUUID } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { runsError } from '../../lib/protocol/errors.ts'
import type {
  AppendAnswer, AppendGroup, ClaimedRun, ClosedRun, EventsPage, HistoryPage, LogPage, NewRun, NewSession, PageLimit, PermissionAnswer, PermissionState, Promotion, RunStart, SessionChanges, SessionPatch, SessionsPage, Store
} from '../../lib/store/store.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import { ANONYMOUS, type Owner, type SessionState } from '../../lib/protocol/session.ts'
import { changedSessions, lastSeqs } from './changes.ts'
import { Connection, MEMORY } from './connection.ts'
import type { InstanceLocks } from './instance-lock.ts'
import { Leases } from './leases.ts'
import { compactRun } from './compaction.ts'
import { DrivenRuns } from './driven-runs.ts'
import { eventAt, readEvents, readHistory, readLog } from './log.ts'
import { MAX_PAGE_BYTES } from '../../lib/protocol/limits.ts'
import { messageIn } from '../../lib/store/waiting.ts'
import type { PermissionDecision, RunMessage, RunningRun, RunState } from '../../lib/protocol/words.ts'
import { answerPermission, answersFor, permissionState } from './permissions.ts'
import { Purge } from './purge.ts'
import type { Queries, SessionRow } from './queries.ts'
import { toRunningRun, toRunState, toSessionState } from './rows.ts'
import { claimOf, closeRun, promote, takeIn } from './runs.ts'
import { beginDeletion, createSession, insertSession, isIdle, isKnown, keepProviderSessionId, listSessions, owned, ownedHead, updateSession } from './sessions.ts'
import { isStopped, stopMessage } from './stops.ts'
import type { SqliteStoreOptions } from './options.ts'

export type * from './options.ts'

const LEASE_MS = 30_000

/** A store in a SQLite file of its own, or in a database of yours. */
export const sqliteStore = (options: SqliteStoreOptions = {}): Store => new SqliteStore(options)

class SqliteStore implements Store {
  readonly instanceId = randomUUID()
  readonly leaseMs: number
  readonly #options: SqliteStoreOptions
  readonly #leases: Leases
  /** Null where there is no file of ours: then only the leases tell who is dead. */
  #locks: InstanceLocks | null = null
  readonly #driven = new DrivenRuns(this.instanceId)
  #opening: Promise<void> | null = null
  #connection: Connection | null = null
  readonly #purge = new Purge({
    read: (work) => this.#read(work),
    write: (work, committed) => this.#write(work, committed),
    emptyWal: () => this.#connection!.emptyWal()
  }, this.#driven)

  constructor (options: SqliteStoreOptions) {
    const { path = './agent-runs.db', leaseMs = LEASE_MS } = options
    this.#options = { ...options, path: path === MEMORY ? path : resolve(path) }
    this.leaseMs = leaseMs
    this.#leases = new Leases(leaseMs)
  }

  open (): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open (): Promise<void> {
    const { path, database, durability = 'normal' } = this.#options
    this.#connection = database === undefined ? await Connection.open(path!, durability) : await Connection.use(database)
    // By its real name: a process that opens the file by another path must find the same locks.
    if (database === undefined && path !== MEMORY) {
      // It needs the driver, which is there now.
      const { InstanceLocks } = await import('./instance-lock.ts')
      this.#locks = new InstanceLocks(realpathSync(path!))
    }
    this.#locks?.acquire(this.instanceId)
    const driving = await this.#write((queries) => {
      queries.deleteIdleInstances.run()
      queries.deleteDeadTail()
      return queries.drivingInstances.all()
    })
    this.#locks?.sweep(new Set([this.instanceId, ...driving.map(({ id }) => id!)]))
  }

  async close (): Promise<void> {
    if (this.#connection !== null) await this.#purge.sweep().catch(() => {})
    this.#connection?.close()
    this.#connection = null
    this.#opening = null
    this.#locks?.release()
  }

  async createSession (session: NewSession): Promise<SessionState | null> {
    return this.#write((queries) => createSession(queries, session))
  }

  async knownProviderSessions (provider: string, ids: readonly string[]): Promise<string[]> {
    return this.#read((queries) => ids.filter((id) => isKnown(queries, provider, id)))
  }

  async getSession (sessionId: string, owner: Owner): Promise<SessionState | null> {
    return this.#onSession(sessionId, owner, (_, session) => toSessionState(session))
  }

  async listSessions (owner: Owner, page: PageLimit & { before: string | null }): Promise<SessionsPage> {
    return this.#read((queries) => listSessions(queries, owner, page))
  }

  async updateSession (sessionId: string, owner: Owner, patch: SessionPatch): Promise<SessionState | null> {
    return this.#write((queries) => {
      const session = owned(queries, sessionId, owner)
      return session && updateSession(queries, session, patch)
    })
  }

  async deleteSession (sessionId: string, owner: Owner, { idleSince }: { idleSince?: number } = {}): Promise<boolean> {
    return this.#write((queries) => {
      const session = owned(queries, sessionId, owner)
      if (session === null || (idleSince !== undefined && !isIdle(session, idleSince))) return false
      beginDeletion(queries, session)
      return true
    })
  }

  async purge (): Promise<boolean> {
    return this.#purge.next()
  }

  async listIdleSessions (since: number, limit: number): Promise<string[]> {
    return this.#read((queries) => queries.idleSessions.all({ since, limit }).map(({ id }) => id))
  }

  async startRun (run: NewRun): Promise<RunStart> {
    const { sessionId, owner, provider, createSession } = run
    return this.#write((queries) => {
      let session = owned(queries, sessionId, owner)
      if (session === null) {
        if (!createSession || queries.session.get({ id: sessionId }) !== undefined) throw runsError('SESSION_NOT_FOUND', [sessionId])
        const newOwner = owner ?? ANONYMOUS
        const needsSlot = run.admit === 'queue' && run.onBusy === 'reject' && !isStopped(queries, run, newOwner)
        if (run.admit === 'nothing' || needsSlot) return { outcome: 'refused' }
        insertSession(queries, { id: sessionId, owner: newOwner, provider, title: null, metadata: {} })
        session = queries.session.get({ id: sessionId })!
      }
      return takeIn(queries, this.instanceId, session, run)
    })
  }

  async claimQueuedRun (): Promise<Promotion | null> {
    return this.#write((queries) => {
      const waiting = queries.waitingSession.get()
      return waiting === undefined ? null : promote(queries, this.instanceId, waiting.sessionId)
    })
  }

  async cancelQueuedRun (runId: string): Promise<boolean> {
    return this.#write((queries) => queries.cancelRun.run({ id: runId }).changes > 0 && queries.reviseSessionOf.run({ runId }).changes > 0)
  }

  async stopMessage (sessionId: string, owner: Owner, name: string): Promise<RunState | null> {
    return this.#write((queries) => stopMessage(queries, sessionId, owner, name))
  }

  async getRun (runId: string, owner: Owner): Promise<RunState | null> {
    return this.#read((queries) => {
      const row = queries.run.get({ id: runId })
      return row === undefined || (owner !== null && row.owner !== owner) ? null : toRunState(row)
    })
  }

  async getMessage (runId: string, owner: Owner): Promise<RunMessage | null> {
    return this.#read((queries) => {
      const row = queries.run.get({ id: runId })
      if (row === undefined || (owner !== null && row.owner !== owner)) return null
      return messageIn(row.message ?? eventAt(queries, row.sessionKey, row.cursor + 1).json)
    })
  }

  async listRuns (sessionId: string, owner: Owner, page: { limit: number, before: string | null }): Promise<RunState[]> {
    return this.#read((queries) => queries.runsOfSession.all({ sessionId, owner, ...page }).map(toRunState))
  }

  async listRunningRuns (owner: Owner, page: { limit: number, after: string | null }): Promise<RunningRun[]> {
    return this.#read((queries) => queries.runningRuns.all({ owner, ...page }).map(toRunningRun))
  }

  async append (groups: AppendGroup[]): Promise<AppendAnswer[]> {
    const { answers } = await this.#use().write((queries) => this.#driven.append(queries, groups), (queries, appended) => this.#driven.appended(queries, groups, appended))
    return answers
  }

  async closeRun (runId: string, ending: RunEnding, options: { promote: boolean }): Promise<ClosedRun | null> {
    this.#driven.forget(runId)
    return this.#write((queries) => closeRun(queries, this.instanceId, runId, ending, options))
  }

  async getClaim (runId: string): Promise<ClaimedRun | null> {
    return this.#read((queries) => claimOf(queries, this.instanceId, queries.run.get({ id: runId })))
  }

  async listOwnRuns (): Promise<Array<{ runId: string, sessionId: string }>> {
    return this.#read((queries) => queries.ownRuns.all({ instanceId: this.instanceId }))
  }

  async renewLease (): Promise<void> {
    await this.#write((queries) => this.#driven.renewLease(queries))
  }

  async listOrphanedRuns (): Promise<Array<{ runId: string, sessionId: string }>> {
    try {
      const others = await this.#read((queries) => queries.runningElsewhere.all({ instanceId: this.instanceId }))
      const counters = new Map(others.map(({ instanceId, counter }) => [instanceId!, counter ?? 0]))
      const stopped = this.#leases.observe(counters)
      // While nothing can be written nobody can renew, however well it is read.
      if (this.#leases.isAnyStill) await this.renewLease()
      const dead = new Set([...counters.keys()].filter((instanceId) => stopped.has(instanceId) || this.#locks?.isDead(instanceId)))
      return others.filter((run) => dead.has(run.instanceId!)).map(({ runId, sessionId }) => ({ runId, sessionId }))
    } catch (error) {
      this.#leases.missed()
      throw error
    }
  }

  async answerPermission (sessionId: string, owner: Owner, requestId: string, decision: PermissionDecision): Promise<boolean | null> {
    return this.#write((queries) => {
      const session = owned(queries, sessionId, owner)
      return session && answerPermission(queries, session, requestId, decision)
    })
  }

  async getPermission (sessionId: string, owner: Owner, requestId: string): Promise<PermissionState | null> {
    return this.#onSession(sessionId, owner, (queries, session) => permissionState(queries, session, requestId))
  }

  async listAnswers (limit: number): Promise<PermissionAnswer[]> {
    return this.#read((queries) => answersFor(queries, this.instanceId, limit))
  }

  async read (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<LogPage | null> {
    return this.#onSession(sessionId, owner, (queries, session) => readLog(queries, session, after, limit))
  }

  async readEvents (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<EventsPage | null> {
    return this.#read((queries) => {
      const head = ownedHead(queries, sessionId, owner)
      return head && readEvents(queries, head, after, limit)
    })
  }

  async readHistory (sessionId: string, owner: Owner, { before, limit }: { before: number | null, limit: number }): Promise<HistoryPage | null> {
    return this.#onSession(sessionId, owner, (queries, session) => readHistory(queries, session, before, { rows: limit, bytes: MAX_PAGE_BYTES }))
  }

  async compactRun (runId: string, keep: number): Promise<number> {
    this.#purge.removed()
    return compactRun({ read: (work) => this.#read(work), write: (work) => this.#write(work) }, runId, keep, (queries, run) => this.#driven.seal(queries, run))
  }

  async listCompactableRuns (completedBefore: number, limit: number): Promise<string[]> {
    return this.#read((queries) => queries.compactableRuns.all({ before: completedBefore, limit }).map(({ id }) => id))
  }

  async lastSeqs (sessionIds: string[]): Promise<Array<number | null>> {
    return this.#read((queries) => lastSeqs(queries, sessionIds))
  }

  async changedSessions (cursor: string | null): Promise<SessionChanges> {
    return this.#read((queries) => changedSessions(queries, cursor))
  }

  watch (listener: () => Promise<void>): () => void {
    return this.#connection!.watch(listener)
  }

  async setProviderSessionId (sessionId: string, provider: string, providerSessionId: string): Promise<void> {
    await this.#write((queries) => keepProviderSessionId(queries, { sessionId, provider, providerSessionId }))
  }

  async #onSession<T> (sessionId: string, owner: Owner, work: (queries: Queries, session: SessionRow) => T): Promise<T | null> {
    return this.#read((queries) => {
      const session = owned(queries, sessionId, owner)
      return session && work(queries, session)
    })
  }

  async #write<T> (work: (queries: Queries) => T, committed?: (queries: Queries, answer: T) => void): Promise<T> {
    return this.#use().write((queries) => {
      this.#driven.distrust()
      return work(queries)
    }, committed)
  }

  async #read<T> (work: (queries: Queries) => T): Promise<T> {
    return this.#use().read(work)
  }

  #use (): Connection {
    if (this.#connection === null) throw runsError('STORE_UNAVAILABLE', [], { cause: new Error('the store is not open') })
    return this.#connection
  }
}

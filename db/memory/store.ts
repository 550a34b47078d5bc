/* The reference store: all in memory, written to be read. No method awaits anything, so each is one transaction by nature. */
import { randomUUID } from 'node:crypto'
import { runsError } from '../../lib/protocol/errors.ts'
import { type CompleteEvent, parseEvent } from '../../lib/protocol/event.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import type { Owner, SessionState } from '../../lib/protocol/session.ts'
import { messageIn } from '../../lib/store/waiting.ts'
import type { PermissionDecision, RunMessage, RunningRun, RunState } from '../../lib/protocol/words.ts'
import type {
  AppendAnswer, AppendGroup, ClaimedRun, ClosedRun, EventsPage, HistoryPage, LogPage, NewRun, NewSession, PageLimit, PermissionAnswer, PermissionState, Promotion, RunStart, SessionChanges, SessionPatch, SessionsPage, Store
} from '../../lib/store/store.ts'
import { changedSessions, lastSeqs } from './changes.ts'
import { keepProviderSessionId, MemoryDatabase, type MemoryRun, type MemorySession } from './database.ts'
import { MemoryLeases } from './leases.ts'
import { appendGroup, claimAgain, closeRunning, compactRun, promote, readEvents, readHistory, standstill } from './log.ts'
import { answerPermission, answersFor, permissionState } from './permissions.ts'
import { isOf, listSessions } from './sessions.ts'
import { startRun } from './start.ts'
import { stopMessage } from './stops.ts'
import { claimOf, toRunningRun, toRunState, toSessionState } from './states.ts'

export interface MemoryStoreOptions {
  /** See `Store.leaseMs`. Default 30,000. */
  leaseMs?: number
  /** A monotonic clock, in ms. Default: `performance.now`. */
  now?: () => number
}

/** An instance on a database in memory; by default on one of its own. Lost with the process. */
export function memoryStore (database = new MemoryDatabase(), options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(database, options)
}

class MemoryStore implements Store {
  readonly instanceId = randomUUID()
  readonly leaseMs: number
  readonly #database: MemoryDatabase
  readonly #leases: MemoryLeases

  constructor (database: MemoryDatabase, { leaseMs = 30_000, now = () => performance.now() }: MemoryStoreOptions) {
    this.#database = database
    this.leaseMs = leaseMs
    this.#leases = new MemoryLeases(leaseMs, now)
  }

  async open (): Promise<void> {
    const { instances } = this.#database
    if (!instances.has(this.instanceId)) instances.set(this.instanceId, 0)
  }

  // Nobody is left to drive its runs: to the others it is dead.
  async close (): Promise<void> {
    this.#database.kill(this.instanceId)
  }

  async createSession (session: NewSession): Promise<SessionState | null> {
    return this.#write((database) => database.sessions.has(session.id) ? null : toSessionState(database.createSession(session)))
  }

  async knownProviderSessions (provider: string, ids: readonly string[]): Promise<string[]> {
    return this.#read((database) => ids.filter((id) => database.isKnown(provider, id)))
  }

  async getSession (sessionId: string, owner: Owner): Promise<SessionState | null> {
    return this.#onSession(sessionId, owner, toSessionState)
  }

  async listSessions (owner: Owner, page: PageLimit & { before: string | null }): Promise<SessionsPage> {
    return this.#read((database) => listSessions(database, owner, page))
  }

  async updateSession (sessionId: string, owner: Owner, patch: SessionPatch): Promise<SessionState | null> {
    return this.#write((database) => {
      const session = database.session(sessionId, owner)
      if (session === null) return null
      if (patch.title !== undefined) session.title = patch.title
      if (patch.metadata !== undefined) session.metadata = JSON.stringify(patch.metadata)
      session.updatedAt = Date.now()
      return toSessionState(session)
    })
  }

  async deleteSession (sessionId: string, owner: Owner, { idleSince }: { idleSince?: number } = {}): Promise<boolean> {
    return this.#write((database) => {
      const session = database.session(sessionId, owner)
      if (session === null || (idleSince !== undefined && !isIdle(session, idleSince))) return false
      database.deleteSession(session)
      return true
    })
  }

  // A deletion leaves nothing here.
  async purge (): Promise<boolean> {
    return false
  }

  async listIdleSessions (since: number, limit: number): Promise<string[]> {
    return this.#read((database) => database.existing()
      .filter((session) => isIdle(session, since))
      .sort((a, b) => a.updatedAt - b.updatedAt)
      .slice(0, limit).map(({ id }) => id))
  }

  async startRun (run: NewRun): Promise<RunStart> {
    return this.#write((database) => startRun(database, this.instanceId, run))
  }

  async claimQueuedRun (): Promise<Promotion | null> {
    const isNext = (run: MemoryRun): boolean => run.session.running === null && run.session.queue[0] === run
    const first = this.#read((database) => [...database.runs.values()].find(isNext))
    // Nothing is committed if there is none: instances that look whenever others commit would keep each other awake.
    return first === undefined ? null : this.#write(() => promote(first.session, this.instanceId))
  }

  async cancelQueuedRun (runId: string): Promise<boolean> {
    return this.#write((database) => {
      const run = database.runs.get(runId)
      if (run === undefined || !run.session.queue.includes(run)) return false
      run.cancelled = true
      return true
    })
  }

  async stopMessage (sessionId: string, owner: Owner, name: string): Promise<RunState | null> {
    return this.#write((database) => stopMessage(database, sessionId, owner, name))
  }

  async getRun (runId: string, owner: Owner): Promise<RunState | null> {
    return this.#read((database) => {
      const run = database.runs.get(runId)
      return run !== undefined && isOf(run.session, owner) ? toRunState(run) : null
    })
  }

  async getMessage (runId: string, owner: Owner): Promise<RunMessage | null> {
    return this.#read((database) => {
      const run = database.runs.get(runId)
      return run !== undefined && isOf(run.session, owner) ? messageIn(run.message.fields) : null
    })
  }

  async listRuns (sessionId: string, owner: Owner, { limit, before }: { limit: number, before: string | null }): Promise<RunState[]> {
    return this.#read((database) => {
      const newestFirst = [...database.runs.values()].reverse().filter(({ session }) => session.id === sessionId && isOf(session, owner))
      return behind(newestFirst, before).slice(0, limit).map(toRunState)
    })
  }

  async listRunningRuns (owner: Owner, { limit, after }: { limit: number, after: string | null }): Promise<RunningRun[]> {
    return this.#read((database) => behind([...database.runs.values()], after)
      .filter((run) => run.session.running === run && isOf(run.session, owner))
      .slice(0, limit).map(toRunningRun))
  }

  async append (groups: AppendGroup[]): Promise<AppendAnswer[]> {
    return this.#write((database) => groups.map((group) => appendGroup(database, this.instanceId, group)))
  }

  async closeRun (runId: string, ending: RunEnding, options: { promote: boolean }): Promise<ClosedRun | null> {
    return this.#write((database) => {
      const run = database.runs.get(runId)
      if (run === undefined || run.session.queue.includes(run)) return null
      const { session } = run
      const again = run.ending !== null
      const events = again ? [] : closeRunning(database, run, ending)
      const next = !options.promote
        ? standstill(session.id)
        : again ? claimAgain(session, this.instanceId, ({ acceptedCursor }) => acceptedCursor < run.completeSeq!) : promote(session, this.instanceId)
      const promotion = { ...next, events: [...events, ...next.events] }
      const complete = session.events.find(({ seq }) => seq === run.completeSeq)!
      return { complete: parseEvent(complete) as CompleteEvent, promotion }
    })
  }

  async getClaim (runId: string): Promise<ClaimedRun | null> {
    return this.#read((database) => claimOf(database.runs.get(runId), this.instanceId))
  }

  async listOwnRuns (): Promise<Array<{ runId: string, sessionId: string }>> {
    return this.#read((database) => database.running().filter(({ instanceId }) => instanceId === this.instanceId).map(toRunIds))
  }

  async renewLease (): Promise<void> {
    this.#write(({ instances }) => { instances.set(this.instanceId, instances.get(this.instanceId)! + 1) })
  }

  async listOrphanedRuns (): Promise<Array<{ runId: string, sessionId: string }>> {
    return this.#read((database) => {
      const others = database.running().filter(({ instanceId }) => instanceId !== this.instanceId)
      const dead = this.#leases.look(database, new Set(others.map(({ instanceId }) => instanceId!)))
      return others.filter(({ instanceId }) => dead.includes(instanceId!)).map(toRunIds)
    })
  }

  async answerPermission (sessionId: string, owner: Owner, requestId: string, decision: PermissionDecision): Promise<boolean | null> {
    return this.#write((database) => {
      const session = database.session(sessionId, owner)
      return session && answerPermission(database, session, requestId, decision)
    })
  }

  async getPermission (sessionId: string, owner: Owner, requestId: string): Promise<PermissionState | null> {
    return this.#read((database) => {
      const session = database.session(sessionId, owner)
      return session && permissionState(database, session, requestId)
    })
  }

  async listAnswers (limit: number): Promise<PermissionAnswer[]> {
    return this.#read((database) => answersFor(database, this.instanceId).slice(0, limit))
  }

  async read (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<LogPage | null> {
    return this.#onSession(sessionId, owner, (session) => ({ session: toSessionState(session), ...readEvents(session, after, limit) }))
  }

  async readEvents (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<EventsPage | null> {
    return this.#onSession(sessionId, owner, (session) => readEvents(session, after, limit))
  }

  async readHistory (sessionId: string, owner: Owner, { before, limit }: { before: number | null, limit: number }): Promise<HistoryPage | null> {
    return this.#onSession(sessionId, owner, (session) => readHistory(session, before, limit))
  }

  async compactRun (runId: string, keep: number): Promise<number> {
    return this.#write((database) => {
      const run = database.runs.get(runId)
      return run === undefined ? 0 : compactRun(run, keep)
    })
  }

  async listCompactableRuns (completedBefore: number, limit: number): Promise<string[]> {
    return this.#read((database) => [...database.runs.values()]
      .filter(({ completedAt, compacted }) => completedAt !== null && completedAt <= completedBefore && !compacted)
      .sort((a, b) => a.completedAt! - b.completedAt!)
      .slice(0, limit).map(({ runId }) => runId))
  }

  async changedSessions (cursor: string | null): Promise<SessionChanges> {
    return this.#read((database) => changedSessions(database, cursor))
  }

  async lastSeqs (sessionIds: string[]): Promise<Array<number | null>> {
    return this.#read((database) => lastSeqs(database, sessionIds))
  }

  watch (listener: () => Promise<void>): () => void {
    return this.#read((database) => database.watch(this.instanceId, listener))
  }

  async setProviderSessionId (sessionId: string, provider: string, id: string): Promise<void> {
    this.#write((database) => {
      const session = database.sessions.get(sessionId)
      if (session?.deleted === false) keepProviderSessionId(session, { provider, id })
    })
  }

  #onSession<T> (sessionId: string, owner: Owner, work: (session: MemorySession) => T): T | null {
    return this.#read((database) => {
      const session = database.session(sessionId, owner)
      return session && work(session)
    })
  }

  #write<T> (work: (database: MemoryDatabase) => T): T {
    const answer = this.#read(work)
    this.#database.committed(this.instanceId)
    return answer
  }

  #read<T> (work: (database: MemoryDatabase) => T): T {
    if (!this.#database.instances.has(this.instanceId)) throw runsError('STORE_UNAVAILABLE')
    return work(this.#database)
  }
}

/** What follows a run in a list; nothing if the run is not there, everything for null. */
function behind (runs: MemoryRun[], runId: string | null): MemoryRun[] {
  if (runId === null) return runs
  const index = runs.findIndex((run) => run.runId === runId)
  return index === -1 ? [] : runs.slice(index + 1)
}

function isIdle ({ running, queue, updatedAt }: MemorySession, since: number): boolean {
  return running === null && queue.length === 0 && updatedAt <= since
}

const toRunIds = ({ runId, session }: MemoryRun): { runId: string, sessionId: string } => ({ runId, sessionId: session.id })

/* What the stores in memory share: the tables, who has them open, and who wants to hear of commits. */
import { runsError } from '../../lib/protocol/errors.ts'
import type { PendingEvent, StoredEvent } from '../../lib/protocol/event.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import { NATIVE_IDS_KEPT } from '../../lib/protocol/limits.ts'
import type { Owner } from '../../lib/protocol/session.ts'
import type { MessageName, NewSession } from '../../lib/store/store.ts'
import { Watcher } from './watcher.ts'

/** A session, or, once deleted, what keeps its id from being used again. Times are in ms since 1970. */
export interface MemorySession {
  readonly id: string
  readonly owner: string
  readonly provider: string | null
  title: string | null
  /** As JSON: what callers hold is never what is stored. */
  metadata: string
  readonly createdAt: number
  updatedAt: number
  deleted: boolean
  lastSeq: number
  compactedThrough: number
  events: StoredEvent[]
  running: MemoryRun | null
  /** Runs that wait, next first. */
  queue: MemoryRun[]
  /** Those last announced last. */
  providerSessionIds: Array<{ provider: string, id: string }>
}

export interface MemoryRun {
  readonly runId: string
  readonly session: MemorySession
  readonly provider: string
  readonly message: PendingEvent
  /** As JSON. */
  readonly options: string
  readonly names: MessageName[]
  readonly createdAt: number
  /** The instance that drives the run, or drove it to its end; null while it waits, and once it was ended from outside. */
  instanceId: string | null
  cursor: number
  /** The newest seq when it was accepted: what the answer to its message said, and says again. */
  readonly acceptedCursor: number
  cancelled: boolean
  startedAt: number | null
  completedAt: number | null
  completeSeq: number | null
  ending: RunEnding | null
  compacted: boolean
}

/** A permission request of a run. */
export interface MemoryPermission {
  readonly requestId: string
  readonly run: MemoryRun
  readonly request: StoredEvent
  /** As JSON; null until it is answered. */
  decision: string | null
  outcome: StoredEvent | null
}

/** A database in memory; stores on the same one are instances of each other. */
export class MemoryDatabase {
  /** Also deleted ones; in the order in which they were created. */
  readonly sessions = new Map<string, MemorySession>()
  /** In the order in which they were accepted. */
  readonly runs = new Map<string, MemoryRun>()
  /** In the order in which they were asked for. */
  readonly permissions = new Map<string, MemoryPermission>()
  /** The instances that are open, and how often each has renewed its lease. */
  readonly instances = new Map<string, number>()
  /** When messages were stopped that had not come, in ms since 1970: by session, owner and name as JSON. */
  readonly stops = new Map<string, number>()
  readonly #watchers = new Map<Watcher, string>()

  /** Ends an instance as the death of its process would: all that it asks from now on is STORE_UNAVAILABLE. */
  kill (instanceId: string): void {
    this.instances.delete(instanceId)
    for (const [watcher, watching] of this.#watchers) {
      if (watching === instanceId) this.#unwatch(watcher)
    }
  }

  /** The session, if it exists for `owner`. Throws SESSION_DELETED. */
  session (sessionId: string, owner: Owner): MemorySession | null {
    const session = this.sessions.get(sessionId)
    if (session === undefined || (owner !== null && owner !== session.owner)) return null
    if (session.deleted) throw runsError('SESSION_DELETED', [sessionId])
    return session
  }

  /** The sessions that were not deleted, in the order in which they were created. */
  existing (): MemorySession[] {
    return [...this.sessions.values()].filter((session) => !session.deleted)
  }

  /** The running runs, in the order in which their sessions were created. */
  running (): MemoryRun[] {
    return this.existing().flatMap(({ running }) => running ?? [])
  }

  /** The runs of a session, in the order in which they were accepted. */
  runsOf (session: MemorySession): MemoryRun[] {
    return [...this.runs.values()].filter((run) => run.session === session)
  }

  /** Whether a session has or had the native id. */
  isKnown (provider: string, id: string): boolean {
    return [...this.sessions.values()].some(({ providerSessionIds }) => providerSessionIds.some((known) => known.provider === provider && known.id === id))
  }

  /** Throws PROVIDER_SESSION_TAKEN. */
  createSession ({ metadata, providerSessionId = null, ...session }: NewSession): MemorySession {
    if (providerSessionId !== null && this.isKnown(session.provider!, providerSessionId)) throw runsError('PROVIDER_SESSION_TAKEN')
    const now = Date.now()
    const created: MemorySession = {
      ...session,
      metadata: JSON.stringify(metadata),
      createdAt: now,
      updatedAt: now,
      deleted: false,
      lastSeq: 0,
      compactedThrough: 0,
      events: [],
      running: null,
      queue: [],
      providerSessionIds: providerSessionId === null ? [] : [{ provider: session.provider!, id: providerSessionId }]
    }
    this.sessions.set(created.id, created)
    return created
  }

  /** Leaves nothing of a session but its id and whose it was. */
  deleteSession (session: MemorySession): void {
    for (const { runId } of this.runsOf(session)) this.runs.delete(runId)
    for (const { requestId, run } of this.permissions.values()) if (run.session === session) this.permissions.delete(requestId)
    Object.assign(session, { deleted: true, title: null, metadata: '{}', events: [], running: null, queue: [], providerSessionIds: [] })
  }

  /** Tells all instances but `instanceId` that it has committed something. */
  committed (instanceId: string): void {
    for (const [watcher, watching] of this.#watchers) {
      if (watching !== instanceId) watcher.notify()
    }
  }

  watch (instanceId: string, listener: () => Promise<void>): () => void {
    const watcher = new Watcher(listener)
    this.#watchers.set(watcher, instanceId)
    return () => this.#unwatch(watcher)
  }

  #unwatch (watcher: Watcher): void {
    watcher.stop()
    this.#watchers.delete(watcher)
  }
}

/** See `Store.setProviderSessionId`. */
export function keepProviderSessionId (session: MemorySession, announced: { provider: string, id: string }): void {
  const { provider, id } = announced
  const others = session.providerSessionIds.filter((known) => known.provider !== provider || known.id !== id)
  const ofProvider = [...others.filter((known) => known.provider === provider), announced]
  const tooOld = new Set(ofProvider.slice(0, -NATIVE_IDS_KEPT))
  session.providerSessionIds = [...others, announced].filter((known) => !tooOld.has(known))
}

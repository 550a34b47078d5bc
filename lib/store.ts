/*
 * The store contract. A store keeps sessions, runs and events, and decides every race: who runs, which terminal wins.
 *
 * - Each method is one transaction. What it answers is durable when its promise resolves.
 * - A store that cannot serve now (locked, full, unreachable) rejects with STORE_UNAVAILABLE; trying again is safe. One
 *   that never will rejects with STORE_FAILED.
 * - `owner` is compared with whose session it is: to anyone else the session does not exist.
 * - Several instances (processes, or plugins in one process) may use one database at once.
 */
import type { CompleteEvent, PendingEvent, StoredEvent } from './event.ts'
import type { Metadata, Owner, RunEnding, RunningRun, RunState, Session, SessionState } from './types.ts'

export interface NewSession {
  id: string
  owner: string
  provider: string | null
  title: string | null
  metadata: Metadata
}

export interface SessionPatch {
  title?: string | null
  metadata?: Metadata
}

export interface NewRun {
  runId: string
  sessionId: string
  /** Compared with the session's, and the owner of a session that is created (null: `ANONYMOUS`). */
  owner: Owner
  provider: string
  /** The user's message: the run's first event. */
  message: PendingEvent
  /** Whether a session that does not exist is created. */
  createSession: boolean
}

export type RunStart =
  | {
    outcome: 'started'
    session: Session
    /** The stored message; its seq is the run's first. */
    message: StoredEvent
    /** The native id last announced for this session and provider. */
    providerSessionId: string | null
    /** Every native id that the session ever had, of any provider. */
    providerSessionIds: string[]
  }
  /** A run is running since `cursor`; `instanceId` drives it. */
  | { outcome: 'busy', runId: string, cursor: number, instanceId: string }
  | { outcome: 'not-found' }

/** Consecutive events of one run, and its end if the last of them is its `complete`. */
export interface AppendGroup {
  runId: string
  events: StoredEvent[]
  ending: RunEnding | null
}

/**
 * `ok`: durable, or was before. `stale`: the run is not running any more, or not by this instance. `conflict`: the
 * seqs do not follow the session's newest event.
 */
export type AppendOutcome = 'ok' | 'stale' | 'conflict'

/** Part of a log, read in one snapshot with the session's state. */
export interface LogPage {
  session: SessionState
  /** Every retained event in the range, in order. */
  events: StoredEvent[]
  /** The page is complete up to this seq: `session.lastSeq`, unless a limit cut it. */
  through: number
}

/** A page of durable events, oldest first. */
export interface HistoryPage {
  session: SessionState
  events: StoredEvent[]
  /** Whether older durable events exist. */
  hasMore: boolean
  /** The seq to follow from: the page and the stream after it are everything. */
  cursor: number
}

export interface PageLimit {
  rows: number
  /** Bytes of JSON; a page holds at least one event all the same. */
  bytes: number
}

export interface Store {
  /** This instance, as `busy` names it. Random. */
  readonly instanceId: string

  /**
   * Opens the database and brings its schema up to date; safe when several instances do so at once. Idempotent.
   * Rejects with STORE_SCHEMA_NEWER or STORE_INVALID.
   */
  open (): Promise<void>
  /** Releases everything. Idempotent. */
  close (): Promise<void>

  /** Creates a session; null if the id is taken, by whomever. */
  createSession (session: NewSession): Promise<SessionState | null>
  getSession (sessionId: string, owner: Owner): Promise<SessionState | null>
  /** The owner's sessions, newest first; after the session `before`, if given. */
  listSessions (owner: Owner, options: { limit: number, before: string | null }): Promise<SessionState[]>
  updateSession (sessionId: string, owner: Owner, patch: SessionPatch): Promise<SessionState | null>

  /** Claims the session's one running slot, creates the session if need be, and appends the message under the next seq. */
  startRun (run: NewRun): Promise<RunStart>
  getRun (runId: string, owner: Owner): Promise<RunState | null>
  /** A session's runs, newest first. */
  listRuns (sessionId: string, owner: Owner, options: { limit: number }): Promise<RunState[]>
  listRunningRuns (owner: Owner): Promise<RunningRun[]>

  /**
   * Appends to runs that this instance drives. Each group is all or nothing and independent of the others; one answer
   * per group. Sending a group again that was stored is `ok`. A group with an ending completes its run in the same step.
   */
  append (groups: AppendGroup[]): Promise<AppendOutcome[]>

  /**
   * Ends a run from outside: for an instance that died, or another that lives and will see `stale`. Appends the
   * messages that stored deltas leave unfinished, then `complete`. A run that has ended keeps its terminal. Answers the
   * appended events (none if it had ended) and the terminal that holds; null if there is no such run.
   */
  closeRun (runId: string, ending: RunEnding): Promise<{ events: StoredEvent[], complete: CompleteEvent } | null>
  /** The runs of instances that are certainly dead. */
  listOrphanedRuns (): Promise<Array<{ runId: string, sessionId: string }>>

  /** What is retained after a seq; null if the session does not exist. */
  read (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<LogPage | null>
  /**
   * The newest durable events before the seq `before`. Without `before`, the latest page: while a run is running it
   * stops before that run's first event.
   */
  readHistory (sessionId: string, owner: Owner, options: { before: number | null, limit: number }): Promise<HistoryPage | null>

  /**
   * Merges and deletes transient events of a run, but about the newest `keep` (compaction.ts says which), and moves the
   * session's `compactedThrough` in the same step. Answers how many the run has left.
   */
  compactRun (runId: string, keep: number): Promise<number>
  /** Runs that were completed before a time (ms since 1970) and never compacted, oldest first. */
  listCompactableRuns (completedBefore: number, limit: number): Promise<string[]>

  /** The seqs of the newest events of sessions; 0 for one that does not exist. */
  lastSeqs (sessionIds: string[]): Promise<number[]>
  /**
   * Calls `listener` soon after another instance has committed something, and again if it rejects, until the answered
   * function is called. A hint: it may come late, once for many commits, or for nothing; never twice at a time.
   */
  watch (listener: () => Promise<void>): () => void

  /** Keeps the native id that a provider announced for a session; the newest holds. */
  setProviderSessionId (sessionId: string, provider: string, providerSessionId: string): Promise<void>
}

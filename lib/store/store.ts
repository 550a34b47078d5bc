/*
 * The store contract, unstable until 1.0. A store keeps sessions, runs and events, and decides every race: who runs, which terminal wins.
 *
 * - Each method is one transaction. What it answers is durable when its promise resolves.
 * - A store that cannot serve now (locked, full, unreachable) rejects with STORE_UNAVAILABLE; trying again is safe. One
 *   that never will rejects with STORE_FAILED. Codes have the prefix `AGENT_RUNS_`; the core takes them without it, too.
 * - The core waits for a call for 2 s (deadlines.ts; `compactRun` and `purge`: 60 s; `open`, `close`: without end), then takes
 *   it for STORE_UNAVAILABLE. A deadline does not cancel: the call may take effect later.
 * - After a lost answer any call may be made again; "Again:" says what that does, where it is more than the same once more.
 * - Isolation: a read answers from one snapshot. A write that decides (`startRun`, `claimQueuedRun`, `append`, `closeRun`,
 *   `deleteSession`, `answerPermission`) reads what it decides on after it has locked its sessions; then READ COMMITTED is enough.
 * - Locks are taken in this order: sessions by key, runs, rows of owners by name.
 * - `owner` is compared with whose session it is: to anyone else the session does not exist.
 * - A session that was deleted is SESSION_DELETED to its owner, from every method that answers null for one that does
 *   not exist, and does not exist for others. Of its runs there is nothing.
 * - Several instances (processes, or plugins in one process) may use one database at once.
 */
import type { CompleteEvent, PendingEvent, StoredEvent } from '../protocol/event.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import type { Metadata, Owner, SessionState } from '../protocol/session.ts'
import type { PermissionDecision, RunMessage, RunningRun, RunState } from '../protocol/words.ts'
import type { EventsPage, HistoryPage, LogPage, PageLimit, SessionsPage } from './pages.ts'
import type { ClaimedRun, Promotion } from './promotion.ts'

export type * from './pages.ts'
export type * from './promotion.ts'

export interface NewSession {
  id: string
  owner: string
  provider: string | null
  title: string | null
  metadata: Metadata
  /** The native session to go on with; its provider is `provider`. Default: a new one. */
  providerSessionId?: string | null
}

export interface SessionPatch {
  title?: string | null
  metadata?: Metadata
}

/** What to do with a message whose session is busy: refuse it, let it wait its turn, or end the running run for it. */
export type OnBusy = 'reject' | 'queue' | 'interrupt'

/** A name of a message, with a hash of what it asked for: the same name for something else is an error. Null: nothing to compare. */
export interface MessageName {
  name: string
  hash: string | null
}

export interface NewRun {
  runId: string
  sessionId: string
  /** Compared with the session's, and the owner of a session that is created (null: `ANONYMOUS`). */
  owner: Owner
  provider: string
  /** The user's message: the run's first event. */
  message: PendingEvent
  /** What the client wants of the provider; kept while the run waits. */
  options: Record<string, unknown>
  /** Whether a session that does not exist is created. */
  createSession: boolean
  onBusy: OnBusy
  /** What the message may become, unless it is a repeat: a run at once, only a run that waits, or nothing. */
  admit: 'run' | 'queue' | 'nothing'
  /** How many runs may wait in the session. */
  maxQueued: number
  /** What the client calls this message, and may call it when it sends it again: its idempotency key, its own id. Unique in the session and owner. */
  names: MessageName[]
}

export type RunStart =
  /** Durable: as a run that is claimed by the promotion, or one that waits, or, for a repeat, as it was before. */
  | {
    outcome: 'accepted'
    run: RunState
    /** What the first answer said, or says now: a seq from which the run is followed without missing anything. */
    cursor: number
    promotion: Promotion
  }
  /** Another run is in the way, since `cursor`; `instanceId` drives it (null: it waits itself). */
  | { outcome: 'busy', runId: string, cursor: number, instanceId: string | null }
  /** `admit` did not allow what the message would have become. */
  | { outcome: 'refused' }

/** Consecutive events of one run, and its end if the last of them is its `complete`. */
export interface AppendGroup {
  runId: string
  events: StoredEvent[]
  ending: RunEnding | null
  /** Whether the ending promotes the session's next waiting run. */
  promote: boolean
}

/**
 * `ok`: durable, or was before. `stale`: the run is not running any more, or not by this instance. `conflict`: the
 * seqs do not follow the session's newest event.
 */
export type AppendOutcome = 'ok' | 'stale' | 'conflict'

export interface AppendAnswer {
  outcome: AppendOutcome
  /** What the ending of the group set in motion; null if nothing. */
  promotion: Promotion | null
}

/** What has changed, and the cursor from which to ask on. */
export interface SessionChanges {
  cursor: string
  sessionIds: string[] | null
  /** Those of which something has changed that is in no event: what waits, a title, an answer. Null as `sessionIds`, but only from `cursor` null. */
  revised: string[] | null
}

/** How an approval stands. */
export interface PermissionState {
  /** `answered`: decided; its run has yet to take that, and to say so in the log. */
  status: 'pending' | 'answered' | 'resolved' | 'cancelled'
  /** The `permission_request`. */
  request: StoredEvent
  /** The `permission_resolved` or `permission_cancelled`; null before. */
  outcome: StoredEvent | null
}

/** A decision that a run has yet to take. */
export interface PermissionAnswer {
  runId: string
  requestId: string
  decision: PermissionDecision
}

/** A run that was ended from outside. */
export interface ClosedRun {
  /** The terminal event that holds. */
  complete: CompleteEvent
  /** The events that were appended (none if the run had ended before), and what they set in motion. */
  promotion: Promotion
}

export interface Store {
  /** This instance, as `busy` names it. Random. */
  readonly instanceId: string
  /** An instance that has not renewed its lease for this long is taken for dead, in ms. */
  readonly leaseMs: number

  /**
   * Opens the database and brings its schema up to date; safe when several instances do so at once. Idempotent. Rejects with the codes AGENT_RUNS_STORE_….
   */
  open (): Promise<void>
  /** Releases everything. Idempotent. */
  close (): Promise<void>

  /**
   * Creates a session; null if the id is taken, or was, by any owner. With a `providerSessionId` that another session has
   * or had of that provider, until it is purged: rejects with PROVIDER_SESSION_TAKEN. Again: null.
   */
  createSession (session: NewSession): Promise<SessionState | null>
  /** Which of these native ids sessions have or had, until they are purged; at most 500 of them. */
  knownProviderSessions (provider: string, providerSessionIds: readonly string[]): Promise<string[]>
  getSession (sessionId: string, owner: Owner): Promise<SessionState | null>
  /** The owner's sessions, newest first; after the session `before`, if given. */
  listSessions (owner: Owner, options: PageLimit & { before: string | null }): Promise<SessionsPage>
  updateSession (sessionId: string, owner: Owner, patch: SessionPatch): Promise<SessionState | null>
  /**
   * Deletes a session for good: its runs, whatever their state, end without a word, no method shows anything of it, and its
   * id is never used again. Its rows may stay until `purge` removes them. With `idleSince` (ms since 1970) only if it is
   * not busy and was not touched since. Answers whether it did. Again: SESSION_DELETED.
   */
  deleteSession (sessionId: string, owner: Owner, options?: { idleSince?: number }): Promise<boolean>
  /**
   * Removes a bounded part of what deletions, of any instance, and compactions have left, so that nothing of it can be read
   * from the database again. Answers whether there is more to do now; what cannot be done now is done by a later call.
   */
  purge (): Promise<boolean>
  /** Sessions that are not busy and were not touched since a time (ms since 1970), longest ago first. */
  listIdleSessions (since: number, limit: number): Promise<string[]>

  /**
   * Takes a message in. In this order: a run with this `runId` is accepted as it was; a repeat (one of its names is known, and the hash the same) is accepted as it was; the session is
   * created if need be; a busy session is dealt with by `onBusy`; the message's run starts, or waits: behind those that
   * wait already, `interrupt` before them. `interrupt` ends the running run as aborted in the same step, as `closeRun` does. When a message
   * is accepted that is no repeat, `admit` is `run` and the session's slot is free, its first waiting run is claimed. A message that was
   * stopped before it came interrupts nothing: it waits as a cancelled run, or, in an idle session, enters the log at once with its aborted `complete`. One
   * that is not accepted stays stopped.
   * Rejects with SESSION_NOT_FOUND, SESSION_DELETED, IDEMPOTENCY_KEY_REUSED, QUEUE_FULL. Again, with the same `runId`: changes nothing, and
   * the promotion is the claim that the first call made, as long as `getClaim` has it.
   */
  startRun (run: NewRun): Promise<RunStart>
  /**
   * Claims the run that waits longest at the head of a queue whose session has no running run, and appends its message.
   * Null if there is none. Again: claims the next; what was claimed before is in `listOwnRuns`.
   */
  claimQueuedRun (): Promise<Promotion | null>
  /**
   * Takes a waiting run's turn from it: when it comes, the run's message and an aborted `complete` are appended, and the
   * next is promoted. False if the run does not wait (any more).
   */
  cancelQueuedRun (runId: string): Promise<boolean>
  /**
   * Stops a message by a name of it. If it has come, answers its run, and changes nothing. Else null: once it comes within STOP_KEPT_MS, it is
   * accepted as a cancelled run. `owner` is that of the message; the session need not exist, and for one of others the answer is the same.
   * Rejects with SESSION_DELETED, and with TOO_MANY_STOPS if MAX_STOPS of the owner wait. Again: the same, for another STOP_KEPT_MS.
   */
  stopMessage (sessionId: string, owner: Owner, name: string): Promise<RunState | null>
  getRun (runId: string, owner: Owner): Promise<RunState | null>
  /** The message of a run, whether it waits or is in the log; null if there is no such run. */
  getMessage (runId: string, owner: Owner): Promise<RunMessage | null>
  /** A session's runs, those that were accepted last first; after the run `before`, if given. */
  listRuns (sessionId: string, owner: Owner, options: { limit: number, before: string | null }): Promise<RunState[]>
  /** Running runs, those that were accepted first first; after the run `after`, if given. */
  listRunningRuns (owner: Owner, options: { limit: number, after: string | null }): Promise<RunningRun[]>

  /**
   * Appends to runs that this instance drives. Each group is all or nothing and independent of the others; one answer
   * per group. A group with an ending completes its run in the same step.
   *
   * Again: `ok` for a group that was stored, told by its seqs alone, also when it was compacted since; with an ending that promotes, the
   * promotion is the claim that it made, as long as `getClaim` has it. `stale` once the run was ended from outside.
   *
   * Approvals follow the log: a `permission_request` is pending from here on, a `permission_resolved` or
   * `permission_cancelled` is its outcome.
   */
  append (groups: AppendGroup[]): Promise<AppendAnswer[]>

  /**
   * Ends a run from outside: for an instance that died, or another that lives and will see `stale`. Appends the
   * messages that stored deltas leave unfinished, cancels the approvals without an outcome (oldest first, with the
   * ending's reason), then `complete`, and promotes the next waiting run if asked to. A run
   * that has ended keeps its terminal. Null if there is no such run, or it waits. Again: the promotion is the claim that this instance made
   * by it, as long as `getClaim` has it.
   */
  closeRun (runId: string, ending: RunEnding, options: { promote: boolean }): Promise<ClosedRun | null>
  /**
   * The claim of a running run of this instance of which only the message is in the log, as the lost answer said it. Null for
   * every other run.
   */
  getClaim (runId: string): Promise<ClaimedRun | null>
  /** The running runs that this instance has claimed, whether or not the answer that said so has come. */
  listOwnRuns (): Promise<Array<{ runId: string, sessionId: string }>>
  /** Says that this instance is alive and drives runs. */
  renewLease (): Promise<void>
  /**
   * The runs of other instances that are dead: certainly, or their lease was seen to stand still for `leaseMs` by this
   * instance's own monotonic clock. Only time between two calls that could read and write counts, each gap as at most a third of
   * `leaseMs`; a call that fails starts the count anew. After an outage that kept all from renewing none is dead.
   */
  listOrphanedRuns (): Promise<Array<{ runId: string, sessionId: string }>>

  /**
   * Decides an approval of a session. The first answer holds: false if there was one, or the approval has its outcome.
   * Null if the session has no such approval. Again, with the same decision (as JSON): true, unless the run's end has cancelled it.
   */
  answerPermission (sessionId: string, owner: Owner, requestId: string, decision: PermissionDecision): Promise<boolean | null>
  /** An approval of a session, or null. */
  getPermission (sessionId: string, owner: Owner, requestId: string): Promise<PermissionState | null>
  /** The decisions that running runs of this instance have yet to take, in the order in which they were asked for; at most `limit`. */
  listAnswers (limit: number): Promise<PermissionAnswer[]>

  /** The session's view and a page of what is retained after a seq; null if the session does not exist. For the opening read. */
  read (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<LogPage | null>
  /** A page of what is retained after a seq, and two integers of its session: for readers that go on. Null as `read`. */
  readEvents (sessionId: string, owner: Owner, after: number, limit: PageLimit): Promise<EventsPage | null>
  /**
   * The newest durable events before the seq `before`. Without `before`, the latest page: while a run is running it
   * stops before that run's first event.
   */
  readHistory (sessionId: string, owner: Owner, options: { before: number | null, limit: number }): Promise<HistoryPage | null>

  /**
   * Merges and deletes transient events of a run, but about the newest `keep` (compaction.ts says which). It may take many
   * transactions, each bounded in rows and bytes, between which any reader still rebuilds the same text: snapshots are
   * written first, `compactedThrough` moves no later than the first deletion, and the newest go first. Calling it
   * again finishes what was cut off. While the run is running its newest event stays. Answers how many the run has left.
   */
  compactRun (runId: string, keep: number): Promise<number>
  /** Runs that were completed before a time (ms since 1970) and never compacted, oldest first. */
  listCompactableRuns (completedBefore: number, limit: number): Promise<string[]>

  /**
   * The sessions that have changed since `cursor`: by an append, a deletion, a run that waits or was cancelled, an answer to an approval, a new title
   * or metadata. It may name others too. `sessionIds` is null if any may have changed: `cursor` is null, or old. A repeat with
   * the answered cursor goes on from there.
   */
  changedSessions (cursor: string | null): Promise<SessionChanges>
  /** The seqs of the newest events of sessions: 0 for one that does not exist, null for one that was deleted. */
  lastSeqs (sessionIds: string[]): Promise<Array<number | null>>
  /**
   * Calls `listener` soon after another instance has committed something, and again if it rejects, until the answered
   * function is called. A hint: it may come late, once for many commits, or for nothing; never twice at a time.
   */
  watch (listener: () => Promise<void>): () => void

  /** Keeps the native id that a provider announced for a session; the newest holds, and the newest 32 of a provider are kept. */
  setProviderSessionId (sessionId: string, provider: string, providerSessionId: string): Promise<void>
}

/* The runs that this process drives: takes over what the store gives it, ends them, and ends them all at shutdown. */
import { setMaxListeners } from 'node:events'
import { atMost } from '../common/at-most.ts'
import type { Logger } from '../common/logger.ts'
import { RecentIds } from '../common/recent-ids.ts'
import { runsError } from '../protocol/errors.ts'
import { type CompleteEvent, type EventOf, parseEvent, type StoredEvent } from '../protocol/event.ts'
import type { Limits } from '../protocol/limits.ts'
import { INTERRUPTED } from '../protocol/run-ending.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import type { PermissionDecision, RunState } from '../protocol/words.ts'
import type { Provider } from '../provider/provider.ts'
import type { ClaimedRun, Promotion, Store } from '../store/store.ts'
import { durableEvents } from '../streams/log-reader.ts'
import type { Subscriptions } from '../streams/subscriptions.ts'
import { Committer } from './committer.ts'
import { Contexts } from './contexts.ts'
import { LastResort } from './last-resort.ts'
import { missingProvider } from './missing-provider.ts'
import type { Retention } from './retention.ts'
import { Run } from './run.ts'
import { Scrubber } from './scrubber.ts'
import { Slots } from './slots.ts'

/** How long a shutdown waits for the terminals of runs that it ended itself. */
const TERMINAL_GRACE_MS = 500
/** A store that is away for less than this, or than a lease, ends no run, in ms. */
const OUTAGE_MS = 30_000
/** Decisions of others that one look takes up; each may hold a mebibyte. */
const ANSWERS_AT_ONCE = 20

export interface RunPoolOptions {
  store: Store
  providers: ReadonlyMap<string, Provider>
  runTimeoutMs: number
  limits: Limits
  subscriptions: Subscriptions
  retention: Retention
  log: Logger
}

export class RunPool {
  readonly #options: RunPoolOptions
  readonly #committer: Committer
  readonly #runs = new Map<string, Run>()
  /** Of `#runs`, and of runs that are being started. */
  /** Of runs that were driven here: another answer of the store may bring their claim again, later than their end. */
  readonly #over = new RecentIds(10_000)
  readonly #slots: Slots
  readonly lastResort: LastResort
  readonly #contexts: Contexts
  /** Work that may yet bring runs. */
  readonly #work = new Set<Promise<unknown>>()
  /** Aborted at the end of a shutdown: nothing is tried again. */
  readonly #stopped = new AbortController()
  #driven = 0
  #closing = false
  /** What is claimed from now on is ended at once. */
  #interrupting = false
  /** Whether runs may wait for a slot of ours. */
  #wanted = false
  #draining = false

  constructor (options: RunPoolOptions) {
    this.#options = options
    this.#slots = new Slots(options.limits.runningRuns)
    // Each run that waits for a failing store listens.
    setMaxListeners(0, this.#stopped.signal)
    const { store, log } = options
    this.#contexts = new Contexts(store)
    this.lastResort = new LastResort({ store, close: (runId, ending) => this.close(runId, ending), log, stopped: this.#stopped.signal })
    this.#committer = new Committer({
      store,
      publish: (sessionId, events) => this.#applied(sessionId, events),
      promoted: (promotion) => this.applyPromotion(promotion),
      promotes: () => !this.#closing,
      patienceMs: Math.max(store.leaseMs, OUTAGE_MS),
      log,
      stopped: this.#stopped.signal
    })
  }

  /** True once a shutdown has begun. */
  get closing (): boolean {
    return this.#closing
  }

  /** True while no further run may start here. */
  get full (): boolean {
    return this.#slots.full
  }

  /** How many runs are driven here. */
  get size (): number {
    return this.#runs.size
  }

  /** Whether this process drives runs. */
  get busy (): boolean {
    return this.#slots.busy
  }

  /** How many runs this process has driven so far. */
  get driven (): number {
    return this.#driven
  }

  /** Keeps a slot for a run that is being started; a shutdown waits for `work`, and the slot is given back if it brings no run. */
  async reserve<T> (runId: string, work: () => Promise<T>): Promise<T> {
    this.#slots.take(runId)
    try {
      return await this.#awaited(work())
    } finally {
      if (!this.#runs.has(runId)) this.#slots.giveBack(runId)
    }
  }

  /** Shows what a promotion appended, and drives the run that it claimed. */
  applyPromotion ({ sessionId, events, claimed }: Promotion): void {
    this.#applied(sessionId, events)
    if (events.length > 0) this.#options.subscriptions.queueChanged(sessionId, 'moved')
    if (claimed !== null && !this.#runs.has(claimed.run.runId) && !this.#over.has(claimed.run.runId)) this.#drive(claimed)
  }

  /** The one way from a commit of this process to everybody in it: streams, retention, and the runs that it ended. */
  #applied (sessionId: string, events: StoredEvent[]): void {
    if (events.length === 0) return
    const { subscriptions, retention } = this.#options
    subscriptions.publish(sessionId, events)
    retention.committed(events)
    for (const { kind, runId } of events) if (kind === 'complete') this.#runs.get(runId)?.fenced()
  }

  /** Keeps what code in this process says to the provider of a run that is about to be driven, or waits. */
  keepContext (runId: string, context: unknown): void {
    this.#contexts.keep(runId, context)
  }

  /** Forgets what was kept for runs that wait no more: another process drives them, or they were cancelled. */
  async pruneContexts (): Promise<void> {
    await this.#contexts.prune((runId) => this.#slots.has(runId))
  }

  /** A run waits: the next slot that is free may be its. */
  want (sessionId: string): void {
    this.#wanted = true
    this.#options.subscriptions.queueChanged(sessionId)
  }

  /** Starts runs that wait, of any session, while there are slots. */
  async drain (): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    try {
      await this.#awaited(this.#claimQueued())
    } catch (error) {
      this.#options.log.warn({ err: error }, 'runs that wait could not be started; they will be')
    } finally {
      this.#draining = false
    }
  }

  async #claimQueued (): Promise<void> {
    this.#wanted = true
    while (!this.#closing && !this.full) {
      const isMore = await this.#slots.during(async () => {
        const promotion = await this.#options.store.claimQueuedRun()
        if (promotion !== null) this.applyPromotion(promotion)
        return promotion !== null
      })
      if (isMore) continue
      this.#wanted = false
      return
    }
  }

  /** Ends a run, wherever it is driven; resolves with the terminal that holds. Rejects with RUN_NOT_FOUND. */
  async end (runId: string, ending: RunEnding): Promise<CompleteEvent> {
    const complete = await (this.#runs.get(runId)?.end(ending) ?? this.close(runId, ending))
    if (complete !== null) return complete
    throw await this.#options.store.getRun(runId, null) === null ? runsError('RUN_NOT_FOUND', [runId]) : runsError('STORE_UNAVAILABLE')
  }

  /** Ends a run in the store, wherever it is driven; the terminal that holds, or null if there is no such run. */
  async close (runId: string, ending: RunEnding): Promise<CompleteEvent | null> {
    // One that is driven here makes room itself. Without a slot the session's next run waits for one, like all others.
    const promote = !this.#closing && (this.isDriven(runId) || !this.full)
    if (!promote) this.#wanted = true
    const closed = await this.#awaited(this.#slots.during(async () => {
      const closed = await this.#options.store.closeRun(runId, ending, { promote })
      if (closed !== null) this.applyPromotion(closed.promotion)
      return closed
    }))
    if (closed === null) return null
    this.lastResort.forget(runId)
    // It may have ended before, and the answer that said so been lost.
    this.#options.subscriptions.advance(closed.promotion.sessionId, closed.complete.seq)
    return closed.complete
  }

  /** Ends a run whose message was refused though the store may have taken it, or may take it later. */
  async undo (runId: string): Promise<void> {
    this.lastResort.undone(runId)
    if (!await this.#options.store.cancelQueuedRun(runId)) await this.close(runId, INTERRUPTED)
  }

  /** Drives a run that this instance has claimed and not begun to drive, as the answer was lost; false for every other run. */
  async adopt (runId: string): Promise<boolean> {
    const claimed = this.#closing || this.lastResort.endingOf(runId) !== undefined ? null : await this.#options.store.getClaim(runId)
    if (claimed === null) return false
    this.applyPromotion({ sessionId: claimed.run.sessionId, events: [claimed.message], claimed })
    return true
  }

  /** Takes a waiting run's turn from it; false if it does not wait (any more). */
  async cancel ({ runId, sessionId }: Pick<RunState, 'runId' | 'sessionId'>): Promise<boolean> {
    const isCancelled = await this.#options.store.cancelQueuedRun(runId)
    if (isCancelled) this.#options.subscriptions.queueChanged(sessionId)
    return isCancelled
  }

  /** Whether the run is driven here, or being started. */
  isDriven (runId: string): boolean {
    return this.#slots.has(runId)
  }

  /** Tells a run that is driven here what was decided; resolves once its log has it, or never will. */
  async answer (runId: string, requestId: string, decision: PermissionDecision): Promise<void> {
    await this.#runs.get(runId)?.answer(requestId, decision)
  }

  /** Stops the providers of runs that others have ended, or whose session they have deleted; takes answers that others have. */
  async refresh (): Promise<void> {
    const mine = [...this.#runs.values()]
    if (mine.length === 0) return
    const running = new Set((await this.#options.store.listOwnRuns()).map(({ runId }) => runId))
    for (const run of mine) if (!running.has(run.runId)) run.fenced()
    if (!mine.some((run) => run.hasPendingApprovals)) return
    for (const { runId, requestId, decision } of await this.#options.store.listAnswers(ANSWERS_AT_ONCE)) void this.answer(runId, requestId, decision)
  }

  /** Refuses new runs, lets the others finish for `graceMs`, then interrupts them. */
  async shutDown (graceMs: number): Promise<void> {
    this.#closing = true
    await atMost(graceMs, this.#idle())
    this.#interrupting = true
    for (const run of this.#runs.values()) void run.end(INTERRUPTED)
    await atMost(TERMINAL_GRACE_MS, this.#idle())
    this.#stopped.abort()
  }

  async #idle (): Promise<void> {
    while (this.#work.size + this.#runs.size > 0) {
      await Promise.allSettled([...this.#work, ...[...this.#runs.values()].map((run) => run.completed)])
    }
  }

  async #awaited<T> (work: Promise<T>): Promise<T> {
    this.#work.add(work)
    return work.finally(() => this.#work.delete(work))
  }

  #drive ({ run: identity, session, options, message, providerSessionId, providerSessionIds }: ClaimedRun): void {
    const { store, runTimeoutMs, limits, log } = this.#options
    const { runId, provider: name } = identity
    const run: Run = new Run({
      provider: this.#options.providers.get(name) ?? missingProvider(name),
      context: {
        session: { id: session.id, owner: session.owner, metadata: session.metadata },
        runId,
        content: (parseEvent(message) as EventOf<'text'>).content,
        options,
        context: this.#contexts.take(runId),
        providerSessionId,
        history: () => durableEvents(store, session.id, message.seq),
        log
      },
      log: this.#committer.open(identity, message.seq, () => run.fenced()),
      scrubber: new Scrubber(session.id, providerSessionIds),
      limits,
      timeoutMs: runTimeoutMs,
      keepProviderSessionId: (id) => store.setProviderSessionId(session.id, name, id),
      close: (ending, isFenced) => isFenced ? this.lastResort.fenced(runId, ending) : this.lastResort.refused(runId, ending)
    })
    this.#driven++
    this.#runs.set(runId, run)
    this.#slots.take(runId)
    void run.completed.then(() => this.#gone(runId))
    if (this.#interrupting) void run.end(INTERRUPTED)
    else run.start()
  }

  #gone (runId: string): void {
    this.#runs.delete(runId)
    this.#over.add(runId)
    this.#slots.giveBack(runId)
    this.#options.retention.forget(runId)
    if (this.#wanted && !this.#closing) void this.drain()
  }
}

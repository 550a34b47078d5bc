/*
 * Group commit, then publish: no client sees an event that a crash can take back. Once per loop turn the pending events
 * of all runs get their seqs, are encoded, and go to the store as one batch; while it commits, the next one gathers. A
 * batch that is late holds up its own runs only: a run has one group in flight at most, the others go on in the next batch.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { atMost } from '../common/at-most.ts'
import type { Logger } from '../common/logger.ts'
import { hasCode } from '../protocol/errors.ts'
import { type EncodeEvent, eventEncoder, type PendingEvent, type RunIdentity, type StoredEvent } from '../protocol/event.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import { missedDeadline } from '../store/deadlines.ts'
import type { AppendAnswer, AppendGroup, AppendOutcome, Promotion, Store } from '../store/store.ts'

/** A run may have this much uncommitted before its provider has to wait. */
const MAX_PENDING_EVENTS = 512
const MAX_PENDING_BYTES = 512 * 1024
/** What one transaction takes; the rest waits a turn. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** A batch that takes longer is late: the runs that are not in it wait no more, in ms. */
const LATE_MS = 50
/** Pauses between tries while the store is not available, in ms; the last one repeats. */
const RETRY_DELAYS = [50, 100, 200, 500, 1_000, 2_000]

/** Why a run's events did not become durable. `refused`: the store would not take them, however often it was asked. */
export type Rejection = Exclude<AppendOutcome, 'ok'> | 'refused'

/** The growing end of one run's log in this process: what is pending, and the seq that was committed last. */
export class RunLog {
  readonly run: RunIdentity
  readonly #encode: EncodeEvent
  readonly #schedule: (log: RunLog) => void
  readonly #onRejected: (rejection: Rejection) => void
  #lastSeq: number
  #pending: PendingEvent[] = []
  /** Whether a group is on its way to the store. */
  #inFlight = false
  /** Of what is pending or on its way to the store; 0 = all is settled. */
  #bytes = 0
  #ending: RunEnding | null = null
  #rejection: Rejection | null = null
  #lossy = false
  /** How many events were appended and committed here, and who waits for how many to be. */
  #appended = 0
  #committed = 0
  #settled: Array<{ count: number, resolve: () => void }> = []
  /** The newest event that was committed here. */
  newest: StoredEvent | null = null

  constructor (run: RunIdentity, lastSeq: number, schedule: (log: RunLog) => void, onRejected: (rejection: Rejection) => void) {
    this.run = run
    this.#lastSeq = lastSeq
    this.#encode = eventEncoder(run)
    this.#schedule = schedule
    this.#onRejected = onRejected
  }

  /** True while the provider has to wait for a commit. */
  get full (): boolean {
    return this.#pending.length >= MAX_PENDING_EVENTS || this.#bytes >= MAX_PENDING_BYTES
  }

  /** Why this log takes no more events, or null. */
  get rejection (): Rejection | null {
    return this.#rejection
  }

  /** Whether anything but the terminal event was rejected. */
  get lossy (): boolean {
    return this.#lossy
  }

  append (event: PendingEvent): void {
    if (this.#rejection !== null) return
    this.#pending.push(event)
    this.#appended++
    this.#bytes += event.fields.length
    if (!this.#inFlight) this.#schedule(this)
  }

  /** Appends the terminal event; it and the run's completion are one write. */
  end (complete: PendingEvent, ending: RunEnding): void {
    this.#ending = ending
    this.append(complete)
  }

  /** Resolves when everything appended so far is committed, or the log is rejected. */
  async settled (): Promise<void> {
    const count = this.#appended
    if (this.#rejection === null && this.#committed < count) await new Promise<void>((resolve) => { this.#settled.push({ count, resolve }) })
  }

  /** Takes no more events: the run is not ours any more. Nothing happens to a log whose terminal is committed. */
  fence (): void {
    const isOver = this.#ending !== null && this.#committed === this.#appended
    if (this.#rejection === null && !isOver) this.#reject('stale', this.#pending.length)
  }

  /** For the committer: takes what is pending as one group with seqs; null if nothing is. */
  take (promote: boolean): AppendGroup | null {
    if (this.#pending.length === 0) return null
    const first = this.#lastSeq + 1
    const events = this.#pending.map((event, index) => this.#encode(event, first + index))
    this.#pending = []
    this.#inFlight = true
    return { runId: this.run.runId, events, ending: this.#ending, promote }
  }

  /** For the committer: the store's answer to what was taken. */
  settle (group: AppendGroup, outcome: AppendOutcome | 'refused'): void {
    this.#inFlight = false
    if (this.#rejection !== null) return
    if (outcome !== 'ok') return this.#reject(outcome, group.events.length + this.#pending.length)
    this.newest = group.events.at(-1)!
    this.#lastSeq = this.newest.seq
    this.#committed += group.events.length
    this.#bytes = this.#pending.reduce((bytes, event) => bytes + event.fields.length, 0)
    while (this.#settled.length > 0 && this.#settled[0]!.count <= this.#committed) this.#settled.shift()!.resolve()
    if (this.#pending.length > 0) this.#schedule(this)
  }

  #reject (rejection: Rejection, lost: number): void {
    this.#rejection = rejection
    this.#lossy = lost > (this.#ending === null ? 0 : 1)
    this.#pending = []
    this.#bytes = 0
    for (const { resolve } of this.#settled.splice(0)) resolve()
    this.#onRejected(rejection)
  }
}

type Batch = Array<{ log: RunLog, group: AppendGroup }>

export interface CommitterOptions {
  store: Store
  /** Called after each commit, in order; must not throw. */
  publish: (sessionId: string, events: StoredEvent[]) => void
  /** Called after the publication of an ending that set something in motion; must not throw. */
  promoted: (promotion: Promotion) => void
  /** Whether endings promote runs that wait. */
  promotes: () => boolean
  /** How long a store that is not available is tried again before the runs in question end, in ms. */
  patienceMs: number
  log: Logger
  /** Once aborted, nothing is tried again. */
  stopped?: AbortSignal
  /** Waits before the next try, `ms` or until the signal is aborted. Default: a timer. */
  pause?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>
}

/** The one writer of an instance. */
export class Committer {
  readonly #options: CommitterOptions
  readonly #dirty = new Set<RunLog>()
  #flushing = false

  constructor (options: CommitterOptions) {
    this.#options = options
  }

  /**
   * The log of a run that the store has just started; `lastSeq` is the seq of its message. `onRejected` is called at
   * most once, when the log takes no more events.
   */
  open (run: RunIdentity, lastSeq: number, onRejected: (rejection: Rejection) => void): RunLog {
    return new RunLog(run, lastSeq, this.#schedule, onRejected)
  }

  readonly #schedule = (log: RunLog): void => {
    this.#dirty.add(log)
    if (this.#flushing) return
    this.#flushing = true
    void this.#flush()
  }

  async #flush (): Promise<void> {
    while (this.#dirty.size > 0) {
      await nextTurn()
      await atMost(LATE_MS, this.#commit(this.#gather()))
    }
    this.#flushing = false
  }

  #gather (): Batch {
    const promote = this.#options.promotes()
    const batch: Batch = []
    let bytes = 0
    for (const log of this.#dirty) {
      if (bytes >= MAX_BATCH_BYTES) break
      this.#dirty.delete(log)
      const group = log.take(promote)
      if (group === null) continue
      batch.push({ log, group })
      for (const event of group.events) bytes += event.json.length
    }
    return batch
  }

  /** Stores a batch, however often it takes within `patienceMs`, of which `spent` are gone. Never rejects. */
  async #commit (batch: Batch, spent = 0): Promise<void> {
    if (batch.length === 0) return
    const { store, patienceMs, log, stopped, pause = timer } = this.#options
    const isOver = (): boolean => stopped?.aborted === true
    const pauses = [...RETRY_DELAYS]
    for (let waited = spent; ;) {
      const asked = performance.now()
      try {
        return this.#settle(batch, await store.append(batch.map(({ group }) => group)))
      } catch (error) {
        const isTransient = hasCode(error, 'STORE_UNAVAILABLE')
        log.error({ err: error, runs: batch.map(({ group }) => group.runId) }, 'the store did not take events')
        if (!isTransient && batch.length > 1 && !isOver()) return this.#commitHalves(batch, waited, false)
        const ms = pauses.length > 1 ? pauses.shift()! : pauses[0]!
        waited += performance.now() - asked + ms
        if (isTransient && waited <= patienceMs && !isOver()) await pause(ms, stopped)
        if (!isTransient || waited > patienceMs || isOver()) return this.#settle(batch, null)
        // One session may be all that hangs.
        if (missedDeadline(error) && batch.length > 1) return this.#commitHalves(batch, waited, true)
      }
    }
  }

  /** One run's events must not cost the others theirs: the batch is halved until the culprit stands alone. */
  async #commitHalves (batch: Batch, spent: number, atOnce: boolean): Promise<void> {
    const middle = batch.length >> 1
    const first = this.#commit(batch.slice(0, middle), spent)
    if (!atOnce) await first
    await Promise.all([first, this.#commit(batch.slice(middle), spent)])
  }

  /** `answers` is null if the store took none of it. */
  #settle (batch: Batch, answers: AppendAnswer[] | null): void {
    const { publish, promoted } = this.#options
    for (const [index, { log, group }] of batch.entries()) {
      const { outcome, promotion } = answers?.[index] ?? REFUSED
      log.settle(group, outcome)
      if (outcome === 'ok') publish(log.run.sessionId, group.events)
      if (promotion !== null) promoted(promotion)
    }
  }
}

const timer = async (ms: number, signal?: AbortSignal): Promise<unknown> => delay(ms, undefined, { signal }).catch(() => {})

const REFUSED = { outcome: 'refused', promotion: null } as const

/*
 * Group commit, then publish: no client sees an event that a crash can take back. Once per loop turn the pending events
 * of all runs get their seqs, are encoded, and go to the store as one batch; while it commits, the next one gathers.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../common/logger.ts'
import { hasCode } from '../protocol/errors.ts'
import { type EncodeEvent, eventEncoder, type PendingEvent, type RunIdentity, type StoredEvent } from '../protocol/event.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import type { AppendAnswer, AppendGroup, AppendOutcome, Promotion, Store } from '../store/store.ts'

/** A run may have this much uncommitted before its provider has to wait. */
const MAX_PENDING_EVENTS = 512
const MAX_PENDING_BYTES = 512 * 1024
/** What one transaction takes; the rest waits a turn. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** Pauses between tries while the store is not available, in ms. */
const RETRY_DELAYS = [50, 100, 200, 500, 1_000, 2_000, 2_000, 2_000, 2_000]

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
    this.#schedule(this)
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

  /** For the committer: takes what is pending as one group with seqs; null if nothing is. */
  take (promote: boolean): AppendGroup | null {
    if (this.#pending.length === 0) return null
    const first = this.#lastSeq + 1
    const events = this.#pending.map((event, index) => this.#encode(event, first + index))
    this.#pending = []
    return { runId: this.run.runId, events, ending: this.#ending, promote }
  }

  /** For the committer: the store's answer to what was taken. */
  settle (group: AppendGroup, outcome: AppendOutcome | 'refused'): void {
    if (outcome === 'ok') {
      this.newest = group.events.at(-1)!
      this.#lastSeq = this.newest.seq
      this.#committed += group.events.length
    } else {
      this.#rejection = outcome
      this.#lossy = group.events.length + this.#pending.length > (this.#ending === null ? 0 : 1)
      this.#pending = []
    }
    this.#bytes = this.#pending.reduce((bytes, event) => bytes + event.fields.length, 0)
    while (this.#settled.length > 0 && (this.#rejection !== null || this.#settled[0]!.count <= this.#committed)) this.#settled.shift()!.resolve()
    if (this.#rejection !== null) this.#onRejected(this.#rejection)
  }
}

type Batch = Array<{ log: RunLog, group: AppendGroup }>
type Answer = AppendAnswer | { outcome: 'refused', promotion: null }

const REFUSED: Answer = { outcome: 'refused', promotion: null }

export interface CommitterOptions {
  store: Store
  /** Called after each commit, in order; must not throw. */
  publish: (sessionId: string, events: StoredEvent[]) => void
  /** Called after the publication of an ending that set something in motion; must not throw. */
  promoted: (promotion: Promotion) => void
  /** Whether endings promote runs that wait. */
  promotes: () => boolean
  log: Logger
  /** Once aborted, nothing is tried again. */
  stopped?: AbortSignal
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
    const { publish, promoted } = this.#options
    while (this.#dirty.size > 0) {
      await nextTurn()
      const batch = this.#gather()
      const answers = await this.#commit(batch.map(({ group }) => group))
      for (const [index, { log, group }] of batch.entries()) {
        const { outcome, promotion } = answers[index]!
        if (outcome === 'ok') publish(log.run.sessionId, group.events)
        if (promotion !== null) promoted(promotion)
        log.settle(group, outcome)
      }
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

  async #commit (groups: AppendGroup[]): Promise<Answer[]> {
    if (groups.length === 0) return []
    const { store, log, stopped } = this.#options
    const isOver = (): boolean => stopped?.aborted === true
    for (const pause of [...RETRY_DELAYS, null]) {
      try {
        return await store.append(groups)
      } catch (error) {
        const transient = hasCode(error, 'STORE_UNAVAILABLE')
        log.error({ err: error, runs: groups.map((group) => group.runId) }, 'the store did not take events')
        const waits = transient && pause !== null && !isOver()
        if (waits) await delay(pause, undefined, { signal: stopped }).catch(() => {})
        if (isOver() || (!waits && (transient || groups.length === 1))) return groups.map(() => REFUSED)
        if (!waits) break
      }
    }
    // One run's events must not cost the others theirs: halve the batch until the culprit stands alone.
    const middle = groups.length >> 1
    return [...await this.#commit(groups.slice(0, middle)), ...await this.#commit(groups.slice(middle))]
  }
}

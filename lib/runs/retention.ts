/*
 * How long things are kept: transient events a while after their run has ended, and so many while it runs; sessions, if
 * so wished, until nothing has happened in them for long.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../common/logger.ts'
import { hasCode } from '../protocol/errors.ts'
import type { StoredEvent } from '../protocol/event.ts'
import type { Store } from '../store/store.ts'

/** Runs and sessions that one look takes up; the next look goes on. */
const RUNS_AT_ONCE = 100
const SESSIONS_AT_ONCE = 100
const LONGEST_INTERVAL_MS = 15_000
/** A run that could not be compacted is left alone for so long, in ms. */
const RETRY_MS = 60_000

export interface RetentionOptions {
  store: Store
  /** How long the transient events of a completed run stay, in ms. */
  completedRunMs: number
  /** How many transient events a running run may have before the oldest are merged. */
  maxTransientEventsPerRun: number
  /** How long a session is kept in which nothing happens, in ms; 0 = for ever. */
  sessionMs: number
  /** Deletes a session unless something happened in it since `idleSince`. */
  expire: (sessionId: string, idleSince: number) => Promise<unknown>
  log: Logger
}

export class Retention {
  readonly #options: RetentionOptions
  /** Of the running runs of this process: how many transient events there are, and at how many to compact. */
  readonly #running = new Map<string, { count: number, limit: number }>()
  readonly #due = new Set<string>()
  /** Completed runs that could not be compacted, and when they are tried again, by the clock of `performance`. */
  readonly #failed = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #compacting = false
  #purging = false
  #closed = false

  constructor (options: RetentionOptions) {
    this.#options = options
  }

  /** Begins to look for completed runs whose time is over, of whatever process. */
  open (): void {
    const { completedRunMs, sessionMs } = this.#options
    const shortest = sessionMs > 0 ? Math.min(completedRunMs, sessionMs) : completedRunMs
    this.#timer = setInterval(() => { void this.#look() }, Math.min(LONGEST_INTERVAL_MS, Math.max(100, shortest / 10))).unref()
  }

  close (): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#due.clear()
  }

  /** Counts what a run of this process has committed. */
  committed (events: StoredEvent[]): void {
    const { runId } = events[0]!
    const transient = events.reduce((count, event) => event.transient ? count + 1 : count, 0)
    if (transient === 0) return
    let run = this.#running.get(runId)
    if (run === undefined) this.#running.set(runId, run = { count: 0, limit: this.#options.maxTransientEventsPerRun })
    run.count += transient
    if (run.count <= run.limit) return
    this.#due.add(runId)
    void this.#compactRunning()
  }

  /** The run has ended; its time as a completed one begins. */
  forget (runId: string): void {
    this.#running.delete(runId)
    this.#due.delete(runId)
  }

  async #look (): Promise<void> {
    await this.#compactCompleted()
    if (this.#options.sessionMs > 0 && !this.#closed) await this.#alone(() => this.#expireSessions())
    await this.purge()
  }

  /** Removes what deletions, of whichever process, and compactions have left, slice by slice. Never rejects. */
  async purge (): Promise<void> {
    if (this.#purging) return
    this.#purging = true
    try {
      while (!this.#closed && await this.#options.store.purge()) await nextTurn()
    } catch (error) {
      if (!this.#closed) this.#options.log.warn({ err: error }, 'what was deleted could not be removed yet; the next look goes on')
    } finally {
      this.#purging = false
    }
  }

  async #expireSessions (): Promise<void> {
    const idleSince = Date.now() - this.#options.sessionMs
    for (const sessionId of await this.#options.store.listIdleSessions(idleSince, SESSIONS_AT_ONCE)) {
      if (!this.#closed) await this.#options.expire(sessionId, idleSince)
    }
  }

  async #compactRunning (): Promise<void> {
    const { maxTransientEventsPerRun } = this.#options
    const keep = Math.floor(maxTransientEventsPerRun / 2)
    await this.#alone(async () => {
      for (const runId of this.#due) {
        // Before it is read: what is committed meanwhile makes it due again.
        this.#due.delete(runId)
        const left = await this.#compact(runId, keep).catch((error: unknown) => {
          this.#due.add(runId)
          throw error
        })
        // What cannot be merged is not tried again with every event.
        const run = this.#running.get(runId)
        if (run !== undefined) Object.assign(run, { count: left ?? run.count, limit: (left ?? run.count) + maxTransientEventsPerRun - keep })
      }
    })
  }

  async #compactCompleted (): Promise<void> {
    const { store, completedRunMs } = this.#options
    for (const [runId, retryAt] of this.#failed) if (performance.now() >= retryAt) this.#failed.delete(runId)
    await this.#alone(async () => {
      let found: string[]
      do {
        found = await store.listCompactableRuns(Date.now() - completedRunMs, RUNS_AT_ONCE + this.#failed.size)
        found = found.filter((runId) => !this.#failed.has(runId))
        for (const runId of found) {
          if (await this.#compact(runId, 0) === null) this.#failed.set(runId, performance.now() + RETRY_MS)
        }
      } while (found.length >= RUNS_AT_ONCE && !this.#closed)
    })
    if (this.#due.size > 0) await this.#compactRunning()
  }

  /** How many transient events the run has left; null if it could not be compacted, which costs the others nothing. Rejects with STORE_UNAVAILABLE. */
  async #compact (runId: string, keep: number): Promise<number | null> {
    if (this.#closed) return null
    try {
      return await this.#options.store.compactRun(runId, keep)
    } catch (error) {
      // Not the run's fault: all others would fail, too. The next look goes on.
      if (hasCode(error, 'STORE_UNAVAILABLE')) throw error
      this.#options.log.warn({ err: error, runId }, 'the old events of a run could not be compacted')
      return null
    } finally {
      await nextTurn()
    }
  }

  /** One at a time; nobody waits for it. */
  async #alone (work: () => Promise<void>): Promise<void> {
    if (this.#compacting) return
    this.#compacting = true
    try {
      await work()
    } catch (error) {
      if (!this.#closed) this.#options.log.warn({ err: error }, 'what is too old could not be looked up')
    } finally {
      this.#compacting = false
    }
  }
}

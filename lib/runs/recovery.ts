/* Sees to it that every run ends and every message has its turn, whatever became of those who drove or took them. */
import type { Logger } from '../common/logger.ts'
import { INTERRUPTED } from '../protocol/run-ending.ts'
import type { Store } from '../store/store.ts'
import type { RunPool } from './run-pool.ts'

// Above this, Node's timers fire at once.
const LONGEST_INTERVAL_MS = 2 ** 31 - 1

export class Recovery {
  readonly #store: Store
  readonly #pool: RunPool
  /** Shows everybody here what is committed. */
  readonly #refresh: () => Promise<void>
  readonly #log: Logger
  /** Runs of ours that were not driven when we last looked. */
  #strays = new Set<string>()
  /** When the lease was renewed last: whether runs were driven, and how many ever had been. */
  #renewed = { busy: false, driven: 0 }
  #timer: NodeJS.Timeout | undefined
  #renewing = false
  #sweeping = false

  constructor (store: Store, pool: RunPool, refresh: () => Promise<void>, log: Logger) {
    this.#store = store
    this.#pool = pool
    this.#refresh = refresh
    this.#log = log
  }

  /** Ends what dead processes left, starts what waits, and goes on looking until closed. */
  async open (): Promise<void> {
    await this.closeOrphans()
    await this.#pool.drain()
    this.#timer = setInterval(() => { void this.#look() }, Math.min(LONGEST_INTERVAL_MS, this.#store.leaseMs / 3)).unref()
  }

  close (): void {
    clearInterval(this.#timer)
  }

  /** Gives each run of a dead instance its terminal. Answers whether there were any. */
  async closeOrphans (): Promise<boolean> {
    const orphans = await this.#store.listOrphanedRuns()
    for (const orphan of orphans) await this.#close(orphan, 'ended a run that its process left running')
    return orphans.length > 0
  }

  async #look (): Promise<void> {
    await this.#renew()
    await this.#sweep()
  }

  /** Says that we live if we drive runs, however long the last sweep takes: others take silence for death. */
  async #renew (): Promise<void> {
    if (this.#renewing) return
    this.#renewing = true
    try {
      const { busy, driven } = this.#pool
      // Also behind the last run: a lease that others saw then must not be the one that they see with the next.
      if (busy || this.#renewed.busy || driven > this.#renewed.driven) await this.#store.renewLease()
      this.#renewed = { busy, driven }
    } catch (error) {
      this.#log.warn({ err: error }, 'the lease could not be renewed; the next look will')
    } finally {
      this.#renewing = false
    }
  }

  async #sweep (): Promise<void> {
    if (this.#sweeping) return
    this.#sweeping = true
    try {
      await this.closeOrphans()
      await this.#tendStrays()
      await this.#pool.pruneContexts()
      await this.#pool.drain()
      // Of what we committed ourselves nobody tells us if the store's answer was lost.
      await this.#refresh()
    } catch (error) {
      this.#log.warn({ err: error }, 'runs could not be looked after; the next look will')
    } finally {
      this.#sweeping = false
    }
  }

  /** Drives or ends stray runs: this instance has claimed them and does not drive them, as an answer was lost or the store refused their end. */
  async #tendStrays (): Promise<void> {
    const own = await this.#store.listOwnRuns()
    this.#pool.lastResort.keepOnly(new Set(own.map(({ runId }) => runId)))
    const strays = own.filter(({ runId }) => !this.#pool.isDriven(runId))
    for (const stray of strays) {
      const ending = this.#pool.lastResort.endingOf(stray.runId)
      if (ending !== undefined) await this.#close(stray, 'ended a stray run', ending)
      // A run that is only just being handed over is no stray the next time.
      else if (this.#strays.has(stray.runId)) await this.#adopt(stray)
    }
    this.#strays = new Set(strays.map(({ runId }) => runId))
  }

  async #adopt (stray: { sessionId: string, runId: string }): Promise<void> {
    // It has a slot as soon as one is free.
    if (this.#pool.full && !this.#pool.closing) return
    if (await this.#pool.adopt(stray.runId)) this.#log.warn(stray, 'took up a run whose claim the store had not confirmed')
    else await this.#close(stray, 'ended a stray run')
  }

  async #close ({ sessionId, runId }: { sessionId: string, runId: string }, what: string, ending = INTERRUPTED): Promise<void> {
    try {
      await this.#pool.close(runId, ending)
      this.#log.warn({ sessionId, runId }, what)
    } catch (error) {
      this.#log.error({ err: error, sessionId, runId }, 'a run that nobody drives could not be ended; it will be tried again')
    }
  }
}

/* Ends runs from outside: those that a dead process left, and those that another instance drives. */
import type { CompleteEvent } from './event.ts'
import type { Logger } from './logger.ts'
import { INTERRUPTED } from './run-ending.ts'
import type { Store } from './store.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { RunEnding } from './types.ts'

export class Recovery {
  readonly #store: Store
  readonly #subscriptions: Subscriptions
  readonly #log: Logger

  constructor (store: Store, subscriptions: Subscriptions, log: Logger) {
    this.#store = store
    this.#subscriptions = subscriptions
    this.#log = log
  }

  /** Ends a run in the store and shows it to those who follow here; the terminal that holds, or null for no such run. */
  async close (sessionId: string, runId: string, ending: RunEnding): Promise<CompleteEvent | null> {
    const closed = await this.#store.closeRun(runId, ending)
    if (closed === null) return null
    this.#subscriptions.advance(sessionId, closed.complete.seq)
    return closed.complete
  }

  /** Gives each run of a dead instance its terminal. Answers whether there were any. */
  async closeOrphans (): Promise<boolean> {
    const orphans = await this.#store.listOrphanedRuns()
    for (const { sessionId, runId } of orphans) {
      await this.close(sessionId, runId, INTERRUPTED)
      this.#log.warn({ sessionId, runId }, 'ended a run that its process left running')
    }
    return orphans.length > 0
  }
}

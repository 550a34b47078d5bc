/* What only code in this process can say to the providers of runs that are about to be driven, or wait. */
import type { Store } from '../store/store.ts'

export class Contexts {
  readonly #store: Store
  readonly #kept = new Map<string, unknown>()

  constructor (store: Store) {
    this.#store = store
  }

  keep (runId: string, context: unknown): void {
    if (context !== undefined) this.#kept.set(runId, context)
  }

  /** What was kept for a run that is driven from now on. */
  take (runId: string): unknown {
    const context = this.#kept.get(runId)
    this.#kept.delete(runId)
    return context
  }

  /** Forgets what was kept for runs that are over, or never came to be: another process drove them, or they were cancelled. */
  async prune (isDriven: (runId: string) => boolean): Promise<void> {
    for (const runId of this.#kept.keys()) {
      const run = await this.#store.getRun(runId, null)
      if ((run === null || run.status === 'completed') && !isDriven(runId)) this.#kept.delete(runId)
    }
  }
}

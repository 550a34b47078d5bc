/* Slots: how many runs this process drives at once. One is taken before a run is started or claimed: two that come at a time never share the last. */
import { randomUUID } from 'node:crypto'

export class Slots {
  readonly #limit: number
  /** Ids of the runs that have one, and of work that may bring a run. */
  readonly #taken = new Set<string>()

  constructor (limit: number) {
    this.#limit = limit
  }

  /** True while there is none for a further run. */
  get full (): boolean {
    return this.#taken.size >= this.#limit
  }

  /** Whether any is taken. */
  get busy (): boolean {
    return this.#taken.size > 0
  }

  has (runId: string): boolean {
    return this.#taken.has(runId)
  }

  take (runId: string): void {
    this.#taken.add(runId)
  }

  giveBack (runId: string): void {
    this.#taken.delete(runId)
  }

  /** Holds one while `work` may claim a run, which then takes its own. */
  async during<T> (work: () => Promise<T>): Promise<T> {
    const id = randomUUID()
    this.take(id)
    return work().finally(() => this.giveBack(id))
  }
}

/*
 * Whose lease stands still, by our own clock: clocks of other machines, and of the wall, tell nothing. Only time in which
 * we saw the store ourselves counts: after an outage nobody had the chance to renew.
 */

/** A lease is looked at about so often while it lasts; a longer gap between two looks counts as one of these. */
const LOOKS_PER_LEASE = 3

export class Leases {
  readonly #leaseMs: number
  readonly #now: () => number
  /** What was seen of each instance, and for how long it has stood still while we looked, in ms. */
  readonly #seen = new Map<string, { counter: number, stillMs: number }>()
  #lookedAt = -Infinity

  /** `now` is a monotonic clock, in ms. */
  constructor (leaseMs: number, now = (): number => performance.now()) {
    this.#leaseMs = leaseMs
    this.#now = now
  }

  /** The instances whose counter has not moved for the length of a lease. `counters`: of all that drive runs now. */
  observe (counters: ReadonlyMap<string, number>): Set<string> {
    const now = this.#now()
    const passed = Math.min(now - this.#lookedAt, this.#leaseMs / LOOKS_PER_LEASE)
    this.#lookedAt = now
    for (const instanceId of this.#seen.keys()) if (!counters.has(instanceId)) this.#seen.delete(instanceId)
    const stopped = new Set<string>()
    for (const [instanceId, counter] of counters) {
      const seen = this.#seen.get(instanceId)
      const stillMs = seen?.counter === counter ? seen.stillMs + passed : 0
      this.#seen.set(instanceId, { counter, stillMs })
      if (stillMs >= this.#leaseMs) stopped.add(instanceId)
    }
    return stopped
  }

  /** Whether any counter had not moved at the last look. */
  get isAnyStill (): boolean {
    return [...this.#seen.values()].some(({ stillMs }) => stillMs > 0)
  }

  /** A look failed: nothing that was seen before says who is dead. */
  missed (): void {
    this.#seen.clear()
  }
}

/* Whose lease stands still, by our own clock: clocks of other machines, and of the wall, tell nothing. */

export class Leases {
  readonly #leaseMs: number
  /** What was seen of each instance, and since when. */
  readonly #seen = new Map<string, { counter: number, since: number }>()

  constructor (leaseMs: number) {
    this.#leaseMs = leaseMs
  }

  /** The instances whose counter has not moved for the length of a lease. `counters`: of all that drive runs now. */
  observe (counters: ReadonlyMap<string, number>): Set<string> {
    const now = performance.now()
    for (const instanceId of this.#seen.keys()) if (!counters.has(instanceId)) this.#seen.delete(instanceId)
    const stopped = new Set<string>()
    for (const [instanceId, counter] of counters) {
      const seen = this.#seen.get(instanceId)
      if (seen?.counter !== counter) this.#seen.set(instanceId, { counter, since: now })
      else if (now - seen.since >= this.#leaseMs) stopped.add(instanceId)
    }
    return stopped
  }
}

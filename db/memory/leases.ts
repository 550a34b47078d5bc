/* Who is dead, in memory: instances that were closed, and those whose lease was seen to stand still. */
import type { MemoryDatabase } from './database.ts'

export class MemoryLeases {
  readonly #leaseMs: number
  readonly #now: () => number
  /** How far the leases of others were at the last look, and for how long they had stood still in all that we looked. */
  readonly #seen = new Map<string, { renewals: number, still: number }>()
  #lookedAt = 0

  /** `now` is a monotonic clock, in ms. */
  constructor (leaseMs: number, now: () => number) {
    this.#leaseMs = leaseMs
    this.#now = now
  }

  /** Those of `instanceIds` that are dead. A gap between two looks counts as at most a third of a lease. */
  look ({ instances }: MemoryDatabase, instanceIds: Set<string>): string[] {
    const passed = Math.min(this.#now() - this.#lookedAt, this.#leaseMs / 3)
    this.#lookedAt = this.#now()
    return [...instanceIds].filter((instanceId) => {
      const renewals = instances.get(instanceId)
      if (renewals === undefined) return true
      const seen = this.#seen.get(instanceId)
      const still = seen?.renewals === renewals ? seen.still + passed : 0
      this.#seen.set(instanceId, { renewals, still })
      return still >= this.#leaseMs
    })
  }
}

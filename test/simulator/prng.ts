/* Chance that repeats itself: whatever a schedule leaves open is drawn from its seed. */

export class Prng {
  #state: number

  constructor (seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0
  }

  /** From 0 up to, but not, 1. */
  next (): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from `from` through `to`. */
  between (from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  chance (probability: number): boolean {
    return this.next() < probability
  }

  pick<T> (items: readonly T[]): T {
    return items[this.between(0, items.length - 1)]!
  }

  /** One of the keys, as often as its weight says. */
  weighted<K extends string> (weights: Record<K, number>): K {
    const entries = Object.entries(weights) as Array<[K, number]>
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [key, weight] of entries) {
      left -= weight
      if (left < 0) return key
    }
    return entries[0]![0]
  }

  /** Another source that is determined by this one. */
  fork (): Prng {
    return new Prng(this.between(0, 0xffffffff))
  }
}

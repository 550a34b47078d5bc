/*
 * Rows of the tail that are in the log already. They are deleted many at once, in ranges of keys. Deleted one by one they would
 * be a page to write each (measured: that doubles the cost of an append).
 */

/** So many are kept before the oldest are deleted. */
const MOST_ROWS = 8_192
/** What one transaction deletes. */
const SLICE_ROWS = 1_000

export class TailGarbage {
  /** Keys, in no order. */
  #keys: number[] = []
  /** Keys that are to be deleted, in descending order. */
  #doomed: number[] = []

  get size (): number {
    return this.#keys.length + this.#doomed.length
  }

  /** Rows were committed to the log. */
  add (keys: Iterable<number>): void {
    for (const key of keys) this.#keys.push(key)
  }

  /** Deletes a slice by `remove`, if there are enough rows to be worth it, or `all` are to go; answers how many. */
  deleteSlice (remove: (from: number, to: number) => void, all = false): number {
    if (this.#doomed.length === 0 && (all ? this.#keys.length > 0 : this.#keys.length >= MOST_ROWS)) {
      this.#doomed = this.#keys.sort((a, b) => b - a)
      this.#keys = []
    }
    const slice = this.#doomed.slice(-SLICE_ROWS)
    for (let end = slice.length; end > 0;) {
      const from = slice[--end]!
      let to = from
      while (end > 0 && slice[end - 1] === to + 1) to = slice[--end]!
      remove(from, to)
    }
    return slice.length
  }

  /** So many were deleted by a transaction that was committed. */
  deleted (count: number): void {
    if (count > 0) this.#doomed.length -= count
  }
}

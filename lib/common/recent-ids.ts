/* The newest of many ids. */

export class RecentIds {
  readonly #most: number
  readonly #ids = new Set<string>()

  /** Keeps so many. */
  constructor (most: number) {
    this.#most = most
  }

  has (id: string): boolean {
    return this.#ids.has(id)
  }

  add (id: string): void {
    this.#ids.add(id)
    if (this.#ids.size <= this.#most) return
    const [oldest] = this.#ids
    this.#ids.delete(oldest!)
  }
}

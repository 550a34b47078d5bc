/* One timer for all who wait for a time: what is measured is what they do then, not how they wait. */

export class Clock {
  /** Who waits for a millisecond, by that. */
  readonly #waiting = new Map<number, { promise: Promise<void>, resolve: () => void }>()
  #at = 0
  #timer: NodeJS.Timeout | null = null

  /** Resolves at a time of `performance.now()`, up to about a millisecond later; at once if it is over. */
  until (time: number): Promise<void> | undefined {
    const now = performance.now()
    if (time <= now) return undefined
    const due = Math.ceil(time)
    const waiter = this.#waiting.get(due) ?? this.#wait(due)
    if (this.#timer === null) {
      this.#at = Math.floor(now)
      this.#timer = setTimeout(() => this.#tick(), 1)
    }
    return waiter.promise
  }

  #wait (due: number): { promise: Promise<void>, resolve: () => void } {
    let resolve = (): void => {}
    const promise = new Promise<void>((_resolve) => { resolve = _resolve })
    const waiter = { promise, resolve }
    this.#waiting.set(due, waiter)
    return waiter
  }

  #tick (): void {
    const now = Math.floor(performance.now())
    for (; this.#at < now; this.#at++) {
      this.#waiting.get(this.#at + 1)?.resolve()
      this.#waiting.delete(this.#at + 1)
    }
    this.#timer = this.#waiting.size === 0 ? null : setTimeout(() => this.#tick(), 1)
  }
}

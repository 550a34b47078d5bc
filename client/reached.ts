/* Connections that wait for their next try do not wait on when the server has answered something else. */

export class Reached {
  readonly #waiting = new Set<() => void>()

  /** Calls `listener` once, when the server is reached, unless the answered function is called before. */
  next (listener: () => void): () => void {
    this.#waiting.add(listener)
    return () => { this.#waiting.delete(listener) }
  }

  /** The server has answered. */
  tell (): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const listener of waiting) listener()
  }
}

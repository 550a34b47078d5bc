/* What benches need of a client. */

export interface Reader {
  /** The seq of the newest event that came, each before it once and in order. */
  readonly seq: number
  /** What was wrong with what came, or null. */
  readonly fault: string | null
  /** Resolves once `seq` has come, or something is wrong. */
  reached (seq: number): Promise<void>
  close (): void
}

/** A seq that somebody waits for. */
export class Goal {
  #seq = Infinity
  #reach: () => void = () => {}

  set (seq: number): Promise<void> {
    this.#seq = seq
    return new Promise((resolve) => { this.#reach = resolve })
  }

  /** To be told of each new seq. */
  at (seq: number): void {
    if (seq >= this.#seq) this.#reach()
  }

  /** Nothing more is to be waited for. */
  giveUp (): void {
    this.#seq = 0
    this.#reach()
  }
}

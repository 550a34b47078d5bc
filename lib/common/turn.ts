/* Long work shares the event loop with the rest of the process. */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** In ms: what everybody else waits for. */
const LONGEST = 20

/** Work of many steps that may each take a while and wait for nothing. */
export class Turn {
  #began = performance.now()

  /** Whether it is time to `end`. */
  get isLong (): boolean {
    return performance.now() - this.#began > LONGEST
  }

  /** Lets the rest of the process have its turn. */
  async end (): Promise<void> {
    await nextTurn()
    this.#began = performance.now()
  }
}

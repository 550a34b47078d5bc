/* Long work shares the event loop with the rest of the process. */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** In ms: what everybody else waits for. */
const LONGEST = 20

/** Counts the turns of the event loop in which somebody asks. */
let turns = 0
/** What counts the current one; fake timers, which replace it, drop what they had. */
let counter: typeof setImmediate | null = null

function currentTurn (): number {
  if (counter !== setImmediate) {
    counter = setImmediate
    setImmediate(() => {
      counter = null
      turns++
    })
  }
  return turns
}

/** Work of many steps that may each take a while and wait for nothing. */
export class Turn {
  #turn = currentTurn()
  #began = performance.now()

  /** Whether it is time to `end`. While the work waited for something everybody else had their turn. */
  get isLong (): boolean {
    if (this.#turn === currentTurn()) return performance.now() - this.#began > LONGEST
    this.#restart()
    return false
  }

  /** Lets the rest of the process have its turn. */
  async end (): Promise<void> {
    await nextTurn()
    this.#restart()
  }

  #restart (): void {
    this.#turn = currentTurn()
    this.#began = performance.now()
  }
}

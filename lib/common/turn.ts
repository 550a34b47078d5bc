/* Long work shares the event loop with the rest of the process. */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** In ms: what everybody else waits for, however many do long work. */
const LONGEST = 20

/** When the current turn of the event loop was first asked about. */
let began = 0
/** What is to tell of the next one; fake timers, which replace it, drop what they had. */
let counter: typeof setImmediate | null = null

/** For work of many steps that may each take a while and wait for nothing: whether it is time for `endTurn`. */
export function isTurnLong (): boolean {
  const now = performance.now()
  if (counter === setImmediate) return now - began > LONGEST
  counter = setImmediate
  setImmediate(() => { counter = null })
  began = now
  return false
}

/** Lets the rest of the process have its turn. */
export async function endTurn (): Promise<void> {
  await nextTurn()
}

/* What a process holds, without its garbage: when that is collected differs from Node to Node. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

export const collectGarbage = runInNewContext('gc') as () => void

export function heldMemory (): NodeJS.MemoryUsage {
  // The second finishes what the first still sweeps.
  collectGarbage()
  collectGarbage()
  return process.memoryUsage()
}

/* What a process has taken of the machine. */
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Connections that were reset take a moment to be let go. */
const PAUSE_MS = 20

/** CPU since its start, user and system, in µs. */
export function cpuUs (): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Bytes that are in use on the heap after all garbage is gone. */
export async function heapInUse (): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  for (let times = 0; times < 5; times++) {
    collectGarbage()
    await delay(PAUSE_MS)
  }
  return process.memoryUsage().heapUsed
}

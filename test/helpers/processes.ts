/* What processes are there. */
import { readdirSync, readFileSync } from 'node:fs'

/** Whether a process is still there. */
export function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Resolves when a process has gone, however long its end takes. */
export async function gone (pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => { setImmediate(resolve) })
}

/** The processes of a group, by what they are called; those that only wait to be buried do not count. */
export function groupOf (leader: number): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const [state, , group] = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return Number(group) === leader && state !== 'Z' ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

/* Which processes there are, by Linux' /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

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

/** Resolves when nothing of a group is left: what was sent a signal that kills takes its time all the same. */
export async function groupGone (leader: number): Promise<void> {
  while (groupOf(leader).length > 0) await delay(5)
}

export interface Process {
  pid: number
  command: string
}

/** The processes that carry a variable with that value and are not dead. */
export function processesWith (variable: string, value: string): Process[] {
  const read = (pid: string, file: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1')
    } catch {
      return ''
    }
  }
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    if (!read(pid, 'environ').split('\0').includes(`${variable}=${value}`)) return []
    return [{ pid: Number(pid), command: read(pid, 'cmdline').replaceAll('\0', ' ').trim() }]
  })
}

/** Resolves once what carries it is as it should be, however long that takes: nobody tells of the birth and death of strangers. */
export async function untilProcesses (variable: string, value: string, enough: (processes: Process[]) => boolean): Promise<Process[]> {
  for (;;) {
    const processes = processesWith(variable, value)
    if (enough(processes)) return processes
    await delay(5)
  }
}

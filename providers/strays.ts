/*
 * Processes that nobody ends any more: what an agent has left behind outside its process group (shells of tools lead sessions
 * of their own), and agents whose server was killed. They are found by a variable that they inherit. Linux only; elsewhere
 * there is nothing to read it from.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'

const VARIABLE = 'FASTIFY_AGENT_RUNS_PROCESS'
/** Who starts new ones faster than they die is not caught up with. */
const ROUNDS = 10

/** The mark of one agent, for its environment: which server it is of, and which of that server's agents. */
export function strayMark (): Record<string, string> {
  return { [VARIABLE]: `${SERVER}:${randomUUID()}` }
}

/** Kills whatever still carries the mark. To be called when the agent itself is gone. Never rejects. */
export async function killStrays (mark: Record<string, string>): Promise<void> {
  await killCarriers((value) => value === mark[VARIABLE])
}

let orphansKilled: Promise<void> | undefined

/** Kills the agents of servers that are dead, once in the life of this process. Never rejects. */
export function killOrphans (): Promise<void> {
  orphansKilled ??= killCarriers((value) => {
    const [namespace, pid, started] = value.split(':')
    // Elsewhere pids mean other processes.
    return namespace === NAMESPACE && startOf(Number(pid)) !== started
  })
  return orphansKilled
}

async function killCarriers (isStray: (value: string) => boolean): Promise<void> {
  if (!IS_LINUX) return
  for (let round = 0; round < ROUNDS; round++) {
    const carriers = (await markedProcesses()).filter(({ value }) => isStray(value))
    if (carriers.length === 0) return
    for (const { pid } of carriers) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It is gone already.
      }
    }
  }
}

async function markedProcesses (): Promise<Array<{ pid: number, value: string }>> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const marked = await Promise.all(pids.map(async (pid) => {
    // Those of other users cannot be read, nor can those that end meanwhile; the dead that nobody has buried have none.
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
    const entry = environment.split('\0').find((each) => each.startsWith(`${VARIABLE}=`))
    return entry === undefined ? [] : [{ pid: Number(pid), value: entry.slice(VARIABLE.length + 1) }]
  }))
  return marked.flat()
}

/** When a process started, so that another one under its pid is not taken for it; '' if there is none. */
function startOf (pid: number): string {
  try {
    // Behind the name, which may hold anything: the 22nd field of all.
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')[19]!
  } catch {
    return ''
  }
}

function namespaceOf (): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  } catch {
    return ''
  }
}

const IS_LINUX = process.platform === 'linux'
const NAMESPACE = IS_LINUX ? namespaceOf() : ''
const SERVER = [NAMESPACE, process.pid, IS_LINUX ? startOf(process.pid) : ''].join(':')

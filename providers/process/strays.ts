/*
 * Processes that nobody ends any more: what an agent has left behind outside its process group (shells of tools lead sessions
 * of their own), and agents whose server was killed. They are found by a variable that they inherit. Linux only; elsewhere
 * there is nothing to read it from.
 */
import { randomUUID } from 'node:crypto'
import { type Carrier, ProcessTable } from './process-table.ts'

export interface OrphanOptions {
  /**
   * Whether to look, once in the life of this process, for agents whose server is dead, and to kill them. They may be of any
   * server on the machine that this process may kill. Linux only. Default false.
   */
  killOrphans?: boolean
}

/** The variable that every process of an agent inherits. */
export const STRAY_VARIABLE = 'FASTIFY_AGENT_RUNS_PROCESS'
/** Processes that start others faster than they die are given up after so many rounds. */
const ROUNDS = 10

const table = new ProcessTable()
const NAMESPACE = table.namespace
const SERVER = [NAMESPACE, process.pid, table.startOf(process.pid)].join(':')

/** What the searches work with; tests have some of their own. */
interface Means {
  table: ProcessTable
  kill: (pid: number) => void
}

const MEANS: Means = { table, kill: (pid) => process.kill(pid, 'SIGKILL') }

let orphansKilled: Promise<void> | undefined

/** To be called by each provider that starts processes, before it does. Never throws. */
export function lookAfterStrays ({ killOrphans: asked = false }: OrphanOptions): void {
  // A server that was started by an agent passes no mark on: what it starts besides its own agents is no agent's.
  delete process.env[STRAY_VARIABLE]
  if (asked) orphansKilled ??= killOrphans()
}

/** The mark of one agent, for its environment: which server it is of, and which of that server's agents. */
export function strayMark (): Record<string, string> {
  return { [STRAY_VARIABLE]: `${SERVER}:${randomUUID()}` }
}

/** Kills whatever still carries the mark. To be called when the agent itself is gone. Never rejects. */
export async function killStrays (mark: Record<string, string>, means = MEANS): Promise<void> {
  await killCarriers((value) => value === mark[STRAY_VARIABLE], means)
}

/** Kills the agents of servers that are dead. Never rejects. */
export async function killOrphans (means = MEANS): Promise<void> {
  // The mark that this process was started with: what carries the same is what it lives among.
  const inherited = means.table.valueOf(process.pid, STRAY_VARIABLE)
  await killCarriers((value) => {
    const [namespace, pid, started] = value.split(':')
    // Elsewhere pids mean other processes.
    return value !== inherited && namespace !== '' && namespace === NAMESPACE && isDead(means.table, Number(pid), started)
  }, means)
}

/** Whether a process has gone; false where it cannot be told. */
function isDead (table: ProcessTable, pid: number, started: string | undefined): boolean {
  if (!started) return false
  const start = table.startOf(pid)
  if (start !== '') return start !== started
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    // Otherwise it is there, but not for us to see.
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}

/** Kills what carries such a mark, but never this process nor an ancestor of it. */
async function killCarriers (isStray: (value: string) => boolean, { table, kill }: Means): Promise<void> {
  const family = table.familyOf(process.pid)
  const areStrays = ({ pid, value }: Carrier): boolean => isStray(value) && !family.has(pid)
  for (let round = 0; round < ROUNDS; round++) {
    const strays = (await table.carriersOf(STRAY_VARIABLE)).filter(areStrays)
    if (strays.length === 0) return
    for (const { pid, value } of strays) {
      // Its pid may mean another process by now.
      if (table.valueOf(pid, STRAY_VARIABLE) !== value) continue
      try {
        kill(pid)
      } catch {
        // It is gone already.
      }
    }
  }
}

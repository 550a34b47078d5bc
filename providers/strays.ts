/*
 * Processes that an agent has left behind outside its process group: shells of tools lead sessions of their own, and an agent
 * that is killed cannot end them. They are found by a variable that they inherit. Linux only; elsewhere there is nothing to
 * read it from.
 */
import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

const VARIABLE = 'FASTIFY_AGENT_RUNS_PROCESS'
/** Who starts new ones faster than they die is not caught up with. */
const ROUNDS = 10

/** The mark of one agent: a variable for its environment. */
export function strayMark (): Record<string, string> {
  return { [VARIABLE]: randomUUID() }
}

/** Kills whatever still carries the mark. To be called when the agent itself is gone. Never rejects. */
export async function killStrays (mark: Record<string, string>): Promise<void> {
  if (process.platform !== 'linux') return
  const entry = `${VARIABLE}=${mark[VARIABLE]}`
  for (let round = 0; round < ROUNDS; round++) {
    const pids = await carriersOf(entry)
    if (pids.length === 0) return
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It is gone already.
      }
    }
  }
}

async function carriersOf (entry: string): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const carriers = await Promise.all(pids.map(async (pid) => {
    // Those of other users cannot be read, nor can those that end meanwhile; the dead that nobody has buried have none.
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
    return environment.split('\0').includes(entry) ? [Number(pid)] : []
  }))
  return carriers.flat()
}

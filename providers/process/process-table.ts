/* The processes of this machine, as Linux' /proc tells of them. Elsewhere the table is empty. */
import { readFileSync, readlinkSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'

/** So many files are open at once, and no more: the server needs its descriptors for its connections. */
const BATCH = 64

/** A process whose environment holds a variable. */
export interface Carrier {
  pid: number
  value: string
}

export class ProcessTable {
  readonly #root: string

  constructor (root = '/proc') {
    this.#root = root
  }

  /** The processes that were started with a variable, as far as they can be read: those of other users cannot. */
  async carriersOf (variable: string): Promise<Carrier[]> {
    const pids = (await readdir(this.#root).catch(() => [])).filter((name) => /^\d+$/.test(name))
    const carriers: Carrier[] = []
    while (pids.length > 0) {
      const environments = await Promise.all(pids.splice(0, BATCH).map(async (pid) => {
        // Those that end meanwhile cannot be read either, and the dead whose parents have not waited for them have none.
        const value = valueIn(await readFile(`${this.#root}/${pid}/environ`, 'latin1').catch(() => ''), variable)
        return value === null ? [] : [{ pid: Number(pid), value }]
      }))
      carriers.push(...environments.flat())
    }
    return carriers
  }

  /** The value of a variable that a process was started with; null = none, or it cannot be read. */
  valueOf (pid: number, variable: string): string | null {
    return valueIn(this.#read(`${pid}/environ`), variable)
  }

  /** When a process started, which tells it from others that had its pid; '' = unknown. */
  startOf (pid: number): string {
    return this.#stat(pid)[19] ?? ''
  }

  /** A process and its ancestors. */
  familyOf (pid: number): Set<number> {
    const family = new Set<number>()
    // At the end are 0, and a process that cannot be read.
    for (let each = pid; each > 0 && !family.has(each); each = Number(this.#stat(each)[1])) family.add(each)
    return family
  }

  /** Which processes the pids mean: those of a container have pids of their own; '' = unknown. */
  get namespace (): string {
    try {
      return readlinkSync(`${this.#root}/self/ns/pid`).replace(/\D/g, '')
    } catch {
      return ''
    }
  }

  /** The fields behind the name, which may hold anything: state, parent, … */
  #stat (pid: number): string[] {
    return this.#read(`${pid}/stat`).split(') ').at(-1)!.split(' ')
  }

  #read (file: string): string {
    try {
      return readFileSync(`${this.#root}/${file}`, 'latin1')
    } catch {
      return ''
    }
  }
}

function valueIn (environment: string, variable: string): string | null {
  const entry = environment.split('\0').find((each) => each.startsWith(`${variable}=`))
  return entry === undefined ? null : entry.slice(variable.length + 1)
}

/* Where figures come from. */
import { availableParallelism, cpus, totalmem, type } from 'node:os'

export interface Machine {
  node: string
  system: string
  processor: string
  cpus: number
  memoryGb: number
}

export function thisMachine (): Machine {
  return {
    node: process.version,
    system: `${type()} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30)
  }
}

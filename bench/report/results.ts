/* What `--json` keeps of a run of the benches. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Line, Settings, Skipped } from '../measure/comparison.ts'
import type { Machine } from './machine.ts'

/** How far databases grow if nothing else is asked for. */
export const DEFAULT_EVENTS = 1_000_000

export interface Results {
  machine: Machine
  /** When it began, ISO 8601. */
  date: string
  options: Settings
  /** The versions of other packages that are installed. */
  peers: Record<string, string>
  lines: Array<Line | Skipped>
}

export function writeResults (path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`)
}

export function readResults (path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8')) as Results
}

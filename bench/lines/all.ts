/* The benches, by name, in the order in which they run. */
import type { Bench } from '../measure/comparison.ts'
import { append } from './append.ts'
import { fanOut } from './fan-out.ts'
import { followed } from './followed.ts'
import { growth } from './growth.ts'
import { hanging } from './hanging.ts'
import { heap } from './heap.ts'
import { kept } from './kept.ts'
import { latency } from './latency.ts'
import { many } from './many.ts'
import { reconnect } from './reconnect.ts'
import { replay } from './replay.ts'
import { shortRuns } from './short-runs.ts'
import { stalled } from './stalled.ts'

export const BENCHES = {
  many,
  append,
  'short-runs': shortRuns,
  replay,
  reconnect,
  'fan-out': fanOut,
  heap,
  stalled,
  growth,
  latency,
  kept,
  followed,
  hanging
} satisfies Record<string, Bench>

export type BenchName = keyof typeof BENCHES

export function isBench (name: string): name is BenchName {
  return Object.hasOwn(BENCHES, name)
}

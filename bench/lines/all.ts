/* The benches, by name, in the order in which they run. */
import type { Bench } from '../measure/comparison.ts'
import { append } from './append.ts'
import { fanOut } from './fan-out.ts'
import { followed } from './followed.ts'
import { hanging } from './hanging.ts'
import { heap } from './heap.ts'
import { many } from './many.ts'
import { reconnect } from './reconnect.ts'
import { replay } from './replay.ts'
import { shortRuns } from './short-runs.ts'

export const BENCHES: Record<string, Bench> = {
  many,
  append,
  'short-runs': shortRuns,
  replay,
  reconnect,
  'fan-out': fanOut,
  heap,
  followed,
  hanging
}

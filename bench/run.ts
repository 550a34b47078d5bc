/* `npm run bench`: all benches, or those that are named; `--quick` runs small ones. Fails if anything got lost, never for being slow. */
import { parseArgs } from 'node:util'
import { append } from './append.ts'
import type { Comparison } from './comparison.ts'
import { fanOut } from './fan-out.ts'
import { followed } from './followed.ts'
import { hanging } from './hanging.ts'
import { heap } from './heap.ts'
import { replay } from './replay.ts'
import { heading, lineOf } from './table.ts'

const BENCHES: Record<string, (quick: boolean, report: (comparison: Comparison) => void) => Promise<void>> = {
  append,
  'fan-out': fanOut,
  replay,
  heap,
  followed,
  hanging
}

const EXIT_USAGE = 2

async function main (): Promise<void> {
  const { values: { quick }, positionals } = parseArgs({ options: { quick: { type: 'boolean', default: false } }, allowPositionals: true })
  const unknown = positionals.find((name) => !Object.hasOwn(BENCHES, name))
  if (unknown !== undefined) {
    process.stdout.write(`There is no bench "${unknown}", only ${Object.keys(BENCHES).join(', ')}.\n`)
    process.exitCode = EXIT_USAGE
    return
  }
  process.stdout.write(heading())
  for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHES)) {
    await BENCHES[name]!(quick, (comparison) => {
      process.stdout.write(lineOf(comparison))
      if (comparison.fault !== null) process.exitCode = 1
    })
  }
}

await main()

/*
 * `npm run bench`: all benches, or those that are named. `--quick` runs small ones, `--events 5000000` lets the databases of `growth`
 * grow so far, `--json FILE` keeps the figures. Fails if anything got lost, never for being slow.
 */
import { parseArgs } from 'node:util'
import { BENCHES, isBench } from './lines/all.ts'
import { peerVersions } from './peers/packages.ts'
import { thisMachine } from './report/machine.ts'
import { DEFAULT_EVENTS, type Results, writeResults } from './report/results.ts'
import { heading, rowsOf } from './report/table.ts'

const EXIT_USAGE = 2

async function main (): Promise<void> {
  const { values: { quick, json, events }, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, json: { type: 'string' }, events: { type: 'string', default: String(DEFAULT_EVENTS) } },
    allowPositionals: true
  })
  const unknown = positionals.find((name) => !isBench(name))
  if (unknown !== undefined) {
    process.stdout.write(`There is no bench "${unknown}", only ${Object.keys(BENCHES).join(', ')}.\n`)
    process.exitCode = EXIT_USAGE
    return
  }
  const results: Results = { machine: thisMachine(), date: new Date().toISOString(), options: { quick, events: Number(events) }, peers: peerVersions(), lines: [] }
  process.stdout.write(heading(results.machine))
  for (const name of (positionals.length > 0 ? positionals : Object.keys(BENCHES)).filter(isBench)) {
    await BENCHES[name](results.options, (line) => {
      process.stdout.write(rowsOf(line))
      results.lines.push(line)
      if ('fault' in line && line.fault !== null) process.exitCode = 1
    })
    // What was measured is kept, though a later bench should fail.
    if (json !== undefined) writeResults(json, results)
  }
}

await main()

/* How fast many runs become durable. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.ts'
import { type Comparison, compareRates } from './comparison.ts'
import type { BareAppend } from './processes/bare-append.ts'
import type { AppendRound, RunsAppend } from './processes/runs-append.ts'

export async function append (quick: boolean, report: (comparison: Comparison) => void): Promise<void> {
  const { rounds, runs, events } = quick ? { rounds: 1, runs: 10, events: 50 } : { rounds: 7, runs: 100, events: 500 }
  const directory = mkdtempSync(join(tmpdir(), 'agent-runs-bench-'))
  const ours = Child.start<RunsAppend>('runs-append')
  const bare = Child.start<BareAppend>('bare-append')
  try {
    let files = 0
    for (const eventsPerTurn of [1, 5]) {
      // The bare side writes what ours wrote last.
      let source = ''
      let last: AppendRound | null = null
      report(await compareRates('append', `${runs} runs at once, ${runs * eventsPerTurn} events a commit`, '>= 0.7x', rounds, async () => {
        source = join(directory, `${files++}.db`)
        last = await ours.ask('append', source, runs, { events, eventsPerTurn, deltas: true })
        return last
      }, async () => bare.ask('append', source, join(directory, `${files++}.db`), runs, last!.batches)))
    }
  } finally {
    await Promise.all([ours.stop(), bare.stop()])
    rmSync(directory, { recursive: true, force: true })
  }
}

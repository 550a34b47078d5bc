/* Our store, without the plugin around it, as it fills with the runs of many. */
import { copyFileSync, statSync } from 'node:fs'
import { delta, drive, type DrivenRun } from '../../conformance/store/driven-run.ts'
import type { AppendGroup, Store } from '../../index.ts'
import { answer } from '../answer.ts'
import { faultInLog, readLog, withStore } from '../reference/copy.ts'

const WORDS = 'words of an agent '
/**
 * A wave is a long run, and short ones beside it: each commit has events of both. It stores 10,000 events: 5,000 of the long run,
 * 50 of each short one, with the messages and the ends.
 */
const WAVE_EVENTS = 10_000
const LONG_EVENTS = 5_000
const SHORT_RUNS = 100
const SHORT_EVENTS = 50
const COMMITS = 500

export type GrowingStore = typeof answers

const answers = {
  /** Adds waves from the one of that number on, until the database holds `events` events; copies it to `copy` then. */
  async grow (path: string, copy: string, wave: number, events: number): Promise<void> {
    await withStore(path, async (store) => {
      for (let number = wave; number * WAVE_EVENTS < events; number++) await addWave(store, number)
    })
    copyFileSync(path, copy)
  },

  /** How long `commits` commits take, in each an event of each of 100 new runs. In ms. */
  async append (path: string, commits: number): Promise<{ events: number, ms: number, fault: string | null }> {
    return withStore(path, async (store) => {
      const runs: DrivenRun[] = []
      for (let run = 0; run < SHORT_RUNS; run++) runs.push(await drive(store, `appended-${run}`, { sessionId: `appended-${run}` }))
      // The words are made before the clock starts.
      const batches: AppendGroup[][] = []
      for (let commit = 0; commit < commits; commit++) batches.push(runs.map((run) => next(run, 1)))
      const start = performance.now()
      let taken = 0
      for (const groups of batches) taken += (await store.append(groups)).filter(({ outcome }) => outcome === 'ok').length
      const ms = performance.now() - start
      for (const run of runs) await run.end()
      const log = await readLog(store, runs[0]!.sessionId)
      const events = commits * runs.length
      return { events, ms, fault: taken === events ? faultInLog(log, commits + 2) : `${taken} of ${events} events were taken` }
    })
  },

  /** How long it takes to read the long run of a wave, so many times. In ms. */
  async replay (path: string, wave: number, times: number): Promise<{ events: number, ms: number, fault: string | null }> {
    return withStore(path, async (store) => {
      let fault: string | null = null
      let ms = 0
      for (let time = 0; time < times; time++) {
        const start = performance.now()
        const log = await readLog(store, longSession(wave))
        ms += performance.now() - start
        fault ??= faultInLog(log, LONG_EVENTS)
      }
      return { events: times * LONG_EVENTS, ms, fault }
    })
  },

  /** Bytes of a database that nobody has open. */
  bytes: (path: string) => statSync(path).size
}

async function addWave (store: Store, wave: number): Promise<void> {
  const long = await drive(store, longSession(wave), { sessionId: longSession(wave) })
  const short: DrivenRun[] = []
  for (let run = 0; run < SHORT_RUNS; run++) short.push(await drive(store, `short-${wave}-${run}`, { sessionId: `short-${wave}-${run}` }))
  // Beside what a commit has of the long run each tenth short one says a word.
  const perCommit = SHORT_RUNS / (COMMITS / SHORT_EVENTS)
  for (let commit = 0; commit < COMMITS; commit++) {
    const at = commit * perCommit % SHORT_RUNS
    const speaking = short.slice(at, at + perCommit).filter(({ seq }) => seq < SHORT_EVENTS - 1)
    await store.append([...speaking.map((run) => next(run, 1)), next(long, Math.min(LONG_EVENTS / COMMITS, LONG_EVENTS - 1 - long.seq))])
  }
  for (const run of [...short, long]) await run.end()
}

/** The next events of a run. */
function next (run: DrivenRun, events: number): AppendGroup {
  const group = run.group(Array.from({ length: events }, () => delta(`m${Math.trunc(run.seq / 24)}`, WORDS)))
  run.seq += events
  return group
}

function longSession (wave: number): string {
  return `long-${wave}`
}

answer(answers)

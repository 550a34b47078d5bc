/* Ours: many runs at once, through the registry into SQLite. */
import SqliteDatabase from 'better-sqlite3'
import Fastify from 'fastify'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns, { type Store } from '../../index.ts'
import { answer } from '../answer.ts'
import type { Round } from '../comparison.ts'
import { cpuUs } from '../usage.ts'
import { type Pace, pacedAgent } from './paced-agent.ts'

export interface AppendRound extends Round {
  /** How many events each transaction took. */
  batches: number[]
}

export type RunsAppend = typeof answers

const answers = {
  /** Runs `runs` agents at that pace at once, into a new database. */
  async append (path: string, runs: number, pace: Pace): Promise<AppendRound> {
    let begin = (): void => {}
    const begun = new Promise<void>((resolve) => { begin = resolve })
    const store = sqliteStore({ path })
    const log = watchAppends(store, runs)
    const app = Fastify()
    await app.register(agentRuns, { providers: { agent: pacedAgent(() => begun) }, store, routes: false, limits: { runningRuns: runs } })
    for (let run = 0; run < runs; run++) await app.agentRuns.startRun({ sessionId: `session-${run}`, content: JSON.stringify(pace) })
    const cpu = cpuUs()
    const start = performance.now()
    begin()
    await log.ended
    const ms = performance.now() - start
    const used = cpuUs() - cpu
    await app.close()
    await store.close()
    const events = log.batches.reduce((sum, size) => sum + size, 0)
    return { events, ms, cpuUs: used, batches: log.batches, fault: faultIn(path, runs, pace.events) }
  }
}

/** Counts what goes to the store, and tells when all runs have ended. */
function watchAppends (store: Store, runs: number): { batches: number[], ended: Promise<void> } {
  const batches: number[] = []
  const append = store.append.bind(store)
  let running = runs
  const ended = new Promise<void>((resolve) => {
    store.append = async (groups) => {
      const outcomes = await append(groups)
      let events = 0
      for (const group of groups) {
        events += group.events.length
        if (group.ending !== null) running--
      }
      batches.push(events)
      if (running === 0) resolve()
      return outcomes
    }
  })
  return { batches, ended }
}

/** What is wrong with a database in which each run should have a message, `events` events and a `complete`; null if nothing is. */
function faultIn (path: string, runs: number, events: number): string | null {
  const database = new SqliteDatabase(path, { readonly: true })
  const whole = database.prepare<[number], number>(`
    SELECT count(*) FROM (
      SELECT count(*) AS events, max(seq) AS last, max(json ->> 'seq' <> seq) AS wrong, sum(kind = 'complete') AS ends
      FROM agent_runs_events GROUP BY session_key
    ) WHERE events = ? AND last = events AND wrong = 0 AND ends = 1
  `).pluck().get(events + 2)!
  database.close()
  return whole === runs ? null : `${runs - whole} of ${runs} logs are not whole`
}

answer(answers)

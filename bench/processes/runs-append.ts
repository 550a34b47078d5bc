/* Ours: many runs at once, through the registry into SQLite. */
import SqliteDatabase from 'better-sqlite3'
import Fastify from 'fastify'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns, { type Provider, type RunRegistry, type Store } from '../../index.ts'
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
  /** Runs `runs` agents at that pace at once, into a new database; with `isHanging` beside one more run, whose appends get no answer. */
  async append (path: string, runs: number, pace: Pace, isHanging = false): Promise<AppendRound> {
    let begin = (): void => {}
    const begun = new Promise<void>((resolve) => { begin = resolve })
    const store = sqliteStore({ path })
    const log = watchAppends(store, runs)
    const app = Fastify()
    await app.register(agentRuns, { providers: { agent: pacedAgent(() => begun), one: oneWord }, closeGraceMs: 0, store, routes: false, limits: { runningRuns: runs + 1 } })
    if (isHanging) await hangWith(app.agentRuns, store)
    for (let run = 0; run < runs; run++) await app.agentRuns.startRun({ sessionId: `session-${run}`, provider: 'agent', content: JSON.stringify(pace) })
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

const HANGING = 'a-session-that-hangs'

const oneWord: Provider = {
  async * run ({ signal }) {
    yield { kind: 'text', content: 'word' }
    await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  }
}

/** Starts a run whose appends hang; resolves once one does. */
async function hangWith (registry: RunRegistry, store: Store): Promise<void> {
  const append = store.append.bind(store)
  let hangs = (): void => {}
  const hanging = new Promise<void>((resolve) => { hangs = resolve })
  store.append = async (groups) => {
    if (!groups.some(({ events }) => events[0]!.json.includes(HANGING))) return append(groups)
    hangs()
    return new Promise(() => {})
  }
  await registry.startRun({ sessionId: HANGING, provider: 'one', content: 'go' })
  await hanging
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

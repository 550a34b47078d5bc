/* Ours: many runs at once, through the registry into SQLite. */
import Fastify from 'fastify'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns, { type Provider, type RunRegistry, type Store } from '../../index.ts'
import { answer } from '../answer.ts'
import type { Work } from '../measure/comparison.ts'
import { cpuUs } from '../measure/usage.ts'
import { faultInLog, type Portion, readLog, withStore, writeReference } from '../reference/copy.ts'
import { type Pace, pacedAgent } from './paced-agent.ts'
import { shortAnswer, SHORT_ANSWER_EVENTS } from './short-answer.ts'
import { type Transaction, watchAppends } from './watched-appends.ts'

export interface AppendWork extends Work {
  transactions: Transaction[]
}

export type RunsAppend = typeof answers

const answers = {
  /**
   * Runs `runs` agents at that pace at once, into a new database; with `isHanging` beside one more run, whose appends get no answer.
   * The same events are in the new file `copy` then, in the reference layout and in the same order.
   */
  async append (path: string, copy: string | null, runs: number, pace: Pace, isHanging = false): Promise<AppendWork> {
    let begin = (): void => {}
    const begun = new Promise<void>((resolve) => { begin = resolve })
    const store = sqliteStore({ path })
    const watched = watchAppends(store, runs)
    const app = Fastify()
    await app.register(agentRuns, { providers: { agent: pacedAgent(() => begun), one: oneWord }, closeGraceMs: 0, store, routes: false, limits: { runningRuns: runs + 1 } })
    if (isHanging) await hangWith(app.agentRuns, store, runs)
    for (let run = 0; run < runs; run++) await app.agentRuns.startRun({ sessionId: `session-${run}`, provider: 'agent', content: JSON.stringify(pace) })
    const cpu = cpuUs()
    const start = performance.now()
    begin()
    await watched.ended
    const ms = performance.now() - start
    const used = cpuUs() - cpu
    await app.close()
    await store.close()
    // The user's message came before the clock started.
    const events = runs * (pace.events + 1)
    return { events, ms, cpuUs: used, transactions: watched.transactions, fault: await checked(path, copy, runs, pace.events + 2, watched.transactions) }
  },

  /** Takes runs of a few words from their start to their end, so many at a time, each in a session of its own. */
  async shortRuns (path: string, copy: string, runs: number, atOnce: number): Promise<AppendWork> {
    const store = sqliteStore({ path })
    const watched = watchAppends(store, runs)
    const app = Fastify()
    await app.register(agentRuns, { providers: { agent: shortAnswer }, store, routes: false })
    let next = 0
    const cpu = cpuUs()
    const start = performance.now()
    await Promise.all(Array.from({ length: atOnce }, async () => {
      while (next < runs) {
        const session = next++
        const ended = watched.endOf(session)
        await app.agentRuns.startRun({ sessionId: `session-${session}`, content: 'What is the answer?' })
        await ended
      }
    }))
    const ms = performance.now() - start
    const used = cpuUs() - cpu
    await app.close()
    await store.close()
    return { events: runs * SHORT_ANSWER_EVENTS, ms, cpuUs: used, transactions: watched.transactions, fault: await checked(path, copy, runs, SHORT_ANSWER_EVENTS, watched.transactions) }
  }
}

/** Reads each log, and copies all: what is wrong with them, or null. */
async function checked (path: string, copy: string | null, runs: number, events: number, transactions: Transaction[]): Promise<string | null> {
  return withStore(path, async (store) => {
    const sessionIds = Array.from({ length: runs }, (_, run) => `session-${run}`)
    const logs = []
    for (const sessionId of sessionIds) logs.push(await readLog(store, sessionId))
    const faults = logs.flatMap((log) => faultInLog(log, events) ?? [])
    if (faults.length > 0) return `${faults.length} of ${runs} logs are not whole: ${faults[0]}`
    // A run's start stores the user's message.
    if (copy !== null) writeReference(copy, sessionIds, logs, transactions.flatMap((transaction): Portion[] => 'started' in transaction ? [[transaction.started, 1]] : transaction.appended))
    return null
  })
}

const HANGING = 'a-session-that-hangs'

const oneWord: Provider = {
  async * run ({ signal }) {
    yield { kind: 'text', content: 'word' }
    await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  }
}

/** Starts a run, in the session of that number, whose appends hang; resolves once one does. */
async function hangWith (registry: RunRegistry, store: Store, session: number): Promise<void> {
  const append = store.append.bind(store)
  let hangs = (): void => {}
  const hanging = new Promise<void>((resolve) => { hangs = resolve })
  store.append = async (groups) => {
    if (!groups.some(({ events }) => events[0]!.json.includes(HANGING))) return append(groups)
    hangs()
    return new Promise(() => {})
  }
  await registry.startRun({ sessionId: `${HANGING}-${session}`, provider: 'one', content: 'go' })
  await hanging
}

answer(answers)

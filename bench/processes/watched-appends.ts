/* Looks on as runs go to a store: what came when, and when all have ended. */
import type { Store } from '../../index.ts'
import type { Portion } from '../reference/copy.ts'

/** A transaction: the first event of a new run, in a new session, or events of some runs, whose last is the end of some. */
export type Transaction = { started: number } | { appended: Portion[], ended: number[] }

export interface WatchedAppends {
  /** In the order of their commits, from now on. Sessions are told by the number behind the last hyphen of their id. */
  transactions: Transaction[]
  /** Resolves once so many runs have ended. */
  ended: Promise<void>
  /** Resolves once that run has ended. */
  endOf: (session: number) => Promise<void>
}

/** Begins to watch a store that runs of one run a session will use. */
export function watchAppends (store: Store, runs: number): WatchedAppends {
  const transactions: Transaction[] = []
  const sessionOf = new Map<string, number>()
  const waiting = new Map<number, () => void>()
  const append = store.append.bind(store)
  const startRun = store.startRun.bind(store)
  let running = runs
  let allEnded = (): void => {}
  const ended = new Promise<void>((resolve) => { allEnded = resolve })
  store.startRun = async (run) => {
    const session = Number(run.sessionId.slice(run.sessionId.lastIndexOf('-') + 1))
    sessionOf.set(run.runId, session)
    const start = await startRun(run)
    transactions.push({ started: session })
    return start
  }
  store.append = async (groups) => {
    const outcomes = await append(groups)
    const transaction = { appended: [] as Portion[], ended: [] as number[] }
    for (const { runId, events, ending } of groups) {
      const session = sessionOf.get(runId)!
      transaction.appended.push([session, events.length])
      if (ending === null) continue
      transaction.ended.push(session)
      waiting.get(session)?.()
      if (--running === 0) allEnded()
    }
    transactions.push(transaction)
    return outcomes
  }
  return { transactions, ended, endOf: (session) => new Promise((resolve) => { waiting.set(session, resolve) }) }
}

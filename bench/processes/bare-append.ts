/* The bare minimum: the same rows, in transactions of the same sizes, by prepared statements into the reference layout. */
import { randomUUID } from 'node:crypto'
import { answer } from '../answer.ts'
import type { Work } from '../measure/comparison.ts'
import { cpuUs } from '../measure/usage.ts'
import { allEvents, createReference, eventInsert, openReference, type ReferenceEvent, sessionInsert } from '../reference/layout.ts'
import { SHORT_ANSWER_EVENTS } from './short-answer.ts'
import type { Transaction } from './watched-appends.ts'

export type BareAppend = typeof answers

const answers = {
  /** Writes what is in `source`, a database in the reference layout, into a new one, behind the first events of its runs. */
  append (source: string, path: string, transactions: Transaction[]): Work {
    const rows = rowsOf(source)
    const database = createReference(path)
    const insert = eventInsert(database)
    const write = database.transaction((from: number, to: number) => {
      for (let index = from; index < to; index++) insert(rows[index]!)
    })
    const sizes = transactions.map((transaction) => 'started' in transaction ? 1 : transaction.appended.reduce((sum, [, events]) => sum + events, 0))
    const before = transactions.filter((transaction) => 'started' in transaction).length
    write.immediate(0, before)
    let at = before
    const work = timed(() => { for (const size of sizes.slice(before)) write.immediate(at, at += size) })
    const fault = faultIn(path, rows)
    database.close()
    return { events: rows.length - before, ...work, fault }
  },

  /** The same, with a row for each session and each run; that of the run is written again at its end. */
  shortRuns (source: string, path: string, transactions: Transaction[]): Work {
    const rows = rowsOf(source)
    const database = createReference(path)
    const [insert, insertSession] = [eventInsert(database), sessionInsert(database)]
    const insertRun = database.prepare<[number, string, number, number]>("INSERT INTO runs (key, id, session_key, provider, status, cursor, created_at) VALUES (?, ?, ?, 'agent', 'running', 0, ?)")
    const endRun = database.prepare<[number, number, number]>("UPDATE runs SET status = 'completed', complete_seq = ?, completed_at = ? WHERE key = ?")
    let at = 0
    const write = database.transaction((transaction: Transaction) => {
      const now = Date.now()
      if ('started' in transaction) {
        const key = transaction.started + 1
        insertSession(key, `session-${transaction.started}`, now)
        insertRun.run(key, randomUUID(), key, now)
        insert(rows[at++]!)
        return
      }
      for (const [, events] of transaction.appended) {
        for (const end = at + events; at < end; at++) insert(rows[at]!)
      }
      for (const session of transaction.ended) endRun.run(SHORT_ANSWER_EVENTS, now, session + 1)
    })
    const work = timed(() => { for (const transaction of transactions) write.immediate(transaction) })
    const fault = faultIn(path, rows)
    database.close()
    return { events: rows.length, ...work, fault }
  }
}

function timed (work: () => void): { ms: number, cpuUs: number } {
  const cpu = cpuUs()
  const start = performance.now()
  work()
  const ms = performance.now() - start
  return { ms, cpuUs: cpuUs() - cpu }
}

function rowsOf (path: string): ReferenceEvent[] {
  const database = openReference(path)
  const rows = allEvents(database)
  database.close()
  return rows
}

function faultIn (path: string, rows: ReferenceEvent[]): string | null {
  const written = rowsOf(path)
  const wrong = rows.findIndex(({ session, seq }, index) => written[index]?.session !== session || written[index].seq !== seq)
  return written.length === rows.length && wrong === -1 ? null : `${written.length} of ${rows.length} rows were written`
}

answer(answers)

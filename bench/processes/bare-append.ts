/* The bare minimum: the same rows, in transactions of the same sizes, by one prepared statement. */
import SqliteDatabase from 'better-sqlite3'
import { answer } from '../answer.ts'
import type { Round } from '../comparison.ts'
import { cpuUs } from '../usage.ts'

type Row = [key: number, sessionKey: number, seq: number, runKey: number, kind: string, transient: number, json: string]

/** As the store sets them. */
const PRAGMAS = ['journal_mode = WAL', 'synchronous = NORMAL', 'wal_autocheckpoint = 8000', 'cache_size = -65536']
const COLUMNS = 'key, session_key, seq, run_key, kind, transient, json'

export type BareAppend = typeof answers

const answers = {
  /** Writes what is in the database `source` behind its first `before` rows into a new one. */
  append (source: string, path: string, before: number, batches: number[]): Round {
    const { rows, schema } = contentsOf(source)
    const database = new SqliteDatabase(path)
    for (const pragma of PRAGMAS) database.pragma(pragma)
    for (const statement of schema) database.exec(statement)
    const insert = database.prepare<Row>(`INSERT INTO agent_runs_events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`)
    const write = database.transaction((from: number, to: number) => {
      for (let index = from; index < to; index++) insert.run(...rows[index]!)
    })
    write.immediate(0, before)
    const cpu = cpuUs()
    const start = performance.now()
    let at = before
    for (const size of batches) write.immediate(at, at += size)
    const ms = performance.now() - start
    const used = cpuUs() - cpu
    const written = database.prepare<[], number>('SELECT count(*) FROM agent_runs_events').pluck().get()!
    database.close()
    const fault = written === rows.length && at === rows.length ? null : `${written} of ${rows.length} rows were written`
    return { events: at - before, ms, cpuUs: used, fault }
  }
}

function contentsOf (path: string): { rows: Row[], schema: string[] } {
  const database = new SqliteDatabase(path, { readonly: true })
  const rows = database.prepare<[], Row>(`SELECT ${COLUMNS} FROM agent_runs_events ORDER BY key`).raw().all()
  const schema = database.prepare<[], string>("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'").pluck().all()
  database.close()
  return { rows, schema }
}

answer(answers)

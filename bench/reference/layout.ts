/*
 * The layout that the bare sides use, whatever that of our own store is: one row an event, found by its session and seq. It stays
 * as it is, so that figures of different versions can be compared.
 */
import SqliteDatabase from 'better-sqlite3'

export interface ReferenceEvent {
  session: number
  seq: number
  run: number
  kind: string
  transient: boolean
  json: string
}

/** Those of the plugin's own database. */
const PRAGMAS = ['journal_mode = WAL', 'secure_delete = ON', 'synchronous = NORMAL', 'wal_autocheckpoint = 8000', 'cache_size = -65536']

const SCHEMA = `
  CREATE TABLE sessions (key INTEGER PRIMARY KEY, id TEXT NOT NULL, owner TEXT NOT NULL, metadata TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);
  CREATE UNIQUE INDEX sessions_id ON sessions (id);
  CREATE TABLE runs (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL, session_key INTEGER NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL,
    cursor INTEGER NOT NULL, complete_seq INTEGER, created_at INTEGER NOT NULL, completed_at INTEGER
  );
  CREATE UNIQUE INDEX runs_id ON runs (id);
  CREATE TABLE events (
    key INTEGER PRIMARY KEY, session_key INTEGER NOT NULL, seq INTEGER NOT NULL, run_key INTEGER NOT NULL, kind TEXT NOT NULL, transient INTEGER NOT NULL, json TEXT NOT NULL
  );
  CREATE UNIQUE INDEX events_seq ON events (session_key, seq);
`

/** A new database in the reference layout. */
export function createReference (path: string): SqliteDatabase.Database {
  const database = new SqliteDatabase(path)
  for (const pragma of PRAGMAS) database.pragma(pragma)
  database.exec(SCHEMA)
  return database
}

/** One that is there, to read from. */
export function openReference (path: string): SqliteDatabase.Database {
  const database = new SqliteDatabase(path, { readonly: true })
  database.pragma('cache_size = -65536')
  return database
}

/** Inserts one event, behind all others. */
export function eventInsert (database: SqliteDatabase.Database): (event: ReferenceEvent) => void {
  const insert = database.prepare<[number, number, number, string, number, string]>('INSERT INTO events (session_key, seq, run_key, kind, transient, json) VALUES (?, ?, ?, ?, ?, ?)')
  return ({ session, seq, run, kind, transient, json }) => { insert.run(session, seq, run, kind, Number(transient), json) }
}

export function sessionInsert (database: SqliteDatabase.Database): (key: number, id: string, now: number) => void {
  const insert = database.prepare<[number, string, number, number]>("INSERT INTO sessions (key, id, owner, metadata, created_at, updated_at) VALUES (?, ?, 'anonymous', '{}', ?, ?)")
  return (key, id, now) => { insert.run(key, id, now, now) }
}

/** A page of a session's log after a seq. */
export function pageQuery (database: SqliteDatabase.Database): (session: string, after: number, rows: number) => Array<[seq: number, json: string]> {
  const page = database.prepare<[string, number, number], [number, string]>(`
    SELECT seq, json FROM events WHERE session_key = (SELECT key FROM sessions WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?
  `).raw()
  return (session, after, rows) => page.all(session, after, rows)
}

/** All events, in the order in which they were inserted. */
export function allEvents (database: SqliteDatabase.Database): ReferenceEvent[] {
  const rows = database.prepare<[], [number, number, number, string, number, string]>('SELECT session_key, seq, run_key, kind, transient, json FROM events ORDER BY key').raw().all()
  return rows.map(([session, seq, run, kind, transient, json]) => ({ session, seq, run, kind, transient: transient === 1, json }))
}

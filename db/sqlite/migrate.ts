/*
 * Brings a database up to date. Our own ledger, read inside the one IMMEDIATE transaction that also migrates: several
 * processes may start at once on one file, and a host's own drizzle ledger is none of our business.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { runsError } from '../../lib/protocol/errors.ts'

const MIGRATIONS = new URL('./migrations/', import.meta.url)

/**
 * Applies the migrations that `database` lacks, all or none. Throws AGENT_RUNS_STORE_SCHEMA_NEWER for one that we do not know, and
 * AGENT_RUNS_STORE_SCHEMA_OLDER while others use it: their version expects the tables as they are.
 */
export function migrate (database: Database, isUsedByOthers: () => boolean): void {
  const known = readdirSync(MIGRATIONS).filter((file) => file.endsWith('.sql')).sort()
  database.transaction(() => {
    database.exec('CREATE TABLE IF NOT EXISTS agent_runs_migrations (name TEXT PRIMARY KEY NOT NULL, applied_at INTEGER NOT NULL)')
    const applied = database.prepare<[], string>('SELECT name FROM agent_runs_migrations ORDER BY name').pluck().all()
    const newer = applied.find((name) => !known.includes(name))
    if (newer !== undefined) throw runsError('AGENT_RUNS_STORE_SCHEMA_NEWER', [database.name, newer])
    if (applied.length > 0 && applied.length < known.length && isUsedByOthers()) throw runsError('AGENT_RUNS_STORE_SCHEMA_OLDER', [database.name])
    const record = database.prepare('INSERT INTO agent_runs_migrations (name, applied_at) VALUES (?, ?)')
    for (const name of known.filter((name) => !applied.includes(name))) {
      database.exec(readFileSync(new URL(name, MIGRATIONS), 'utf8'))
      record.run(name, Date.now())
    }
  }).immediate()
}

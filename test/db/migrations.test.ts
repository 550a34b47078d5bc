import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { asks, DrivenRun } from '../../conformance/store/driven-run.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const migration = (name: string): string => readFileSync(new URL(`../../db/sqlite/migrations/${name}.sql`, import.meta.url), 'utf8')

test('a database of the first schema keeps its sessions, runs and events', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const database = new Database(path)
  database.exec(migration('0000_initial'))
  database.exec(`
    CREATE TABLE agent_runs_migrations (name TEXT PRIMARY KEY NOT NULL, applied_at INTEGER NOT NULL);
    INSERT INTO agent_runs_migrations VALUES ('0000_initial.sql', 1);
    INSERT INTO agent_runs_sessions (key, id, owner, metadata, last_seq, created_at, updated_at) VALUES (1, 's', 'ada', '{"n":1}', 2, 1000, 2000);
    INSERT INTO agent_runs_runs (key, id, session_key, provider, status, instance_id, cursor, complete_seq, started_at, completed_at, exit_code, aborted, reason)
      VALUES (1, 'r', 1, 'echo', 'completed', 'i', 0, 2, 1000, 2000, 0, 0, 'finished');
    INSERT INTO agent_runs_events (session_key, seq, run_key, kind, transient, json) VALUES (1, 1, 1, 'text', 0, '{"seq":1}'), (1, 2, 1, 'complete', 0, '{"seq":2}');
  `)
  database.close()
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  t.match(await store.getSession('s', 'ada'), { metadata: { n: 1 }, lastSeq: 2, isProcessing: false, queue: [] })
  t.match(await store.getRun('r', 'ada'), { status: 'completed', reason: 'finished', createdAt: '1970-01-01T00:00:01.000Z', startedAt: '1970-01-01T00:00:01.000Z' })
  const page = await store.read('s', 'ada', 0, { rows: 10, bytes: 1_000 })
  t.strictSame(page?.events.map(({ json }) => json), ['{"seq":1}', '{"seq":2}'])
})

test('a database from before approvals keeps its runs, which may ask from then on', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const database = new Database(path)
  database.exec(migration('0000_initial') + migration('0001_queue'))
  database.exec(`
    CREATE TABLE agent_runs_migrations (name TEXT PRIMARY KEY NOT NULL, applied_at INTEGER NOT NULL);
    INSERT INTO agent_runs_migrations VALUES ('0000_initial.sql', 1), ('0001_queue.sql', 1);
    INSERT INTO agent_runs_sessions (key, id, owner, metadata, created_at, updated_at) VALUES (1, 's', 'ada', '{}', 1000, 2000);
    INSERT INTO agent_runs_runs (key, id, session_key, provider, status, instance_id, cursor, created_at, started_at) VALUES (1, 'r', 1, 'echo', 'running', 'i', 0, 1000, 1000);
    INSERT INTO agent_runs_runs (key, id, session_key, provider, status, cursor, position, message, created_at) VALUES (2, 'next', 1, 'echo', 'queued', 1, 1, '{}', 1000);
    INSERT INTO agent_runs_events (session_key, seq, run_key, kind, transient, json) VALUES (1, 1, 1, 'text', 0, '{"seq":1}');
  `)
  database.close()
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  t.match(await store.getSession('s', 'ada'), { lastSeq: 1, runId: 'r', queue: ['next'], pendingPermissions: [] })
  const closed = await store.closeRun('r', INTERRUPTED, { promote: true })
  t.strictSame(closed?.promotion.events.map(({ kind }) => kind), ['complete', 'text'])
  const next = new DrivenRun(store, closed!.promotion.claimed!)
  await next.append(asks('p'))
  t.equal(await store.answerPermission('s', 'ada', 'p', { allow: true }), true)
  t.match(await store.getSession('s', 'ada'), { pendingPermissions: [{ requestId: 'p' }] })
})

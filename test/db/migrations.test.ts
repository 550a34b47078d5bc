import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { asks, DrivenRun, newRun } from '../../conformance/store/driven-run.ts'
import { InstanceLocks } from '../../db/sqlite/instance-lock.ts'
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

/** A database as version 0.1.0 left it: one run under a key, one that runs, one that waits under a key. */
function ofVersion010 (path: string): void {
  const names = ['0000_initial', '0001_queue', '0002_permissions', '0003_limits']
  const database = new Database(path)
  for (const name of names) database.exec(migration(name))
  database.exec('CREATE TABLE agent_runs_migrations (name TEXT PRIMARY KEY NOT NULL, applied_at INTEGER NOT NULL)')
  for (const name of names) database.prepare('INSERT INTO agent_runs_migrations VALUES (?, 1)').run(`${name}.sql`)
  const message = '{"role":"user","messageId":"m","content":"go"}'
  database.exec(`
    INSERT INTO agent_runs_sessions (key, id, owner, metadata, created_at, updated_at) VALUES (1, 's', 'ada', '{}', 1000, 2000), (2, 'gone', 'ada', '{}', 1000, 2000);
    UPDATE agent_runs_sessions SET status = 'deleted' WHERE key = 2;
    INSERT INTO agent_runs_runs (key, id, session_key, provider, status, instance_id, cursor, complete_seq, created_at, started_at, completed_at, exit_code, aborted, reason, idempotency_key, request_hash)
      VALUES (1, 'old', 1, 'echo', 'completed', 'i', 0, 2, 1000, 1000, 2000, 0, 0, 'finished', 'k1', 'h1');
    INSERT INTO agent_runs_runs (key, id, session_key, provider, status, instance_id, cursor, created_at, started_at) VALUES (2, 'running', 1, 'echo', 'running', 'i', 2, 1000, 1000);
    INSERT INTO agent_runs_runs (key, id, session_key, provider, status, cursor, position, message, created_at, idempotency_key, request_hash)
      VALUES (3, 'waiting', 1, 'echo', 'queued', 3, 1, '${message}', 1000, 'k3', 'h3');
    INSERT INTO agent_runs_events (session_key, seq, run_key, kind, transient, json) VALUES (1, 1, 1, 'text', 0, '{"seq":1}'), (1, 2, 1, 'complete', 0, '{"seq":2}'), (1, 3, 2, 'text', 0, '{"seq":3}');
    INSERT INTO agent_runs_permissions (key, id, session_key, run_key, seq, status) VALUES (1, 'p', 1, 2, 4, 'pending');
    INSERT INTO agent_runs_events (session_key, seq, run_key, kind, transient, json) VALUES (1, 4, 2, 'permission_request', 0, '{"kind":"permission_request","seq":4,"requestId":"p","toolName":"shell","input":{}}');
  `)
  database.close()
}

test('a database of version 0.1.0 keeps its keys, what runs and what waits', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  ofVersion010(path)
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  for (const [runId, key, hash] of [['old', 'k1', 'h1'], ['waiting', 'k3', 'h3']] as const) {
    t.match(await store.startRun(newRun('repeat', { names: [{ name: key, hash }] })), { outcome: 'accepted', run: { runId } })
    await t.rejects(store.startRun(newRun('other', { names: [{ name: key, hash: 'other' }] })), { code: 'AGENT_RUNS_IDEMPOTENCY_KEY_REUSED' })
  }
  t.match(await store.getSession('s', 'ada'), { runId: 'running', queue: ['waiting'], waiting: [{ runId: 'waiting', messageId: 'm', preview: 'go', createdAt: '1970-01-01T00:00:01.000Z' }], pendingPermissions: [{ requestId: 'p' }] })
  await t.rejects(store.getSession('gone', 'ada'), { code: 'AGENT_RUNS_SESSION_DELETED' })
  t.strictSame((await store.closeRun('running', INTERRUPTED, { promote: true }))?.promotion.events.map(({ kind }) => kind), ['permission_cancelled', 'complete', 'text'])
  await store.deleteSession('s', 'ada')
  while (await store.purge());
  const database = new Database(path, { readonly: true })
  t.teardown(() => database.close())
  t.strictSame(database.prepare('SELECT count(*) AS n FROM agent_runs_message_keys').get(), { n: 0 })
})

test('a database is not upgraded while another process uses it', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  ofVersion010(path)
  const other = new InstanceLocks(realpathSync(path))
  other.acquire('older')
  await t.rejects(sqliteStore({ path }).open(), { code: 'AGENT_RUNS_STORE_SCHEMA_OLDER', message: /runs\.db.*Stop all/ })
  other.release()
  const store = sqliteStore({ path })
  await store.open()
  await store.close()
})

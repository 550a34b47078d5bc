import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('several instances of one process may too', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const stores = Array.from({ length: 8 }, () => sqliteStore({ path }))
  t.teardown(() => Promise.all(stores.map((store) => store.close())))
  await Promise.all(stores.map((store) => store.open()))
  t.strictSame(await Promise.all(stores.map((store) => store.getSession('s', null))), stores.map(() => null))
})

test('a database of a newer version is refused by name and left as it is', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  await store.open()
  await store.close()
  const database = new Database(path)
  database.prepare('INSERT INTO agent_runs_migrations (name, applied_at) VALUES (?, ?)').run('9999_future.sql', 0)
  database.close()
  await t.rejects(sqliteStore({ path }).open(), { code: 'AGENT_RUNS_STORE_SCHEMA_NEWER', message: /runs\.db.*9999_future\.sql.*Upgrade/ })
})

test('what is no database, or nowhere, is refused and never created anew', async (t) => {
  const directory = tempDir(t)
  const path = join(directory, 'runs.db')
  writeFileSync(path, 'this is no database, but it may be precious to somebody\n'.repeat(100))
  await t.rejects(sqliteStore({ path }).open(), { code: 'AGENT_RUNS_STORE_INVALID', message: /runs\.db/ })
  await t.rejects(sqliteStore({ path: join(directory, 'no', 'such', 'place.db') }).open(), { code: 'AGENT_RUNS_STORE_INVALID' })
})

test('a host\'s own tables and drizzle ledger in the same file are left alone', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const host = new Database(path)
  host.exec('CREATE TABLE __drizzle_migrations (id, hash, created_at); INSERT INTO __drizzle_migrations VALUES (1, \'x\', 99999999999999); CREATE TABLE sessions (id)')
  const store = sqliteStore({ path })
  await store.open()
  t.match(await store.createSession({ id: 's', owner: '', provider: null, title: null, metadata: {} }), { id: 's' })
  await store.close()
  t.strictSame(host.prepare('SELECT count(*) AS n FROM __drizzle_migrations').get(), { n: 1 })
  host.close()
})

test('a closed store says so, and may be closed again', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  await store.open()
  await store.open()
  await store.close()
  await store.close()
  await t.rejects(store.getSession('s', null), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
})

test('a database that stays locked is unavailable, and serves again when it is free; the loop turns meanwhile', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  await store.open()
  t.teardown(() => store.close())
  const blocker = new Database(path)
  t.teardown(() => blocker.close())
  blocker.exec('BEGIN IMMEDIATE')
  const session = { id: 's', owner: '', provider: null, title: null, metadata: {} }
  let answered = false
  const refused = store.createSession(session).finally(() => { answered = true })
  refused.catch(() => {})
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(answered, false, 'others had their turns while it was waiting')
  await t.rejects(refused, { code: 'AGENT_RUNS_STORE_UNAVAILABLE', statusCode: 503, retryAfter: 1 })
  const waiting = store.createSession(session)
  blocker.exec('COMMIT')
  t.match(await waiting, { id: 's' })
})

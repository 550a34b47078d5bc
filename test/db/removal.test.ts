/* What is deleted or compacted is gone from the file, too; and who may read the file. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { accept, asks, custom, delta, drive, newSession, OWNER, text } from '../../conformance/store/driven-run.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Store } from '../../index.ts'
import { pendingEvent } from '../../lib/protocol/event.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const WORDS = 'the-words-of-a-user'

/** How often the words are in a file of the database. */
function found (path: string): Record<string, number> {
  return Object.fromEntries(['', '-wal'].map((suffix) => [suffix, readFileSync(path + suffix, 'latin1').split(WORDS).length - 1]))
}

async function purge (store: Store): Promise<void> {
  while (await store.purge());
}

test('of a session that was deleted nothing is in the file, nor in its write-ahead log, and none of its rows', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  await store.createSession(newSession('s', { title: WORDS, metadata: { [WORDS]: WORDS } }))
  const message = pendingEvent('text', { role: 'user', messageId: 'm', content: WORDS })
  const run = await drive(store, 'r', { message, options: { say: WORDS }, names: [{ name: WORDS, hash: WORDS }] })
  // Above a page of SQLite's, and enough of them for more than one slice.
  await run.append(...Array.from({ length: 1_200 }, (_, index) => text(`${WORDS} ${index}`)), custom(WORDS.repeat(100_000)), asks('a'))
  await store.answerPermission('s', OWNER, 'a', { allow: false, message: WORDS })
  await store.setProviderSessionId('s', 'echo', WORDS)
  await accept(store, 'waiting', { message, options: { say: WORDS } })
  t.ok(found(path)['-wal']! > 1_000)

  await store.deleteSession('s', OWNER)
  await purge(store)
  t.strictSame(found(path), { '': 0, '-wal': 0 })
  const database = new Database(path, { readonly: true })
  t.teardown(() => database.close())
  const rows = ['events', 'runs', 'permissions', 'provider_sessions'].map((table) => database.prepare(`SELECT count(*) FROM agent_runs_${table}`).pluck().get())
  t.strictSame(rows, [0, 0, 0, 0])
  t.strictSame(database.prepare('SELECT id, status FROM agent_runs_sessions').raw().all(), [['s', 'deleted']])
})

test('deltas that were compacted are gone from the file', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  const run = await drive(store, 'r')
  await run.append(...Array.from({ length: 1_000 }, (_, index) => delta('m', `${WORDS} ${index}`)), pendingEvent('text', { role: 'assistant', messageId: 'm', content: 'redacted' }))
  await run.end()
  await purge(store)
  t.ok(found(path)['']! > 900)
  await store.compactRun('r', 0)
  await purge(store)
  t.strictSame(found(path), { '': 0, '-wal': 0 })
})

test('a purge that a reader of another process holds up empties the log once that has gone', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  await (await drive(store, 'r')).append(text(WORDS))
  const reader = new Database(path, { readonly: true })
  t.teardown(() => reader.close())
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM agent_runs_events').get()
  await store.deleteSession('s', OWNER)
  await purge(store)
  t.ok(found(path)['-wal']! > 0)
  reader.exec('COMMIT')
  await purge(store)
  t.strictSame(found(path), { '': 0, '-wal': 0 })
})

test('a deletion that was cut off is gone on with by the next who opens the file', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  await store.open()
  await (await drive(store, 'r')).append(text(WORDS))
  await store.deleteSession('s', OWNER)
  await store.close()
  const next = sqliteStore({ path })
  t.teardown(() => next.close())
  await next.open()
  t.ok(found(path)['']! > 0)
  await purge(next)
  t.strictSame(found(path), { '': 0, '-wal': 0 })
})

test('new files are for their owner alone; those that are there keep their mode', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  const modes = () => ['', '-wal', '-shm', '-instances'].map((suffix) => (statSync(path + suffix).mode & 0o777).toString(8))
  t.strictSame(modes(), ['600', '600', '600', '700'])
})

import { cpSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type SqliteDatabase from 'better-sqlite3'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const require = createRequire(import.meta.url)
const session = { id: 's', owner: '', provider: null, title: null, metadata: {} }

test('the errors of a host\'s own copy of better-sqlite3 are understood', async (t) => {
  const directory = tempDir(t)
  const home = dirname(require.resolve('better-sqlite3/package.json'))
  for (const part of ['package.json', 'lib', 'prebuilds']) cpSync(join(home, part), join(directory, 'copy', part), { recursive: true })
  const Copy = require(join(directory, 'copy')) as typeof SqliteDatabase
  t.not(Copy, require('better-sqlite3'))
  const database = new Copy(':memory:')
  t.teardown(() => { database.close() })
  const store = sqliteStore({ database })
  await store.open()
  // SQLITE_READONLY, which may pass, and SQLITE_ERROR, which will not.
  database.pragma('query_only = ON')
  await t.rejects(store.createSession(session), { code: 'AGENT_RUNS_STORE_UNAVAILABLE', cause: { code: /^SQLITE_READONLY/ } })
  database.pragma('query_only = OFF')
  database.exec('DROP TABLE agent_runs_events')
  await t.rejects(store.createSession(session), { code: 'AGENT_RUNS_STORE_FAILED', cause: { code: 'SQLITE_ERROR' } })
})

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { newRun } from '../helpers/new-run.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('the database itself refuses a second running run of a session, for any writer', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  await store.startRun(newRun('r'))
  const database = new Database(path)
  t.teardown(() => database.close())
  const insert = database.prepare(`INSERT INTO agent_runs_runs (id, session_key, provider, status, instance_id, cursor, created_at)
    SELECT ?, session_key, provider, ?, instance_id, cursor, created_at FROM agent_runs_runs WHERE id = 'r'`)
  t.throws(() => insert.run('r2', 'running'), { code: 'SQLITE_CONSTRAINT_UNIQUE' })
  t.equal(insert.run('r3', 'completed').changes, 1)
})

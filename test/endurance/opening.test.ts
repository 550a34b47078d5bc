/* Processes that start at the same time on one new file. */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('several processes may start at once on one new file, and write at once: none is refused, nothing is lost', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const children = Array.from({ length: 4 }, () => spawnScript(t, 'open-store.ts', [path]))
  await Promise.all(children.map((child) => child.line('ready')))
  for (const child of children) child.send('go')
  const codes = await Promise.all(children.map((child) => child.exited))
  t.strictSame(codes, [0, 0, 0, 0])
  const database = new Database(path)
  t.equal(database.prepare('SELECT count(*) FROM agent_runs_sessions').pluck().get(), 801)
  database.close()
})

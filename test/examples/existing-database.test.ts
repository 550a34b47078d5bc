import { join } from 'node:path'
import { readdirSync } from 'node:fs'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { startExample } from '../helpers/start-example.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** Whatever in the file is not the log's. */
function hostsPart (path: string): object {
  const database = new Database(path, { readonly: true })
  const read = (sql: string): unknown[] => database.prepare(sql).raw().all()
  const part = {
    tables: read('SELECT name, sql FROM sqlite_master WHERE name NOT LIKE \'%agent_runs%\' ORDER BY name'),
    migrations: read('SELECT hash, created_at FROM __drizzle_migrations'),
    projects: read('SELECT id, name, session_id FROM projects')
  }
  database.close()
  return part
}

test('examples/existing-database: a project has a session, whose log is in the app\'s own database', async (t) => {
  const directory = tempDir(t)
  const first = await startExample(t, 'existing-database', directory)
  const { status, body: project } = await postJson(`${first.url}/projects`, { name: 'Paint the fence' })
  t.match([status, project], [201, { id: 1, name: 'Paint the fence', sessionId: String }])
  t.equal((await postJson(`${first.url}/sessions/${String(project['sessionId'])}/messages`, { content: 'Which colour?' })).status, 202)
  await (await SseClient.open(`${first.url}/sessions/${String(project['sessionId'])}/stream?until=complete`)).ended()
  const transcript = {
    project: 'Paint the fence', isProcessing: false, said: [{ role: 'user', content: 'Which colour?' }, { role: 'assistant', content: 'Which colour?' }]
  }
  t.strictSame(await (await fetch(`${first.url}/projects/1/transcript`)).json(), transcript)
  t.equal((await fetch(`${first.url}/projects/2/transcript`)).status, 404)

  t.equal(await first.server.kill('SIGTERM'), 0)
  t.strictSame(readdirSync(directory), ['app.db'], 'there is one file, which was closed in order')
  const before = hostsPart(join(directory, 'app.db'))
  t.match(before, { migrations: { length: 1 }, projects: [[1, 'Paint the fence', project['sessionId']]] })

  const second = await startExample(t, 'existing-database', directory)
  t.strictSame(await (await fetch(`${second.url}/projects/1/transcript`)).json(), transcript)
  await second.server.kill('SIGTERM')
  t.strictSame(hostsPart(join(directory, 'app.db')), before)
})

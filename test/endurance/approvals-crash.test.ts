/* Approvals over real sockets while the process that asked for them dies. */
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event } from '../../index.ts'
import { answerByHttp, logAt, untilAsked } from '../helpers/approvals-by-http.ts'
import { settledOf, story } from '../helpers/approvals.ts'
import { buildApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const ASK = JSON.stringify({ demo: { mode: 'approval', n: 2 } })

async function serve (t: Test, database: string) {
  const server = spawnScript(t, 'serve-demo.ts', [database])
  const [, url] = (await server.line('listening ')).split(' ')
  return { server, url: url! }
}

test('kill -9 while an approval waits: after the restart it is cancelled, and the session asks again', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const before = await serve(t, database)
  await postJson(`${before.url}/sessions/s/messages`, { content: ASK })
  const requestId = await untilAsked(before.url)
  await before.server.kill('SIGKILL')

  const after = await serve(t, database)
  const lines = story((await logAt(after.url)).slice(1))
  t.strictSame(lines, ['assistant @@demo:1@@', 'tool_use', 'asks 1', 'cancelled 1 interrupted', 'complete interrupted RUN_INTERRUPTED'])
  t.match(await (await fetch(`${after.url}/sessions/s`)).json(), { isProcessing: false, pendingPermissions: [] })
  t.match(await answerByHttp(after.url, requestId, true), { status: 409, body: { code: 'PERMISSION_ALREADY_RESOLVED' } })
  t.equal((await postJson(`${after.url}/sessions/s/messages`, { content: ASK })).status, 202)
  t.equal((await answerByHttp(after.url, await untilAsked(after.url, 2), true)).status, 200)
  await (await SseClient.open(`${after.url}/sessions/s/stream?until=complete`)).ended()
  t.equal(story(await logAt(after.url)).at(-1), 'complete finished')
})

test('the process that drives the run dies with the decision in the store: the answer came to nothing, and everybody is told so', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const { server, url } = await serve(t, database)
  const app = await buildApp(t, { providers: { echo: scriptedProvider() }, store: sqliteStore({ path: database, leaseMs: 300 }) })
  await postJson(`${url}/sessions/s/messages`, { content: ASK })
  const requestId = await untilAsked(url)
  // It takes nothing from now on.
  server.process.kill('SIGSTOP')
  const answered = settledOf(app.agentRuns.answerPermission({ sessionId: 's', requestId, allow: true }))
  const decided = sqliteStore({ path: database })
  t.teardown(() => decided.close())
  await decided.open()
  while ((await decided.getPermission('s', null, requestId))!.status === 'pending') await new Promise((resolve) => { setImmediate(resolve) })
  await server.kill('SIGKILL')
  t.match(await answered, { error: { code: /^AGENT_RUNS_(PERMISSION_ALREADY_RESOLVED|STORE_UNAVAILABLE)$/ } })
  for await (const { kind } of app.agentRuns.subscribe('s')) if (kind === 'complete') break
  const events: Event[] = []
  for await (const event of app.agentRuns.replayEvents('s')) events.push(event)
  t.strictSame(story(events).slice(3), ['asks 1', 'cancelled 1 interrupted', 'complete interrupted RUN_INTERRUPTED'])
  t.match(await settledOf(app.agentRuns.answerPermission({ sessionId: 's', requestId, allow: true })), { error: { code: 'PERMISSION_ALREADY_RESOLVED' } })
})

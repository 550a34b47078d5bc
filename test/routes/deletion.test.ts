import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { wireCode } from '../../lib/protocol/errors.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const remove = (url: string): Promise<Response> => fetch(url, { method: 'DELETE' })

test('a deleted session ends its runs and streams, leaves no event behind, and its id is never used again', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const ended: string[] = []
  const agent = scriptedProvider({ endSession: async (id) => { ended.push(id) } })
  const { app, url } = await serveApp(t, { providers: { agent }, store: path })
  const { body: { runId } } = await postJson(`${url}/sessions/s/messages`, { content: 'a secret' })
  await postJson(`${url}/sessions/s/messages`, { content: 'another secret', onBusy: 'queue' })
  const run = await agent.next()
  await run.emit({ kind: 'session_created', newSessionId: 'native-secret' }, { kind: 'text', content: 'told' })
  const stream = await SseClient.open(`${url}/sessions/s/stream`)
  await stream.until(({ events }) => events.length === 2)

  t.equal((await remove(`${url}/sessions/s`)).status, 204)
  await stream.ended()
  t.strictSame(stream.kinds, ['chat_subscribed', 'text', 'text', 'session_deleted'])
  await run.stopped.promise
  t.strictSame(ended, ['s'])
  const get = async (path: string): Promise<unknown> => ((await (await fetch(url + path)).json()) as { code: string }).code
  for (const path of ['/sessions/s', '/sessions/s/messages', '/sessions/s/events', '/sessions/s/stream', '/sessions/s/runs']) t.equal(await get(path), 'SESSION_DELETED', path)
  t.equal(await get(`/runs/${runId as string}`), 'RUN_NOT_FOUND')
  t.match(await postJson(`${url}/sessions/s/messages`, { content: 'x' }), { status: 410, body: { code: 'SESSION_DELETED' } })
  t.match(await postJson(`${url}/sessions/s/abort`, {}), { status: 410 })
  t.match(await postJson(`${url}/sessions`, { id: 's' }), { status: 409, body: { code: 'SESSION_EXISTS' } })
  t.equal((await remove(`${url}/sessions/s`)).status, 410)
  t.equal((await remove(`${url}/sessions/never`)).status, 404)
  t.strictSame(await (await fetch(`${url}/sessions`)).json(), { sessions: [], hasMore: false })
  t.strictSame(await app.agentRuns.listRunningRuns(), { runs: [], hasMore: false })

  const database = new Database(path, { readonly: true })
  t.teardown(() => database.close())
  while (database.prepare("SELECT count(*) FROM agent_runs_sessions WHERE status = 'deleting'").pluck().get() !== 0) await new Promise(setImmediate)
  for (const table of ['events', 'runs', 'provider_sessions']) t.equal(database.prepare(`SELECT count(*) FROM agent_runs_${table}`).pluck().get(), 0, table)
})

test('who waits for a session, reads slowly or aborts while it is deleted is told so too', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent } })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  for (let i = 0; i < 200; i++) await run.emit({ kind: 'text', content: 'x'.repeat(20_000) })
  const slow = await SseClient.open(`${url}/sessions/s/stream`)
  slow.stall()
  const [abort, deletion] = await Promise.all([
    app.agentRuns.abortRun({ sessionId: 's' }).catch(wireCode), remove(`${url}/sessions/s`)
  ])
  t.equal(deletion.status, 204)
  t.ok(typeof abort === 'object' || ['SESSION_DELETED', 'RUN_NOT_FOUND', 'SESSION_NOT_FOUND'].includes(abort), JSON.stringify(abort))
  slow.resume()
  await slow.ended()
  t.equal(slow.kinds.at(-1), 'session_deleted')
  t.strictSame(slow.seqs, slow.seqs.map((_, index) => index + 1))
})

test('a deletion elsewhere ends the streams and the run here', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const agent = scriptedProvider()
  const here = await serveApp(t, { providers: { agent }, store: path })
  const there = await serveApp(t, { providers: { agent }, store: path })
  await here.app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  const stream = await SseClient.open(`${here.url}/sessions/s/stream`)
  await stream.frame('text')
  t.equal((await remove(`${there.url}/sessions/s`)).status, 204)
  await stream.ended()
  t.equal(stream.kinds.at(-1), 'session_deleted')
  await run.stopped.promise
})

test('a session in which nothing happens for sessionMs is deleted, one that is busy is not', async (t) => {
  const agent = scriptedProvider()
  const { app } = await serveApp(t, { providers: { agent }, retention: { sessionMs: 100 } })
  await app.agentRuns.createSession({ id: 'idle' })
  await app.agentRuns.startRun({ sessionId: 'busy', content: 'go' })
  const run = await agent.next()
  const gone: string[] = []
  for await (const item of app.agentRuns.subscribe('idle')) gone.push(item.kind)
  t.strictSame(gone, ['chat_subscribed', 'session_deleted'])
  await t.rejects(app.agentRuns.getSession('idle'), { code: 'AGENT_RUNS_SESSION_DELETED' })
  t.match(await app.agentRuns.getSession('busy'), { isProcessing: true })
  run.end()
  for await (const item of app.agentRuns.subscribe('busy', { after: 2 })) gone.push(item.kind)
  t.equal(gone.at(-1), 'session_deleted')
})

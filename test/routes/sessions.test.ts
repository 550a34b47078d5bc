import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { wireCode } from '../../lib/protocol/errors.ts'
import { buildApp, serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

type Method = 'GET' | 'POST' | 'PATCH'

async function build (t: Parameters<typeof buildApp>[0], options: Partial<Parameters<typeof buildApp>[1]> = {}) {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent }, store: ':memory:', ...options })
  const call = async (method: Method, url: string, payload?: object) => {
    const response = await app.inject({ method, url, ...(payload && { payload }) })
    return { status: response.statusCode, body: response.json<Record<string, unknown>>(), location: response.headers.location }
  }
  return { app, agent, call }
}

test('a session is created, read, renamed and listed; whose it is stays inside', async (t) => {
  const { call } = await build(t, { prefix: '/api' })
  const { status, body, location } = await call('POST', '/api/sessions', { id: 'a', provider: 'agent', title: 'First', metadata: { n: 1 } })
  t.strictSame([status, location], [201, '/api/sessions/a'])
  const { createdAt, updatedAt, ...rest } = body
  t.strictSame(rest, {
    id: 'a', provider: 'agent', title: 'First', metadata: { n: 1 }, isProcessing: false, runId: null, queue: [], waiting: [], lastSeq: 0, compactedThrough: 0, pendingPermissions: [], morePendingPermissions: []
  })
  t.strictSame([createdAt, updatedAt].map((time) => new Date(time as string).toISOString()), [createdAt, updatedAt])
  t.strictSame((await call('GET', '/api/sessions/a')).body, body)
  t.match((await call('PATCH', '/api/sessions/a', { title: null })).body, { title: null, metadata: { n: 1 } })
  t.match((await call('PATCH', '/api/sessions/a', { metadata: {} })).body, { title: null, metadata: {} })

  const { body: generated } = await call('POST', '/api/sessions', {})
  t.match(generated, { id: /^[0-9a-f-]{36}$/, provider: null, title: null, metadata: {} })
  const { body: { sessions, hasMore } } = await call('GET', '/api/sessions')
  t.strictSame((sessions as Array<{ id: string }>).map(({ id }) => id), [generated['id'], 'a'])
  t.equal(hasMore, false)
  t.notMatch(JSON.stringify(sessions), /owner/)
  t.match((await call('GET', `/api/sessions?limit=1&before=${generated['id'] as string}`)).body, { sessions: [{ id: 'a' }] })
})

test('sessions that exist, do not exist or make no sense are told apart by code', async (t) => {
  const { app, call } = await build(t)
  await call('POST', '/sessions', { id: 'a' })
  const deep = async (url: string) => {
    const payload = `{"metadata":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`
    const response = await app.inject({ method: 'PATCH', url, payload, headers: { 'content-type': 'application/json' } })
    return { status: response.statusCode, body: response.json<Record<string, unknown>>() }
  }
  const answers = {
    'the id is taken': await call('POST', '/sessions', { id: 'a' }),
    'the id is none': await call('POST', '/sessions', { id: '../a' }),
    'no such provider': await call('POST', '/sessions', { provider: 'x' }),
    'an unknown property': await call('POST', '/sessions', { name: 'x' }),
    'metadata without end': await deep('/sessions/a'),
    'no such session': await call('GET', '/sessions/b'),
    'nothing to rename': await call('PATCH', '/sessions/b', { title: 'x' }),
    'a limit that is none': await call('GET', '/sessions?limit=1e1'),
    'a limit too high': await call('GET', '/sessions?limit=501'),
    'runs of nobody': await call('GET', '/sessions/b/runs'),
    'history of nobody': await call('GET', '/sessions/b/messages'),
    'events of nobody': await call('GET', '/sessions/b/events'),
    'no such run': await call('GET', '/runs/b')
  }
  t.strictSame(Object.fromEntries(Object.entries(answers).map(([name, { status, body }]) => [name, `${status} ${body['code'] as string}`])), {
    'the id is taken': '409 SESSION_EXISTS',
    'the id is none': '400 INVALID_REQUEST',
    'no such provider': '400 UNSUPPORTED_PROVIDER',
    'an unknown property': '400 INVALID_REQUEST',
    'metadata without end': '413 BODY_TOO_COMPLEX',
    'no such session': '404 SESSION_NOT_FOUND',
    'nothing to rename': '404 SESSION_NOT_FOUND',
    'a limit that is none': '400 INVALID_REQUEST',
    'a limit too high': '400 INVALID_REQUEST',
    'runs of nobody': '404 SESSION_NOT_FOUND',
    'history of nobody': '404 SESSION_NOT_FOUND',
    'events of nobody': '404 SESSION_NOT_FOUND',
    'no such run': '404 RUN_NOT_FOUND'
  })
})

test('runs are listed while they run, and kept with their session', async (t) => {
  const { app, agent, call } = await build(t)
  const first = await app.agentRuns.startRun({ sessionId: 's', content: 'one' })
  t.strictSame((await call('GET', '/runs')).body, {
    runs: [{ runId: first.runId, sessionId: 's', provider: 'agent', startedAt: (await app.agentRuns.getRun(first.runId))?.startedAt, lastSeq: 1 }],
    hasMore: false
  })
  t.match(await app.agentRuns.getActiveRun('s'), { runId: first.runId, status: 'running', exitCode: null })
  t.equal(await app.agentRuns.isProcessing('s'), true)
  ;(await agent.next()).end()
  await app.agentRuns.subscribe('s', { after: 1 }).next()
  await app.agentRuns.completeRun(first.runId, { exitCode: 0 })
  t.equal(await app.agentRuns.isProcessing('s'), false)
  t.equal(await app.agentRuns.getActiveRun('s'), null)
  t.equal(await app.agentRuns.isProcessing('none'), false)
  const second = await app.agentRuns.startRun({ sessionId: 's', content: 'two' })
  t.match((await call('GET', '/sessions/s/runs')).body, { runs: [{ runId: second.runId, status: 'running', cursor: 2 }, { runId: first.runId, status: 'completed' }] })
  t.match((await call('GET', '/sessions/s/runs?limit=1')).body, { runs: [{ runId: second.runId }], hasMore: true })
  t.match((await call('GET', `/runs/${first.runId}`)).body, {
    runId: first.runId, sessionId: 's', status: 'completed', cursor: 0, completeSeq: 2, exitCode: 0, success: true, aborted: false, reason: 'finished'
  })
  ;(await agent.next()).end()
})

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

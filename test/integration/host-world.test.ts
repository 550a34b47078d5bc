import { join } from 'node:path'
import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify, { type FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import agentRuns from '../../index.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { type ScriptedProvider, scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** An app of a host's own making, listening, with our plugin where the host puts it. */
async function host (t: Test, build: (app: FastifyInstance, agent: ScriptedProvider) => Promise<unknown>) {
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  const agent = scriptedProvider()
  await build(app, agent)
  return { app, agent, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

/** Runs one message to its end and reads it as a stream. */
async function converse (url: string, agent: ScriptedProvider, headers: Record<string, string> = {}): Promise<SseClient> {
  const client = await SseClient.open(`${url}/sessions/s/stream?until=complete`, { headers })
  await postJson(`${url}/sessions/s/messages`, { content: 'hi' }, headers)
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'x'.repeat(3_000) })
  run.end()
  return client.ended()
}

test('cors: its headers are on answers, errors and streams alike', async (t) => {
  const origin = 'https://app.example'
  const { agent, url } = await host(t, async (app, agent) => {
    await app.register(cors, { origin, credentials: true })
    await app.register(agentRuns, { providers: { agent }, store: ':memory:' })
  })
  const client = await converse(url, agent, { origin })
  t.strictSame(client.kinds, ['chat_subscribed', 'text', 'text', 'complete'])
  const answers = [client.response.headers, ...await Promise.all(['/sessions', '/sessions/none'].map(async (path) => Object.fromEntries((await fetch(url + path, { headers: { origin } })).headers)))]
  for (const headers of answers) t.match(headers, { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' })
})

test('cookie and helmet: what hooks set on the reply goes out with the stream', async (t) => {
  const { agent, url } = await host(t, async (app, agent) => {
    await app.register(cookie)
    await app.register(helmet)
    app.addHook('onRequest', async (_, reply) => { reply.setCookie('seen', 'yes', { path: '/' }).setCookie('twice', '2') })
    await app.register(agentRuns, { providers: { agent }, store: ':memory:' })
  })
  const { response: { headers }, kinds } = await converse(url, agent)
  t.strictSame(kinds, ['chat_subscribed', 'text', 'text', 'complete'])
  t.strictSame(headers['set-cookie'], ['seen=yes; Path=/; SameSite=Lax', 'twice=2; SameSite=Lax'])
  t.match(headers, { 'content-type': 'text/event-stream; charset=utf-8', 'x-frame-options': 'SAMEORIGIN', 'x-content-type-options': 'nosniff' })
})

test('compress: answers are compressed, streams are not held up', async (t) => {
  const { agent, url } = await host(t, async (app, agent) => {
    await app.register(compress, { global: true, threshold: 100 })
    await app.register(agentRuns, { providers: { agent }, store: ':memory:' })
  })
  const client = await converse(url, agent, { 'accept-encoding': 'gzip' })
  t.equal(client.response.headers['content-encoding'], undefined)
  t.strictSame(client.kinds, ['chat_subscribed', 'text', 'text', 'complete'])
  const history = await SseClient.open(`${url}/sessions/s/messages`, { headers: { 'accept-encoding': 'gzip' } })
  t.equal(history.response.headers['content-encoding'], 'gzip')
  history.cut()
  const { events } = await (await fetch(`${url}/sessions/s/messages`)).json() as { events: unknown[] }
  t.equal(events.length, 3)
})

test('rate-limit: its refusals are its own, on our routes too, and it counts a stream once', async (t) => {
  const { agent, url } = await host(t, async (app, agent) => {
    await app.register(rateLimit, { max: 3, timeWindow: '1 hour' })
    await app.register(agentRuns, { providers: { agent }, store: ':memory:' })
  })
  await converse(url, agent)
  t.equal((await fetch(`${url}/sessions`)).status, 200)
  const refused = await fetch(`${url}/sessions/s/stream`)
  t.equal(refused.status, 429)
  t.match(await refused.json(), { statusCode: 429, message: /Rate limit exceeded/ })
})

test('swagger: the host\'s document tells of every route, with its answers, errors and streams', async (t) => {
  const { app } = await host(t, async (app, agent) => {
    await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'host', version: '1.0.0' } } })
    await app.register(agentRuns, { providers: { agent }, store: ':memory:', prefix: '/api' })
  })
  const document = app.swagger() as unknown as { paths: Record<string, Record<string, { summary?: string, responses: Record<string, { content?: object }> }>> }
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.strictSame(errors ?? [], [])
  t.ok(valid)
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ route: `${method} ${path}`, ...operation })))
  t.strictSame(operations.map(({ route }) => route).sort(), [
    'delete /api/sessions/{id}', 'get /api/ag-ui/{id}/messages', 'get /api/ag-ui/{id}/stream', 'get /api/ai-sdk/{id}/messages', 'get /api/ai-sdk/{id}/stream', 'get /api/providers', 'get /api/providers/{name}/sessions', 'get /api/runs', 'get /api/runs/{runId}', 'get /api/sessions', 'get /api/sessions/{id}',
    'get /api/sessions/{id}/events', 'get /api/sessions/{id}/messages', 'get /api/sessions/{id}/runs', 'get /api/sessions/{id}/stream',
    'get /api/ws', 'patch /api/sessions/{id}', 'post /api/ag-ui', 'post /api/ai-sdk', 'post /api/sessions', 'post /api/sessions/{id}/abort', 'post /api/sessions/{id}/messages',
    'post /api/sessions/{id}/permissions/{requestId}'
  ])
  for (const { route, summary, responses } of operations) {
    t.type(summary, 'string', route)
    for (const status of ['400', '401', '403', '500', '503']) t.ok(responses[status]?.content, `${route} ${status}`)
  }
  const streams = operations.filter(({ responses }) => responses['200']?.content !== undefined && 'text/event-stream' in responses['200'].content).map(({ route }) => route)
  t.strictSame(streams.sort(), [
    'get /api/ag-ui/{id}/stream', 'get /api/ai-sdk/{id}/stream', 'get /api/sessions/{id}/stream', 'post /api/ag-ui', 'post /api/ai-sdk', 'post /api/sessions/{id}/messages'
  ])
})

test('what routes answer is told by their schemas, and never cut to them', async (t) => {
  const { app, agent, url } = await host(t, async (app, agent) => {
    await app.register(agentRuns, { providers: { agent }, store: ':memory:' })
  })
  await app.agentRuns.startRun({ sessionId: 's', content: 'hi' })
  const run = await agent.next()
  void run.emit({ kind: 'complete', exitCode: 0, usage: { inputTokens: 1, deep: { er: [1] } } })
  while (await app.agentRuns.isProcessing('s')) await new Promise(setImmediate)
  const { runId } = (await app.agentRuns.listRuns('s')).runs[0]!
  const { body } = await postJson(`${url}/sessions/s/abort`, { runId })
  t.match(body, { kind: 'complete', seq: 2, usage: { inputTokens: 1, deep: { er: [1] } } })
})

test('two registrations in sibling scopes know nothing of each other, and share a database if they are told to', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const other = scriptedProvider()
  const { agent, url } = await host(t, async (app, agent) => {
    await app.register(async (scope) => { await scope.register(agentRuns, { providers: { agent }, store: path, prefix: '/one' }) })
    await app.register(async (scope) => { await scope.register(agentRuns, { providers: { other }, store: path, prefix: '/two' }) })
    await app.register(async (scope) => { await scope.register(agentRuns, { providers: { other }, store: ':memory:', prefix: '/three' }) })
  })
  const follower = await SseClient.open(`${url}/two/sessions/s/stream?until=complete`)
  await converse(`${url}/one`, agent)
  t.strictSame((await follower.ended()).kinds, ['chat_subscribed', 'text', 'text', 'complete'])
  t.equal((await fetch(`${url}/three/sessions/s`)).status, 404)
  t.match(await postJson(`${url}/two/sessions/s/messages`, { content: 'to the other', provider: 'other' }), { status: 202 })
  ;(await other.next()).end()
})

test('a stream of which a hook of the host\'s makes an error leaves its place free', async (t) => {
  let fails = true
  const { url } = await host(t, async (app, agent) => {
    app.addHook('onSend', async () => { if (fails) throw new Error('not today') })
    await app.register(agentRuns, { providers: { agent }, store: ':memory:', limits: { subscribersPerSession: 1 } })
  })
  t.equal((await fetch(`${url}/sessions/s/stream`)).status, 500)
  fails = false
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  t.equal(client.response.statusCode, 200)
})

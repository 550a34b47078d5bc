import { existsSync } from 'node:fs'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns, { type Store } from '../../index.ts'
import { buildApp } from '../helpers/build-app.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

function host (t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

const providers = () => ({ agent: scriptedProvider() })

test('a second registration in one scope says so by name; sibling scopes may each have one', async (t) => {
  const app = host(t)
  app.register(agentRuns, { providers: providers(), store: ':memory:' })
  app.register(agentRuns, { providers: providers(), store: ':memory:' })
  await t.rejects(async () => { await app.ready() }, { code: 'AGENT_RUNS_ALREADY_REGISTERED' })

  const siblings = host(t)
  const path = join(tempDir(t), 'runs.db')
  for (const prefix of ['/one', '/two']) {
    siblings.register(async (scope) => { await scope.register(agentRuns, { providers: providers(), store: path }) }, { prefix })
  }
  await siblings.ready()
  const posted = await siblings.inject({ method: 'POST', url: '/one/sessions/s/messages', payload: { content: 'x' } })
  t.equal(posted.headers.location, '/one/sessions/s/stream?lastEventId=0')
  t.match((await siblings.inject('/two/runs')).json(), { runs: [{ sessionId: 's' }] }, 'they share what is in the database')
  t.match((await siblings.inject({ method: 'POST', url: '/two/sessions/s/abort' })).json(), { reason: 'aborted' }, 'and may stop each other\'s runs')
})

test('options that make no sense stop the boot with the reason', async (t) => {
  const boot = async (options: object): Promise<string> => {
    const app = host(t)
    app.register(agentRuns, options as never)
    return app.ready().then(() => 'booted', (error: { code: string, message: string }) => `${error.code} ${error.message}`)
  }
  t.equal(await boot({}), 'AGENT_RUNS_INVALID_PLUGIN_OPTIONS fastify-agent-runs: "providers" must name at least one provider, such as { echo: echo() }.')
  t.equal(await boot({ providers: { a: {} } }), 'AGENT_RUNS_INVALID_PLUGIN_OPTIONS fastify-agent-runs: the provider "a" has no run function.')
  t.match(await boot({ providers: providers(), heartbeatMs: '5' }), /AGENT_RUNS_INVALID_PLUGIN_OPTIONS .*"heartbeatMs" must be integer/)
  t.match(await boot({ providers: providers(), hearbeatMs: 5 }), /AGENT_RUNS_INVALID_PLUGIN_OPTIONS .*there is no option "hearbeatMs"/)
  t.match(await boot({ providers: providers(), defaultProvider: 'b' }), /AGENT_RUNS_INVALID_PLUGIN_OPTIONS .*"defaultProvider" is "b"/)
  t.match(await boot({ providers: providers(), prefix: 'api/' }), /AGENT_RUNS_INVALID_PLUGIN_OPTIONS .*"prefix"/)
  t.match(await boot({ providers: providers(), store: 5 }), /AGENT_RUNS_INVALID_PLUGIN_OPTIONS .*"store"/)
  t.match(await boot({ providers: providers(), store: '/dev/null/x.db' }), /AGENT_RUNS_STORE_INVALID/)
})

test('our scope\'s ways stay in our scope: the host keeps its own errors, parsers and validation', async (t) => {
  const app = host(t)
  app.setErrorHandler((error: Error, _, reply) => reply.code(418).send({ host: error.message }))
  await app.register(agentRuns, { providers: providers(), store: ':memory:' })
  app.post('/text', async ({ body }) => ({ body }))
  app.get('/typed', { schema: { querystring: { type: 'object', properties: { n: { type: 'integer' } } } } }, async ({ query }) => query)
  app.get('/fails', async () => { throw new Error('of the host') })
  t.strictSame((await app.inject({ method: 'POST', url: '/text', payload: 'plain', headers: { 'content-type': 'text/plain' } })).json(), { body: 'plain' })
  t.strictSame((await app.inject('/typed?n=5')).json(), { n: 5 })
  t.strictSame((await app.inject('/fails')).json(), { host: 'of the host' })
  t.match((await app.inject('/sessions/none')).json(), { code: 'SESSION_NOT_FOUND', statusCode: 404, error: 'Not Found' })
})

test('an error that is not ours goes on to the host\'s handler', async (t) => {
  const app = host(t)
  app.addHook('onRequest', async ({ headers }) => { if (headers['x-fail'] !== undefined) throw Object.assign(new Error('host says no'), { statusCode: 402 }) })
  app.setErrorHandler((error: Error & { statusCode?: number }, _, reply) => reply.code(error.statusCode ?? 500).send({ host: error.message }))
  await app.register(agentRuns, { providers: providers(), store: ':memory:' })
  const response = await app.inject({ url: '/runs', headers: { 'x-fail': '1' } })
  t.strictSame([response.statusCode, response.json()], [402, { host: 'host says no' }])
})

test('a failing store is a 503 with Retry-After, without its inner words', async (t) => {
  const app = await buildApp(t, { providers: providers(), store: ':memory:' })
  const store = sqliteStore({ path: ':memory:' })
  const broken = await buildApp(t, { providers: providers(), store })
  await store.close()
  const response = await broken.inject('/sessions')
  t.strictSame([response.statusCode, response.json()], [503, { statusCode: 503, code: 'STORE_UNAVAILABLE', error: 'Service Unavailable', message: 'The store is not available.', retryAfter: 1 }])
  t.equal(response.headers['retry-after'], '1')
  t.equal((await app.inject('/sessions')).statusCode, 200)
})

test('without routes there is only the registry', async (t) => {
  const app = await buildApp(t, { providers: providers(), routes: false, store: ':memory:' })
  t.equal((await app.inject('/runs')).statusCode, 404)
  t.strictSame(await app.agentRuns.listRunningRuns(), { runs: [], hasMore: false })
})

test('what the host sets on the reply reaches the stream', async (t) => {
  const app = host(t)
  app.addHook('onRequest', async (_, reply) => { reply.header('access-control-allow-origin', 'https://app.example').header('set-cookie', 'a=b') })
  await app.register(agentRuns, { providers: providers(), store: ':memory:' })
  const client = await SseClient.open(`${await app.listen({ port: 0 })}/sessions/s/stream`)
  t.match(client.response.headers, { 'access-control-allow-origin': 'https://app.example', 'set-cookie': ['a=b'], 'content-type': /event-stream/ })
  client.cut()
})

test('the store that we made is closed with the app, the one that we were given is left open', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const app = host(t)
  await app.register(agentRuns, { providers: providers(), store: path })
  await app.close()
  t.notOk(existsSync(`${path}-wal`), 'the last connection has gone')
  const store: Store = sqliteStore({ path: ':memory:' })
  t.teardown(() => store.close())
  const other = host(t)
  await other.register(agentRuns, { providers: providers(), store })
  await other.close()
  t.equal(await store.getSession('s', null), null, 'still serves')
})

test('the registry is app.agentRuns, and app.runs too until 1.0, unless the host has a `runs` of its own', async (t) => {
  const app = host(t)
  await app.register(agentRuns, { providers: providers(), store: ':memory:' })
  t.equal((app as unknown as { runs: unknown }).runs, app.agentRuns)
  const other = host(t)
  other.decorate('runs', 'of the host')
  await other.register(agentRuns, { providers: providers(), store: ':memory:' })
  t.equal((other as unknown as { runs: unknown }).runs, 'of the host')
  t.strictSame(await other.agentRuns.listSessions(), { sessions: [], hasMore: false })
})

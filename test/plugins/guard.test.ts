import Fastify, { type FastifyInstance, type FastifyRequest, type FastifyServerOptions, type InjectOptions } from 'fastify'
import { test, type Test } from 'tap'
import agentRuns, { type AgentRunsOptions, type RunsAction } from '../../index.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

async function build (t: Test, options: Partial<AgentRunsOptions> = {}, server: FastifyServerOptions = {}) {
  const agent = scriptedProvider()
  const app = Fastify(server)
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0, ...options })
  const call = async (request: string | InjectOptions) => {
    const { statusCode, body } = await app.inject(request)
    return { status: statusCode, body: body === '' ? null : JSON.parse(body) as Record<string, unknown> }
  }
  return { app, agent, call }
}

/** What `identify` may answer in JavaScript, beside what its type allows. */
const answering = (answer: unknown): Partial<AgentRunsOptions> => ({ identify: (() => answer) as never })

const UNAUTHENTICATED = { statusCode: 401, code: 'UNAUTHENTICATED', error: 'Unauthorized', message: 'Authentication is required.' }

test('who is identified, at once or later, as a string or an object, owns what is created', async (t) => {
  const tomorrow = Date.now() + 86_400_000
  for (const answer of [
    'alice', Promise.resolve('alice'), { owner: 'alice' }, Promise.resolve({ owner: 'alice' }), { owner: 'alice', expiresAt: null },
    { owner: 'alice', expiresAt: tomorrow }, { owner: 'alice', expiresAt: new Date(tomorrow) }, { owner: 'alice', expiresAt: Infinity }
  ]) {
    const { app, call } = await build(t, answering(answer))
    t.equal((await call({ method: 'POST', url: '/sessions', payload: { id: 's' } })).status, 201)
    t.match(await app.agentRuns.getSession('s'), { owner: 'alice' })
    t.match(await app.agentRuns.listSessions({ owner: 'bob' }), [])
  }
})

test('nobody gets a 401 on every route, and neither does anything', async (t) => {
  for (const answer of [null, undefined, '', Promise.resolve(null), { owner: '' }, { owner: 'alice', expiresAt: Date.now() }, { owner: 'alice', expiresAt: new Date(0) }]) {
    const { app, call } = await build(t, answering(answer))
    t.strictSame(await call('/sessions'), { status: 401, body: UNAUTHENTICATED }, JSON.stringify(answer))
    t.strictSame((await call({ method: 'POST', url: '/sessions/s/messages', payload: { content: 'x' } })).body, UNAUTHENTICATED)
    t.strictSame((await call('/sessions/s/stream')).body, UNAUTHENTICATED)
    t.strictSame(await app.agentRuns.listSessions(), { sessions: [], hasMore: false })
  }
})

test('an identify that throws, or answers with what is no identity, is a 401 that shows nothing, and a warning in the log', async (t) => {
  const broken: Array<[Partial<AgentRunsOptions>, string]> = [
    [{ identify: () => { throw new Error('secret of the key server') } }, 'secret of the key server'],
    [{ identify: async () => { throw Object.assign(new Error('jwt expired'), { statusCode: 418 }) } }, 'jwt expired'],
    [answering(7), 'identify must answer'],
    [answering({ user: 'alice' }), 'identify must answer'],
    [answering({ owner: ['alice'] }), 'identify must answer'],
    [answering({ owner: 'alice', expiresAt: '2099-01-01' }), '"expiresAt" must be'],
    [answering({ owner: 'alice', expiresAt: new Date('never') }), '"expiresAt" must be']
  ]
  for (const [options, reason] of broken) {
    const lines: string[] = []
    const { call } = await build(t, options, { logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } })
    t.strictSame(await call('/sessions'), { status: 401, body: UNAUTHENTICATED }, reason)
    t.strictSame(lines.map((line) => JSON.parse(line) as object).map(({ level, err }: { level?: number, err?: Error }) => [level, err?.message.includes(reason)]), [[40, true]])
  }
})

test('without identify everything is the anonymous owner\'s, and not that of sessions with an owner', async (t) => {
  const { app, call } = await build(t)
  await app.agentRuns.createSession({ id: 'owned', owner: 'alice' })
  t.equal((await call({ method: 'POST', url: '/sessions', payload: { id: 's' } })).status, 201)
  t.equal((await call('/sessions/s')).status, 200)
  t.equal((await call('/sessions/owned')).status, 404)
})

test('who asks is settled before the body is read: a stranger cannot make the server read one', async (t) => {
  const { app } = await build(t, { identify: ({ headers }) => headers['x-user'] as string | undefined, limits: { bodyBytes: 10 } })
  const send = async (headers: Record<string, string>) => {
    const response = await app.inject({ method: 'POST', url: '/sessions', headers: { 'content-type': 'application/json', ...headers }, payload: '{ not even JSON, and too long' })
    return response.json<{ code: string }>().code
  }
  t.equal(await send({}), 'UNAUTHENTICATED')
  t.equal(await send({ 'x-user': 'alice' }), 'BODY_TOO_LARGE')
})

test('a host whose identity is made by preHandler hooks has to say so', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const options = { providers: { agent: scriptedProvider() }, store: ':memory:', identify: () => 'alice', preHandler: async () => {} }
  await t.rejects(async () => { await app.register(agentRuns, options) }, { code: 'AGENT_RUNS_INVALID_PLUGIN_OPTIONS', message: /"preHandler".*"identifyIn": "preHandler"/ })
})

test('the host\'s hooks run first, in order: onRequest, preHandler, identify, authorize; and on our routes only', async (t) => {
  const order: string[] = []
  const note = (name: string) => async (request: FastifyRequest): Promise<void> => { order.push(`${name} ${request.agentRuns.owner}`) }
  const { app, call } = await build(t, {
    authorize: ({ agentRuns: { owner }, body }) => { order.push(`authorize ${owner} ${JSON.stringify(body)}`); return true },
    identify: () => { order.push('identify'); return 'alice' },
    preHandler: [note('preHandler 1'), (request, _, done) => { order.push(`preHandler 2 ${JSON.stringify(request.body)}`); done() }],
    onRequest: note('onRequest'),
    identifyIn: 'preHandler'
  })
  app.get('/of-the-host', async () => 'fine')
  t.equal((await call({ method: 'POST', url: '/sessions', payload: { id: 's' } })).status, 201)
  t.strictSame(order, ['onRequest ', 'preHandler 1 ', 'preHandler 2 {"id":"s"}', 'identify', 'authorize alice {"id":"s"}'])
  order.length = 0
  await app.inject('/of-the-host')
  t.strictSame(order, [])

  const early = await build(t, { onRequest: note('onRequest'), identify: () => { order.push('identify'); return 'bob' }, authorize: ({ agentRuns: { owner } }) => { order.push(`authorize ${owner}`); return true } })
  t.equal((await early.call('/sessions')).status, 200)
  t.strictSame(order, ['onRequest ', 'identify', 'authorize bob'])
})

test('a hook that answers or throws ends the request before anybody is identified', async (t) => {
  const identify = (): never => t.fail('identify was asked') as never
  const { call } = await build(t, { identify, identifyIn: 'preHandler', preHandler: async (_, reply) => { await reply.code(429).send({ slow: 'down' }) } })
  t.strictSame(await call('/sessions'), { status: 429, body: { slow: 'down' } })
  const throwing = await build(t, { identify, onRequest: async () => { throw Object.assign(new Error('teapot'), { statusCode: 418 }) } })
  t.match(await throwing.call('/sessions'), { status: 418, body: { message: 'teapot' } })
})

/** Each action, by requests on a session and its run. */
const REQUESTS: Array<[RunsAction, (id: string, runId: string) => InjectOptions & { url: string }]> = [
  ['create', () => ({ method: 'POST', url: '/sessions', payload: { id: 'new' } })],
  ['list', () => ({ url: '/sessions' })],
  ['list', () => ({ url: '/runs' })],
  ['read', (_, runId) => ({ url: `/runs/${runId}` })],
  ['read', (id) => ({ url: `/sessions/${id}` })],
  ['read', (id) => ({ url: `/sessions/${id}/messages` })],
  ['read', (id) => ({ url: `/sessions/${id}/events` })],
  ['read', (id) => ({ url: `/sessions/${id}/runs` })],
  ['read', (id) => ({ url: `/sessions/${id}/stream` })],
  ['update', (id) => ({ method: 'PATCH', url: `/sessions/${id}`, payload: { title: 'x' } })],
  ['send', (id) => ({ method: 'POST', url: `/sessions/${id}/messages`, payload: { content: 'x' } })],
  ['abort', (id) => ({ method: 'POST', url: `/sessions/${id}/abort` })]
]

async function buildAuthorized (t: Test, authorize: NonNullable<AgentRunsOptions['authorize']>, options: Partial<AgentRunsOptions> = {}) {
  const built = await build(t, { identify: () => 'alice', authorize, ...options })
  const { runId } = await built.app.agentRuns.startRun({ sessionId: 's', owner: 'alice', content: 'go' })
  return { ...built, runId, run: await built.agent.next() }
}

test('authorize is asked once per request, with its action and the session or null', async (t) => {
  const asked: unknown[] = []
  const { app, call, runId } = await buildAuthorized(t, (request, { action, session }) => {
    asked.push([request.method, action, session?.id, session?.owner, session?.runId])
    return false
  })
  const session = await app.agentRuns.getSession('s')
  for (const [action, request] of REQUESTS) {
    const what = request('s', runId)
    t.match(await call(what), { status: 403, body: { code: 'FORBIDDEN', message: 'This is not allowed.' } }, what.url)
    const about = action === 'create' || action === 'list' ? [undefined, undefined, undefined] : ['s', 'alice', runId]
    t.strictSame(asked.splice(0), [[what.method ?? 'GET', action, ...about]])
  }
  t.strictSame(await app.agentRuns.getSession('s'), session, 'what was refused has done nothing')
  t.strictSame((await app.agentRuns.listSessions()).sessions.length, 1)
})

test('only true is yes, whether at once or later', async (t) => {
  let answer: unknown
  const { call } = await buildAuthorized(t, (() => answer) as never)
  const status = async (value: unknown): Promise<number> => {
    answer = value
    return (await call('/sessions/s')).status
  }
  for (const yes of [true, Promise.resolve(true)]) t.equal(await status(yes), 200)
  for (const no of [false, Promise.resolve(false), undefined, null, 1, 'yes', {}]) t.equal(await status(no), 403, String(no))
})

test('an authorize that throws is an error of the host, and the route does not run', async (t) => {
  const { call, run } = await buildAuthorized(t, () => { throw new Error('no database') })
  t.strictSame(await call({ method: 'POST', url: '/sessions/s/abort' }), { status: 500, body: { statusCode: 500, error: 'Internal Server Error', message: 'no database' } })
  t.equal(run.context.signal.aborted, false)
})

test('of sessions that are not one\'s own authorize is not asked, and refusing one that is nobody\'s looks the same', async (t) => {
  const asked: unknown[] = []
  const { app, call } = await buildAuthorized(t, (_, what) => { asked.push(what); return what.session !== null })
  await app.agentRuns.createSession({ id: 'his', owner: 'bob' })
  const { runId } = await app.agentRuns.startRun({ sessionId: 'his', content: 'x' })
  t.match(await call(`/runs/${runId}`), { status: 404, body: { code: 'RUN_NOT_FOUND' } })
  t.strictSame(asked, [])
  for (const [action, request] of REQUESTS.slice(4)) {
    const his = await call(request('his', runId))
    t.equal(his.status, 404, request('his', runId).url)
    t.strictSame(asked, [], 'not asked')
    const nobodys = await call(request('none', runId))
    t.strictSame(JSON.parse(JSON.stringify(nobodys).replace('none', 'his')), his)
    t.strictSame(asked.splice(0), action === 'read' || action === 'send' ? [{ action, session: null }] : [], 'only what may begin before its session')
  }
  t.equal(await app.agentRuns.getSession('none'), null)
})

test('with leave, a message creates its session', async (t) => {
  const { app, agent, call } = await buildAuthorized(t, (_, { action }) => action === 'send')
  t.equal((await call({ method: 'POST', url: '/sessions/new/messages', payload: { content: 'x' } })).status, 202)
  t.match(await app.agentRuns.getSession('new'), { owner: 'alice' })
  ;(await agent.next()).end()
})

test('two registrations may guard themselves differently', async (t) => {
  const app: FastifyInstance = Fastify()
  t.teardown(() => app.close())
  for (const [prefix, identify] of [['/one', () => 'alice'], ['/two', () => null]] as const) {
    app.register(async (scope) => { await scope.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:', identify }) }, { prefix })
  }
  await app.ready()
  t.strictSame([(await app.inject('/one/sessions')).statusCode, (await app.inject('/two/sessions')).statusCode], [200, 401])
})

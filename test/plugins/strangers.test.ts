import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns, { type AgentRunsOptions, type RunsAction } from '../../index.ts'
import { scriptedProvider, type ScriptedRun } from '../helpers/scripted-provider.ts'

type Request = Pick<InjectOptions, 'method' | 'url' | 'payload'>

/** What a route is to a stranger. Each route of the plugin has one: a new route fails these tests until it has, too. */
interface Subject {
  action: RunsAction
  /** The request on a session, its run, and the approval for which that waits; none for routes that are about no session. */
  on?: (id: string, runId: string, requestId: string) => Request
  /** What a stranger asks for instead of what a missing session would answer, where that is something else. */
  missing?: (id: string, runId: string, requestId: string) => Request
  /** It does not end by itself, and is tried elsewhere. */
  isStream?: true
  /** What a stranger is answered, where that is not 404. */
  refused?: number
  /** What the owner is answered, where that is not 200; requests come in the order of the routes. */
  reached?: number
}

/** The id of no run, and of no approval. */
const NONE = '00000000-0000-4000-8000-000000000000'

const SUBJECTS: Record<string, Subject> = {
  'POST /sessions': { action: 'create' },
  'GET /sessions': { action: 'list' },
  'GET /runs': { action: 'list' },
  'GET /providers': { action: 'list' },
  // Of the agents' user, not of a session's owner: see routes/providers.test.ts.
  'GET /providers/:name/sessions': { action: 'list' },
  'GET /sessions/:id': { action: 'read', on: (id) => ({ method: 'GET', url: `/sessions/${id}` }) },
  'PATCH /sessions/:id': { action: 'update', on: (id) => ({ method: 'PATCH', url: `/sessions/${id}`, payload: { title: 'mine now' } }) },
  'DELETE /sessions/:id': { action: 'delete', on: (id) => ({ method: 'DELETE', url: `/sessions/${id}` }) },
  'POST /sessions/:id/messages': { action: 'send', on: (id) => ({ method: 'POST', url: `/sessions/${id}/messages`, payload: { content: 'hello' } }), reached: 409 },
  'POST /sessions/:id/abort': { action: 'abort', on: (id, runId) => ({ method: 'POST', url: `/sessions/${id}/abort`, payload: { runId } }) },
  'GET /sessions/:id/messages': { action: 'read', on: (id) => ({ method: 'GET', url: `/sessions/${id}/messages` }) },
  'GET /sessions/:id/events': { action: 'read', on: (id) => ({ method: 'GET', url: `/sessions/${id}/events` }) },
  'GET /sessions/:id/stream': {
    action: 'read',
    isStream: true,
    on: (id) => ({ method: 'GET', url: `/sessions/${id}/stream` }),
    // A missing session is waited for.
    missing: (id) => ({ method: 'GET', url: `/sessions/${id}` })
  },
  'GET /sessions/:id/runs': { action: 'read', on: (id) => ({ method: 'GET', url: `/sessions/${id}/runs` }) },
  'GET /runs/:runId': { action: 'read', on: (_, runId) => ({ method: 'GET', url: `/runs/${runId}` }) },
  'POST /sessions/:id/permissions/:requestId': {
    action: 'approve',
    on: (id, _, requestId) => ({ method: 'POST', url: `/sessions/${id}/permissions/${requestId}`, payload: { allow: true } }),
    // By then the run has been aborted.
    reached: 409
  },
  ...dialectSubjects('ai-sdk', (id) => ({ id, messages: [{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'hello' }] }], trigger: 'submit-message' })),
  ...dialectSubjects('ag-ui', (id) => ({ threadId: id, runId: 'r', messages: [{ id: 'm', role: 'user', content: 'hello' }] })),
  // Whose messages are about sessions, each of its own: see websocket-strangers.test.ts.
  'GET /ws': { action: 'connect' }
}

/** The routes of a dialect. Its clients ask before there is anything: what does not exist is empty. */
function dialectSubjects (name: string, body: (id: string) => object): Record<string, Subject> {
  return {
    [`POST /${name}`]: { action: 'send', isStream: true, on: (id) => ({ method: 'POST', url: `/${name}`, payload: body(id) }) },
    [`GET /${name}/:id/stream`]: { action: 'read', isStream: true, on: (id) => ({ method: 'GET', url: `/${name}/${id}/stream` }), refused: 204 },
    [`GET /${name}/:id/messages`]: { action: 'read', on: (id) => ({ method: 'GET', url: `/${name}/${id}/messages` }), refused: 200 }
  }
}

interface Route { name: string, isHead: boolean, action: RunsAction | undefined }

/** An app whose users say who they are, and the routes that the plugin added to it. */
async function build (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const app = Fastify()
  t.teardown(() => app.close())
  const routes: Route[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) routes.push({ name: `${each === 'HEAD' ? 'GET' : each} ${url}`, isHead: each === 'HEAD', action: config?.runsAction })
  })
  await app.register(agentRuns, {
    providers: { agent },
    store: ':memory:',
    closeGraceMs: 0,
    createOnMessage: false,
    identify: ({ headers }) => headers['x-user'] as string | undefined,
    ...options
  })
  return { app, agent, routes }
}

const as = (user: string, request: Request): InjectOptions => ({ ...request, headers: { 'x-user': user } })

/** A session `hers` of alice, with a run that is running and waits for an approval. */
async function aliceRuns (app: FastifyInstance, agent: ReturnType<typeof scriptedProvider>): Promise<{ runId: string, requestId: string, run: ScriptedRun }> {
  await app.agentRuns.createSession({ id: 'hers', owner: 'alice', title: 'Secret' })
  const { runId } = await app.agentRuns.startRun({ sessionId: 'hers', owner: 'alice', content: 'secret' })
  const run = await agent.next()
  run.context.requestPermission({ toolName: 'shell', input: 'secret' }).catch(() => {})
  for await (const event of app.agentRuns.subscribe('hers')) {
    if (event.kind === 'permission_request') return { runId, requestId: event.requestId, run }
  }
  throw new Error('the agent has not asked')
}

test('every route of the plugin names its action, and is among the subjects of these tests', async (t) => {
  const { routes } = await build(t)
  t.strictSame(Object.fromEntries(routes.map(({ name, action }) => [name, action])), Object.fromEntries(Object.entries(SUBJECTS).map(([name, { action }]) => [name, action])))
})

test('to a stranger a session does not exist, whatever the route: the answer is that of one that nobody has', async (t) => {
  const { app, agent, routes } = await build(t)
  const { runId, requestId, run } = await aliceRuns(app, agent)
  const before = JSON.stringify([await app.agentRuns.getSession('hers'), await app.agentRuns.getRun(runId)])
  for (const { name, isHead } of routes) {
    const { on, missing = on, refused = 404 } = SUBJECTS[name] ?? {}
    if (on === undefined || missing === undefined) continue
    const stranger = as('mallory', on('hers', runId, requestId))
    const nobody = as('mallory', missing('none', NONE, NONE))
    const method = isHead ? 'HEAD' as const : undefined
    const [theirs, none] = await Promise.all([stranger, nobody].map((request) => app.inject({ ...request, ...(method && { method }) })))
    t.strictSame([theirs!.statusCode, none!.statusCode], [refused, refused], `${isHead ? 'HEAD of ' : ''}${name}`)
    t.equal(theirs!.body.replaceAll('hers', 'ID').replaceAll(runId, 'ID'), none!.body.replaceAll('none', 'ID').replaceAll(NONE, 'ID'), 'the same body')
    t.strictSame(Object.keys(theirs!.headers), Object.keys(none!.headers), 'the same headers')
  }
  t.equal(JSON.stringify([await app.agentRuns.getSession('hers'), await app.agentRuns.getRun(runId)]), before, 'and nothing has happened to it')
  t.equal(run.context.signal.aborted, false)
})

test('on her own session the same requests reach their routes', async (t) => {
  const { app, agent, routes } = await build(t)
  const { runId, requestId, run } = await aliceRuns(app, agent)
  for (const { name, isHead } of routes) {
    const { on, action, isStream = false, reached = 200 } = SUBJECTS[name]!
    if (on === undefined || isHead || isStream || action === 'delete') continue
    const { statusCode } = await app.inject(as('alice', on('hers', runId, requestId)))
    t.equal(statusCode, reached, name)
  }
  await run.stopped.promise
})

test('a session that was deleted is gone to its owner, and to a stranger was never there', async (t) => {
  const { app, agent, routes } = await build(t, { authorize: () => true })
  const { runId, requestId } = await aliceRuns(app, agent)
  await app.agentRuns.deleteSession('hers')
  for (const { name, isHead } of routes) {
    const { on, missing = on, refused = 404 } = SUBJECTS[name]!
    if (on === undefined || missing === undefined || isHead || name === 'GET /runs/:runId') continue
    const theirs = await app.inject(as('mallory', on('hers', runId, requestId)))
    const none = await app.inject(as('mallory', missing('none', runId, requestId)))
    t.equal(theirs.statusCode, refused, name)
    t.equal(theirs.body.replaceAll('hers', 'ID'), none.body.replaceAll('none', 'ID'))
    t.equal((await app.inject(as('alice', on('hers', runId, requestId)))).statusCode, 410)
  }
})

test('that others follow a session until it is full is not for strangers to know', async (t) => {
  const { app } = await build(t, { limits: { subscribersPerSession: 1 } })
  await app.agentRuns.createSession({ id: 'hers', owner: 'alice' })
  const opening = await app.agentRuns.openSubscription({ sessionId: 'hers', owner: 'alice', after: 0, until: null })
  t.equal((await app.inject(as('alice', { method: 'GET', url: '/sessions/hers/stream' }))).statusCode, 429)
  t.equal((await app.inject(as('mallory', { method: 'GET', url: '/sessions/hers/stream' }))).statusCode, 404)
  opening.cancel()
})

test('lists hold what is one\'s own, and a page cannot be asked for behind somebody else\'s session', async (t) => {
  const { app, agent } = await build(t)
  await app.agentRuns.createSession({ id: 'old', owner: 'mallory' })
  await aliceRuns(app, agent)
  const get = async (user: string, url: string) => (await app.inject(as(user, { method: 'GET', url }))).json<Record<string, Array<Record<string, unknown>>>>()
  t.strictSame(await get('mallory', '/runs'), { runs: [], hasMore: false })
  t.match(await get('alice', '/runs'), { runs: [{ sessionId: 'hers' }] })
  t.strictSame((await get('mallory', '/sessions'))['sessions']!.map(({ id }) => id), ['old'])
  t.strictSame((await get('alice', '/sessions'))['sessions']!.map(({ id }) => id), ['hers'])
  t.strictSame(await get('mallory', '/sessions?before=hers'), await get('mallory', '/sessions?before=none'))
})

test('a run of somebody else\'s cannot be stopped by way of one\'s own session', async (t) => {
  const { app, agent } = await build(t)
  const { runId, run } = await aliceRuns(app, agent)
  await app.agentRuns.createSession({ id: 'mine', owner: 'mallory' })
  const { statusCode, body } = await app.inject(as('mallory', { method: 'POST', url: '/sessions/mine/abort', payload: { runId } }))
  t.match([statusCode, JSON.parse(body)], [404, { code: 'RUN_NOT_FOUND' }])
  t.equal(run.context.signal.aborted, false)
})

test('a message to a session of somebody else creates nothing and is a 404, also where messages create sessions', async (t) => {
  const { app, agent } = await build(t, { createOnMessage: true })
  await aliceRuns(app, agent)
  const { statusCode, body } = await app.inject(as('mallory', SUBJECTS['POST /sessions/:id/messages']!.on!('hers', '', '')))
  t.match([statusCode, JSON.parse(body)], [404, { code: 'SESSION_NOT_FOUND' }])
  const created = await app.inject(as('mallory', SUBJECTS['POST /sessions/:id/messages']!.on!('his', '', '')))
  t.equal(created.statusCode, 202)
  t.match(await app.agentRuns.getSession('his'), { owner: 'mallory' })
  ;(await agent.next()).end()
})

test('a message and its authorization meet the owner once more in the store', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  t.teardown(() => store.close())
  // As if the session came to be somebody else's right behind the guard.
  const { app, agent } = await build(t, {
    store,
    createOnMessage: true,
    authorize: async (_, { session }) => {
      if (session === null) await store.createSession({ id: 'late', owner: 'alice', provider: null, title: null, metadata: {} })
      return true
    }
  })
  const { statusCode, body } = await app.inject(as('mallory', { method: 'POST', url: '/sessions/late/messages', payload: { content: 'x' } }))
  t.match([statusCode, JSON.parse(body)], [404, { code: 'SESSION_NOT_FOUND' }])
  t.match(await app.agentRuns.getSession('late'), { owner: 'alice', lastSeq: 0 })
  t.ok(agent)
})

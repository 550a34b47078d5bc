import type { FastifyRequest } from 'fastify'
import { test } from 'tap'
import type { RunsAction } from '../../index.ts'
import { latch } from '../helpers/latch.ts'
import { clientFrame, type RawSocket } from '../helpers/raw-socket.ts'
import { byHeader, eventually, serveSockets } from '../helpers/serve-sockets.ts'

/** The answer to a handshake that was refused. */
async function refusal (peer: RawSocket) {
  await peer.gone()
  return { status: peer.status, body: JSON.parse(peer.body) as unknown }
}

test('nobody, who may not, and one too many are refused at the upgrade, as on any route', async (t) => {
  const { peer, peerOf, log } = await serveSockets(t, {
    identify: byHeader, authorize: ({ agentRuns: { owner } }, { action }) => action === 'connect' && owner !== 'bob', limits: { sockets: 2 }
  })
  t.strictSame(await refusal(await peer()), { status: 401, body: { statusCode: 401, code: 'UNAUTHENTICATED', error: 'Unauthorized', message: 'Authentication is required.' } })
  t.strictSame(await refusal(await peerOf('bob')), { status: 403, body: { statusCode: 403, code: 'FORBIDDEN', error: 'Forbidden', message: 'This is not allowed.' } })
  const first = await peerOf('alice')
  t.equal((await peerOf('carol')).status, 101)
  const refused = await peerOf('alice')
  t.strictSame(await refusal(refused), { status: 429, body: { statusCode: 429, code: 'TOO_MANY_SOCKETS', error: 'Too Many Requests', message: 'The server has as many WebSockets as it may.', retryAfter: 5 } })
  t.match(refused.head, /\r\nretry-after: 5\r\n/)
  t.equal((await refusal(await peerOf('bob'))).status, 403, 'that there are too many is not for everybody to know')
  first.cut()
  await eventually(async () => {
    const again = await peerOf('alice')
    return again.status === 101
  })
  t.strictSame(log, [])
})

test('there are never more sockets than may be, also if all come at once', async (t) => {
  const known = latch()
  let asked = 0
  const { peer } = await serveSockets(t, { limits: { sockets: 3 }, identify: async () => { asked++; await known.promise; return 'alice' } })
  const opening = Array.from({ length: 20 }, () => peer())
  await eventually(() => asked === 20)
  known.open()
  const statuses = (await Promise.all(opening)).map(({ status }) => status)
  t.strictSame(statuses.sort(), [...Array<number>(3).fill(101), ...Array<number>(17).fill(429)])
})

test('the host\'s hooks run before the upgrade, and may refuse it or say who comes', async (t) => {
  const order: string[] = []
  const { peer, app } = await serveSockets(t, {
    onRequest: async ({ headers }, reply) => {
      order.push('onRequest')
      if (headers['x-slow'] !== undefined) await reply.code(429).send({ slow: 'down' })
    },
    preHandler: async (request: FastifyRequest & { visitor?: string }) => {
      order.push('preHandler')
      if (request.headers['x-fail'] !== undefined) throw Object.assign(new Error('teapot'), { statusCode: 418 })
      request.visitor = 'alice'
    },
    identifyIn: 'preHandler',
    identify: (request: FastifyRequest & { visitor?: string }) => { order.push('identify'); return request.visitor },
    authorize: (_, { action }) => { order.push(action); return true }
  })
  t.strictSame(await refusal(await peer({ headers: { 'x-slow': '1' } })), { status: 429, body: { slow: 'down' } })
  t.match(await refusal(await peer({ headers: { 'x-fail': '1' } })), { status: 418, body: { message: 'teapot' } })
  order.length = 0
  const client = await peer()
  t.strictSame(order.splice(0), ['onRequest', 'preHandler', 'identify', 'connect'])
  await client.ask({ type: 'chat.send', sessionId: 's', content: 'x' }, 'chat_accepted')
  t.match(await app.agentRuns.getSession('s'), { owner: 'alice' })
  t.strictSame(order.slice(0, 1), ['send'], 'messages are no requests: hooks do not run for them, authorize does')
})

const MESSAGES: Record<string, (sessionId: string) => object> = {
  read: (sessionId) => ({ type: 'chat.subscribe', sessions: [{ sessionId }] }),
  send: (sessionId) => ({ type: 'chat.send', sessionId, content: 'x', requestId: 'r' }),
  abort: (sessionId) => ({ type: 'chat.abort', sessionId, requestId: 'r' }),
  approve: (sessionId) => ({ type: 'chat.permission-response', sessionId, requestId: 'r', allow: true })
}

test('authorize is asked about each message, with the request that opened the socket, its action and its session', async (t) => {
  const asked: Array<[string, RunsAction, string | null, string | null | undefined]> = []
  let answer: unknown = true
  const { app, agent, peerOf, log } = await serveSockets(t, {
    identify: byHeader,
    authorize: ((request: FastifyRequest, { action, session }: { action: RunsAction, session: { id: string, runId: string | null } | null }) => {
      asked.push([`${request.url} of ${request.agentRuns.owner}`, action, session?.id ?? null, session?.runId])
      return answer
    }) as never
  })
  const alice = 'alice'
  await app.agentRuns.createSession({ id: 's', owner: alice })
  const { runId } = await app.agentRuns.startRun({ sessionId: 's', owner: alice, content: 'go' })
  const run = await agent.next()
  const client = await peerOf(alice, { path: '/ws?of=hers' })
  t.strictSame(asked.splice(0), [['/ws?of=hers of alice', 'connect', null, undefined]])

  for (const no of [false, Promise.resolve(false), undefined, 1, 'yes']) {
    answer = no
    const session = JSON.stringify(await app.agentRuns.getSession('s'))
    for (const [action, message] of Object.entries(MESSAGES)) {
      client.told.length = 0
      const { sessionId, requestId, code, error } = await client.ask(message('s'))
      t.strictSame([code, error, sessionId, requestId], ['FORBIDDEN', 'This is not allowed.', 's', action === 'read' ? undefined : 'r'])
      t.strictSame(asked.splice(0), [['/ws?of=hers of alice', action, 's', runId]])
    }
    t.equal(JSON.stringify(await app.agentRuns.getSession('s')), session, 'what was refused has done nothing')
  }
  t.equal(run.context.signal.aborted, false)

  answer = true
  client.told.length = 0
  await client.ask(MESSAGES['read']!('s'), 'chat_subscribed')
  await client.ask(MESSAGES['send']!('s'))
  await client.ask(MESSAGES['approve']!('s'))
  await client.ask(MESSAGES['abort']!('s'), 'chat_aborted')
  t.strictSame(client.codes.filter((code) => code !== 'text' && code !== 'complete'), ['chat_subscribed', 'RUN_IN_PROGRESS', 'PERMISSION_NOT_FOUND', 'chat_aborted'])
  t.strictSame(asked.splice(0).map(([, action]) => action), ['read', 'send', 'approve', 'abort'])
  await client.ask({ type: 'chat.unsubscribe', sessions: [{ sessionId: 's' }] }, 'chat_unsubscribed')
  t.strictSame(asked, [], 'who wants to hear less needs no leave')
  t.strictSame(log, [])
})

test('an authorize that throws is INTERNAL_ERROR, whose words stay in the log', async (t) => {
  const { peer, log } = await serveSockets(t, { authorize: (_, { action }) => { if (action === 'connect') return true; throw new Error('no database') } })
  const client = await peer()
  t.strictSame(await client.ask(MESSAGES['send']!('s')), { kind: 'protocol_error', code: 'INTERNAL_ERROR', error: 'Something went wrong.', sessionId: 's', requestId: 'r' })
  t.strictSame(await client.ask(MESSAGES['read']!('s')), { kind: 'protocol_error', code: 'INTERNAL_ERROR', error: 'Something went wrong.', sessionId: 's' })
  t.strictSame(log.map(({ level }) => level), [50, 50])
})

test('when the identity expires each subscription ends with stream_closing, then the socket with 4401; the run goes on', async (t) => {
  const expiresAt = Date.now() + 400
  const { app, agent, peer, log } = await serveSockets(t, { heartbeatMs: 100, identify: () => ({ owner: 'alice', expiresAt }) })
  await app.agentRuns.startRun({ sessionId: 's', owner: 'alice', content: 'go' })
  const run = await agent.next()
  const client = await peer()
  client.json({ type: 'chat.subscribe', sessions: [{ sessionId: 's' }, { sessionId: 'waited-for' }] })
  await client.until(({ kinds }) => kinds.join() === 'chat_subscribed,text,chat_subscribed')
  t.equal(await client.gone(), 4401)
  t.ok(Date.now() >= expiresAt)
  t.strictSame(client.told.slice(3), ['s', 'waited-for'].map((sessionId) => ({ kind: 'stream_closing', sessionId, retryMs: 1_000 })))
  t.equal(run.context.signal.aborted, false)
  t.equal((await peer()).status, 401)
  t.strictSame(log, [])
})

test('a message that comes after the identity has expired is not served, however seldom one looks', async (t) => {
  const expiresAt = Date.now() + 300
  const { app, peer } = await serveSockets(t, { heartbeatMs: 600_000, identify: () => ({ owner: 'alice', expiresAt }) })
  const client = await peer()
  await client.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 'waited-for' }] }, 'chat_subscribed')
  await eventually(() => Date.now() >= expiresAt)
  client.send(clientFrame(JSON.stringify(MESSAGES['send']!('s'))), clientFrame(JSON.stringify(MESSAGES['read']!('s'))))
  t.equal(await client.gone(), 4401)
  t.strictSame(client.kinds, ['chat_subscribed', 'stream_closing'])
  t.equal(await app.agentRuns.getSession('s'), null)
})

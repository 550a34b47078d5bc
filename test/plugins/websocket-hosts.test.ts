/* Hosts that have WebSockets of their own, or will have them. */
import { once } from 'node:events'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyServerOptions } from 'fastify'
import { test, type Test } from 'tap'
import WebSocket from 'ws'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import { latch } from '../helpers/latch.ts'
import { clientFrame, RawSocket } from '../helpers/raw-socket.ts'
import { type ScriptedProvider, scriptedProvider } from '../helpers/scripted-provider.ts'
import { eventually } from '../helpers/serve-sockets.ts'

interface Host { app: FastifyInstance, agent: ScriptedProvider, runs: (options?: Partial<AgentRunsOptions>) => AgentRunsOptions }

function host (t: Test, server: FastifyServerOptions = {}): Host {
  const app = Fastify(server)
  t.teardown(() => app.close())
  const agent = scriptedProvider()
  return { app, agent, runs: (options = {}) => ({ providers: { agent }, store: ':memory:', closeGraceMs: 0, ...options }) }
}

const listen = (app: FastifyInstance): Promise<string> => app.listen({ port: 0, host: '127.0.0.1' })

/** A route of the host that says everything back. */
const echo: FastifyPluginAsync = async (scope) => {
  scope.get('/echo', { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(`{"kind":"echo","data":${JSON.stringify(data.toString())}}`))
  })
}

const SUBSCRIBE = { type: 'chat.subscribe', sessions: [{ sessionId: 's' }] }

/** Whether ours and the host's both work. */
async function assertServed (t: Test, url: string, paths: { ours: string[], theirs?: string }): Promise<void> {
  for (const path of paths.ours) {
    const peer = await RawSocket.open(url, { path, behind: clientFrame(JSON.stringify(SUBSCRIBE)) })
    t.equal(peer.status, 101, path)
    await peer.until(({ told }) => told.length > 0)
    t.strictSame(peer.codes, ['chat_subscribed'])
    peer.cut()
  }
  if (paths.theirs === undefined) return
  const peer = await RawSocket.open(url, { path: paths.theirs, behind: clientFrame('hello') })
  await peer.until(({ told }) => told.length > 0)
  t.strictSame(peer.told, [{ kind: 'echo', data: 'hello' }])
  peer.cut()
}

const BEFORE: Record<string, (host: Host) => unknown> = {
  'in the same scope': ({ app, runs }) => {
    app.register(websocket)
    app.register(echo)
    app.register(agentRuns, runs())
  },
  'on the root, with us in a child': ({ app, runs }) => {
    app.register(websocket)
    app.register(async (scope) => { await scope.register(agentRuns, runs()) })
    app.register(echo)
  },
  'in the child in which we are, too': ({ app, runs }) => {
    app.register(async (scope) => {
      await scope.register(websocket)
      await scope.register(echo)
      await scope.register(agentRuns, runs())
    })
  }
}

for (const [where, build] of Object.entries(BEFORE)) {
  test(`with an @fastify/websocket that was registered before us ${where} we use that of the host, whose routes go on`, async (t) => {
    const made = host(t)
    build(made)
    const url = await listen(made.app)
    t.equal(made.app.server.listenerCount('upgrade'), 1)
    await assertServed(t, url, { ours: ['/ws'], theirs: '/echo' })
  })
}

test('registrations in sibling scopes each have a WebSocket, on servers of their own or on the host\'s', async (t) => {
  for (const own of [true, false]) {
    const { app, runs } = host(t)
    if (!own) app.register(websocket)
    for (const prefix of ['/one', '/two', '/three/:tenant']) app.register(async (scope) => { await scope.register(agentRuns, runs()) }, { prefix })
    if (!own) app.register(echo)
    const url = await listen(app)
    t.equal(app.server.listenerCount('upgrade'), 1)
    await assertServed(t, url, { ours: ['/one/ws', '/two/ws', '/three/x/ws'], ...(!own && { theirs: '/echo' }) })
    // What is no WebSocket is let go there as well.
    const plain = await RawSocket.open(url, { path: '/two/sessions' })
    if (own) t.match([plain.status, plain.body], [200, '{"sessions":[],"hasMore":false}'])
    await plain.gone()
    await app.close()
  }
})

const CONFLICT = 'fastify-agent-runs shares the server with something else that takes WebSocket upgrades. Register @fastify/websocket once, in a scope around, and before fastify-agent-runs; or set "websocket: false".'

const AFTER: Record<string, (host: Host) => unknown> = {
  'after us in the same scope': ({ app, runs }) => {
    app.register(agentRuns, runs())
    app.register(websocket)
  },
  'after us, when we are there': async ({ app, runs }) => {
    await app.register(agentRuns, runs())
    await app.register(websocket)
  },
  'after us on the root, with us in a child': ({ app, runs }) => {
    app.register(async (scope) => { await scope.register(agentRuns, runs()) })
    app.register(websocket)
  },
  'before us on the side': ({ app, runs }) => {
    app.register(async (scope) => { await scope.register(websocket) })
    app.register(async (scope) => { await scope.register(agentRuns, runs()) })
  },
  'after us on the side': ({ app, runs }) => {
    app.register(async (scope) => { await scope.register(agentRuns, runs()) })
    app.register(async (scope) => { await scope.register(websocket) })
  },
  'after us, around another registration of ours': ({ app, runs }) => {
    app.register(async (scope) => { await scope.register(agentRuns, runs()) }, { prefix: '/one' })
    app.register(async (scope) => {
      await scope.register(websocket)
      await scope.register(agentRuns, runs())
    }, { prefix: '/two' })
  },
  'by hand': ({ app, runs }) => {
    app.register(agentRuns, runs())
    app.server.on('upgrade', () => {})
  }
}

for (const [where, build] of Object.entries(AFTER)) {
  test(`upgrades that are taken ${where} stop the boot with what to do about it`, async (t) => {
    const made = host(t)
    await build(made)
    await t.rejects(async () => { await made.app.ready() }, { code: 'AGENT_RUNS_WEBSOCKET_CONFLICT', message: CONFLICT })
    const listening = host(t)
    await build(listening)
    await t.rejects(listen(listening.app), { code: 'AGENT_RUNS_WEBSOCKET_CONFLICT', message: CONFLICT })
  })
}

test('without our WebSocket the host may register its own wherever it likes', async (t) => {
  const { app, runs } = host(t)
  app.register(agentRuns, runs({ websocket: false }))
  app.register(websocket)
  app.register(echo)
  const url = await listen(app)
  await assertServed(t, url, { ours: [], theirs: '/echo' })
  t.equal((await fetch(`${url}/ws`)).status, 404)
})

test('on the host\'s server its maxPayload holds, and ours is checked too', async (t) => {
  const { app, runs } = host(t)
  await app.register(websocket, { options: { maxPayload: 2_000 }, errorHandler: () => {} })
  await app.register(agentRuns, runs({ limits: { socketMessageBytes: 1_000 } }))
  const url = await listen(app)
  const peer = await RawSocket.open(url)
  const message = JSON.stringify({ type: 'chat.unsubscribe', sessions: [{ sessionId: 's' }] })
  peer.send(clientFrame(message.padEnd(1_000)))
  await peer.until(({ told }) => told.length === 1)
  peer.send(clientFrame(message.padEnd(1_001)))
  await peer.until(({ told }) => told.length === 2)
  t.strictSame(peer.told.map(({ kind, error }) => [kind, error]), [['chat_unsubscribed', undefined], ['protocol_error', 'The message is too long.']])
  peer.send(clientFrame(message.padEnd(2_001)))
  t.equal(await peer.gone(), 1009)
})

test('on the host\'s server, compression that it has is not in our way', async (t) => {
  const { app, agent, runs } = host(t)
  await app.register(websocket, { options: { perMessageDeflate: { threshold: 0 } } })
  await app.register(agentRuns, runs())
  const url = await listen(app)
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`)
  const told: string[] = []
  socket.on('message', (data: Buffer) => { told.push((JSON.parse(data.toString()) as { kind: string }).kind) })
  await once(socket, 'open')
  t.equal(socket.extensions, 'permessage-deflate')
  socket.send(JSON.stringify({ type: 'chat.send', sessionId: 's', content: 'x'.repeat(10_000) }))
  ;(await agent.next()).end()
  while (!told.includes('complete')) await once(socket, 'message')
  t.strictSame(told.filter((kind) => kind !== 'text').sort(), ['chat_accepted', 'chat_subscribed', 'complete'])
  socket.terminate()
})

test('injectWS of the host reaches our route, over no socket at all', async (t) => {
  const { app, agent, runs } = host(t)
  await app.register(websocket)
  await app.register(agentRuns, runs({ identify: ({ headers }) => headers['x-user'] as string | undefined, heartbeatMs: 100, stallTimeoutMs: 300 }))
  await app.ready()
  await t.rejects(app.injectWS('/ws'), { message: 'Unexpected server response: 401' })
  const told: Array<Record<string, unknown>> = []
  let [closed, pings] = [0, 0]
  const socket = await app.injectWS('/ws', { headers: { 'x-user': 'alice' } }, {
    onInit: (client) => {
      client.on('message', (data: Buffer) => { told.push(JSON.parse(data.toString()) as Record<string, unknown>) })
      client.on('close', (code) => { closed = code })
      // What clients do by themselves, this one does not.
      client.on('ping', (data) => {
        pings++
        client.pong(data)
      })
    }
  })
  const until = async (kind: string): Promise<void> => { while (!told.some((each) => each['kind'] === kind)) await once(socket, 'message') }
  socket.send(JSON.stringify({ type: 'chat.send', sessionId: 's', content: 'x' }))
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'y'.repeat(300_000) })
  await eventually(() => pings >= 5)
  run.end()
  await until('complete')
  t.match(await app.agentRuns.getSession('s'), { owner: 'alice' })
  await app.close()
  t.strictSame(told.map(({ kind }) => kind), ['chat_accepted', 'chat_subscribed', 'text', 'text', 'complete'])
  await eventually(() => closed !== 0)
  t.equal(closed, 1005, 'by the host\'s server, which was there first')
})

test('when the server closes, who follows a run on a server of ours hears its end, and when to come back', async (t) => {
  const { app, agent, runs } = host(t, { forceCloseConnections: false })
  await app.register(agentRuns, runs())
  const url = await listen(app)
  const peer = await RawSocket.open(url, { behind: clientFrame(JSON.stringify({ type: 'chat.send', sessionId: 's', content: 'x' })) })
  await (await agent.next()).emit({ kind: 'stream_delta', messageId: 'm', content: 'half' })
  await peer.until(({ kinds }) => kinds.includes('stream_delta'))
  const [idle, silent] = [await RawSocket.open(url), await RawSocket.open(url)]
  // It says no goodbye, and closes nothing.
  silent.stall()
  await app.close()
  t.equal(await peer.gone(), 1012)
  t.strictSame(peer.kinds, ['chat_accepted', 'chat_subscribed', 'text', 'stream_delta', 'text', 'complete', 'stream_closing'])
  t.match(peer.told.at(-2), { reason: 'interrupted' })
  t.equal(await idle.gone(), 1012)
  silent.cut()
})

for (const order of ['before', 'around']) {
  test(`when the host's server closes first (${order}), nothing is lost: clients come back to all of it`, async (t) => {
    const store = sqliteStore({ path: ':memory:' })
    t.teardown(() => store.close())
    const { app, agent, runs } = host(t, { forceCloseConnections: false })
    await app.register(websocket)
    if (order === 'before') await app.register(agentRuns, runs({ store }))
    else await app.register(async (scope) => { await scope.register(agentRuns, runs({ store })) })
    const url = await listen(app)
    const peer = await RawSocket.open(url, { behind: clientFrame(JSON.stringify({ type: 'chat.send', sessionId: 's', content: 'x' })) })
    await (await agent.next()).emit({ kind: 'stream_delta', messageId: 'm', content: 'half' })
    await peer.until(({ kinds }) => kinds.includes('stream_delta'))
    await app.close()
    await peer.gone()
    const last = Math.max(...peer.told.map(({ seq }) => Number(seq ?? 0)))
    const next = host(t)
    await next.app.register(agentRuns, next.runs({ store }))
    const again = await RawSocket.open(await listen(next.app))
    await again.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 's', lastSeq: last }] }, last === 4 ? 'chat_subscribed' : 'complete')
    const seqs = [...peer.told, ...again.told].flatMap(({ seq }) => seq === undefined ? [] : [Number(seq)])
    t.strictSame(seqs, [1, 2, 3, 4], 'once, and in order')
    again.cut()
  })
}

test('a handshake that is under way while the server closes ends with it, and hears that it may come back', async (t) => {
  const { app, runs } = host(t, { return503OnClosing: false, forceCloseConnections: false })
  const [asked, known] = [latch(), latch()]
  await app.register(agentRuns, runs({ identify: async () => { asked.open(); await known.promise; return 'alice' } }))
  let opening: Promise<RawSocket> | null = null
  // Behind ours: all others have been told, and are gone.
  app.addHook('preClose', async () => {
    known.open()
    await opening
  })
  opening = RawSocket.open(await listen(app))
  await asked.promise
  await app.close()
  const peer = await opening
  t.equal(await peer.gone(), 1012)
})

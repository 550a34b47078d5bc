import { getEventListeners } from 'node:events'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { type ClientOptions, type ConnectionState, createClient, type RunsClient } from '../../client/index.ts'
import { delta, subscribed } from '../helpers/client-frames.ts'
import { latch } from '../helpers/latch.ts'
import { openTimers } from '../helpers/open-timers.ts'
import { SocketServer } from '../helpers/socket-server.ts'
import { StreamServer } from '../helpers/stream-server.ts'
import { stateShortly, take, takeAll } from '../helpers/taken.ts'

const soon: ClientOptions = { transport: 'websocket', WebSocket, retry: { minMs: 1, maxMs: 1 } }
const of = <T extends object>(sessionId: string, frame: T): T => ({ ...frame, sessionId })

function connect (server: { url: string }, options: ClientOptions = {}): RunsClient {
  return createClient(server.url, { ...soon, ...options })
}

test('a refusal is that of its message, or of its session, and of nothing else', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const foreign = takeAll(client.follow('foreign'))
  const own = client.follow('own')
  const some = take(own, 2)
  const peer = await server.next()
  await peer.subscribed()
  await peer.subscribed()
  const sent = client.send('own', 'x')
  const { requestId } = await peer.next()
  peer.send(
    { kind: 'protocol_error', code: 'SESSION_NOT_FOUND', error: 'nowhere', sessionId: 'foreign' },
    { kind: 'protocol_error', code: 'RUN_IN_PROGRESS', error: 'busy', sessionId: 'own', requestId, runId: 'r' },
    of('own', subscribed()), of('own', delta(1))
  )
  await t.rejects(foreign, { code: 'SESSION_NOT_FOUND', message: 'nowhere', sessionId: 'foreign', statusCode: null })
  await t.rejects(sent, { code: 'RUN_IN_PROGRESS', runId: 'r' })
  t.strictSame(await some, ['chat_subscribed', 1])
  await own.return(undefined)
})

test('a subscription that is refused for now comes back, when it is told to', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const waited = latch<ConnectionState>()
  const subscription = client.subscribe('s', () => {}, { onState: (state) => { if (state.status === 'waiting') waited.open(state) } })
  const peer = await server.next()
  await peer.subscribed()
  peer.send({ kind: 'protocol_error', code: 'TOO_MANY_SUBSCRIBERS', error: 'full', sessionId: 's', retryAfter: 60 })
  const state = await waited.promise
  t.ok(state.status === 'waiting' && state.delayMs >= 60_000 && state.error.code === 'TOO_MANY_SUBSCRIBERS')
  subscription.close()
  await peer.closed
})

for (const [code, reason] of [[1008, 'TOO_MANY_MESSAGES'], [4401, 'UNAUTHENTICATED']] as const) {
  test(`a WebSocket that is closed with ${code} is not made anew`, async (t) => {
    const server = await SocketServer.open(t)
    const timers = openTimers(t)
    const client = connect(server)
    const all = takeAll(client.follow('s'))
    const peer = await server.next()
    await peer.subscribed()
    const sent = client.send('s', 'x')
    await peer.next()
    peer.close(code)
    await t.rejects(all, { code: reason })
    await t.rejects(sent, { code: reason })
    t.equal(server.handshakes, 1)
    t.equal(timers.count, 0)
  })
}

test('who may not open a WebSocket learns why from the route; a server that is not there is tried again', async (t) => {
  const server = await SocketServer.open(t)
  const states: string[] = []
  server.refusal = { status: 502, body: '<h1>Later</h1>' }
  const refused = latch()
  const client = connect(server)
  const all = takeAll(client.follow('s', {
    onState: (state) => {
      states.push(stateShortly(state))
      if (state.status === 'waiting') refused.open()
    }
  }))
  await refused.promise
  server.refusal = { status: 401, body: '{"statusCode":401,"code":"UNAUTHENTICATED","message":"Who are you?"}' }
  await t.rejects(all, { code: 'UNAUTHENTICATED', statusCode: 401, message: 'Who are you?' })
  t.strictSame(states.slice(0, 3), ['connecting 0', 'waiting 1 NETWORK', 'connecting 1'])
})

test('many sessions that lost their WebSocket do not each try for a new one', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server, { retry: { minMs: 20, maxMs: 20, attempts: 2 } })
  server.refusal = { status: 502, body: '' }
  const all = Array.from({ length: 50 }, (_, index) => takeAll(client.follow(`s${index}`)).catch(({ code }: { code: string }) => code))
  t.strictSame(await Promise.all(all), all.map(() => 'NETWORK'))
  t.ok(server.handshakes <= 6, `${server.handshakes} handshakes of 50 sessions, which tried thrice`)
})

test('a silent connection is asked for a sign of life, and given up if there is none', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server, { idleTimeoutMs: 300 })
  const states: string[] = []
  const some = take(client.follow('s', { onState: (state) => states.push(stateShortly(state)) }), 2)
  const first = await server.next()
  await first.subscribed()
  first.send(subscribed())
  while (first.probes < 3) await new Promise<void>((resolve) => setImmediate(resolve))
  t.strictSame(states, ['connecting 0', 'live'], 'one that answers stays')
  first.answersProbes = false
  const second = await server.next()
  await first.closed
  await second.subscribed()
  second.send(subscribed())
  t.strictSame(await some, ['chat_subscribed', 'chat_subscribed'])
  t.strictSame(states, ['connecting 0', 'live', 'waiting 1 NETWORK', 'connecting 1', 'live'])
  client.close()
})

test('what is no frame breaks the connection; what is about nobody, and refused, ends all', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const states: string[] = []
  const all = takeAll(client.follow('s', { onState: (state) => states.push(stateShortly(state)) }))
  for (const text of ['{', '7', '{"seq":1}']) {
    const peer = await server.next()
    await peer.subscribed()
    peer.text(text)
  }
  const peer = await server.next()
  await peer.subscribed()
  peer.send({ kind: 'protocol_error', code: 'INVALID_MESSAGE', error: 'what?' })
  await t.rejects(all, { code: 'INVALID_MESSAGE' })
  t.strictSame(states.filter((state) => state.startsWith('waiting')), ['waiting 1 BAD_FRAME', 'waiting 2 BAD_FRAME', 'waiting 3 BAD_FRAME'])
})

test('a signal ends what waits for a WebSocket that does not open', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const stop = new AbortController()
  let closes = 0
  const made = latch()
  class Silent {
    onopen = null
    onmessage = null
    onerror = null
    onclose = null
    constructor () { made.open() }
    send (): void {}
    close (): void { closes++ }
  }
  const client = connect(server, { WebSocket: Silent })
  const sent = client.send('s', 'x', { signal: stop.signal })
  const followed = takeAll(client.follow('s', { signal: stop.signal }))
  await made.promise
  stop.abort(new RangeError('mine'))
  await t.rejects(sent, RangeError)
  t.strictSame(await followed, [])
  t.equal(closes, 1)
  t.equal(timers.count, 0)
  t.equal(getEventListeners(stop.signal, 'abort').length, 0)
})

test('where there is no WebSocket, that is said at once', async (t) => {
  const { WebSocket: global } = globalThis as { WebSocket?: unknown }
  Reflect.deleteProperty(globalThis, 'WebSocket')
  t.teardown(() => { if (global !== undefined) Object.assign(globalThis, { WebSocket: global }) })
  t.throws(() => createClient('http://127.0.0.1:1', { transport: 'websocket' }), { name: 'TypeError', message: /package ws/ })
})

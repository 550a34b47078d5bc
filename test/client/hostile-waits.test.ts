/* A server that wants the client back at once, or never: the client's back-off decides how often it is asked. */
import type { ServerResponse } from 'node:http'
import { test, type Test } from 'tap'
import { WebSocket } from 'ws'
import { type ConnectionState, createClient, follow, type FollowOptions } from '../../client/index.ts'
import { delta, gap, subscribed } from '../helpers/client-frames.ts'
import { heldPauses } from '../helpers/held-pauses.ts'
import { hostileServer, onWire, stream } from '../helpers/hostile-server.ts'
import { latch } from '../helpers/latch.ts'
import { SocketServer } from '../helpers/socket-server.ts'
import { takeAll } from '../helpers/taken.ts'

const closing = (retryMs?: unknown): object => ({ kind: 'stream_closing', sessionId: 's', retryMs })
const GROWING = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]

/** Each wait has its least length, and up to half of it more. */
function assertWaits (t: Test, waits: number[], least: number[]): void {
  t.ok(waits.length === least.length && waits.every((ms, index) => ms >= least[index]! && ms <= 1.5 * least[index]!), JSON.stringify({ waits, least }))
}

/** Follows a server that answers each request by `answer`: how long the client waits, so many times. A request more than waits is a failure. */
async function waitsOf (t: Test, times: number, answer: (response: ServerResponse, request: number) => void, options: FollowOptions = {}): Promise<number[]> {
  const pauses = heldPauses(t)
  const server = await hostileServer(t, (_request, response) => answer(response, server.asked.length))
  const items = follow(server.url, options)
  const all = takeAll(items)
  const waits: number[] = []
  while (waits.length < times) {
    const { ms, end } = await pauses.next()
    waits.push(ms)
    if (server.asked.length !== waits.length) t.fail(`${server.asked.length} requests and ${waits.length} waits`)
    if (waits.length < times) end()
  }
  await items.return(undefined)
  await all
  t.equal(server.asked.length, times)
  return waits
}

const FRUITLESS: Array<[name: string, text: string]> = [
  ['is empty', ''],
  ['wants the client back at once', 'retry: 0\n\n'],
  ['says hello', onWire(subscribed())],
  ['closes', onWire(closing(0))],
  ['says hello, wants the client back at once, and closes', `retry: 0\n\n${onWire(subscribed(), closing(0))}`],
  ...[-1, '0', '-1', null, [], {}, true, undefined].map((retryMs): [string, string] => [`closes with retryMs ${JSON.stringify(retryMs)}`, onWire(subscribed(), closing(retryMs))]),
  ['closes with -Infinity', 'data: {"kind":"stream_closing","retryMs":-1e999}\n\n'],
  ['has the same event each time', onWire(subscribed(), delta(1))],
  ['has another log each time', onWire(subscribed(), gap('ahead', 1, 2), delta(1), delta(2))],
  ['has frames that only a later version knows', onWire({ kind: 'news' }, { kind: 'more_news' })],
  ['has what is no frame', onWire(subscribed(), 7)]
]

for (const [name, text] of FRUITLESS) {
  test(`a stream that ${name} and ends is asked for again ever less often`, async (t) => {
    assertWaits(t, await waitsOf(t, GROWING.length, (response) => { stream(response, text).end() }, { cursor: name.includes('same event') ? 1 : 0 }), GROWING)
  })
}

test('what is new makes the wait short again', async (t) => {
  // Every third connection has one event more.
  const waits = await waitsOf(t, 7, (response, request) => {
    const seq = Math.ceil(request / 3)
    stream(response, onWire(subscribed({ cursor: Math.floor((request + 1) / 3) }), delta(seq))).end()
  })
  assertWaits(t, waits, [500, 1_000, 2_000, 500, 1_000, 2_000, 500])
})

test('a connection that has held for ten seconds makes the wait short again, though the session was silent', async (t) => {
  let heldMs = 0
  const { now } = performance
  performance.now = () => now.call(performance) + heldMs
  t.teardown(() => { performance.now = now })
  let open: ServerResponse
  let requests = 0
  const onState = ({ status }: ConnectionState): void => {
    if (status !== 'live') return
    if (requests === 4) heldMs += 10_000
    open.end()
  }
  const waits = await waitsOf(t, 5, (response, request) => {
    requests = request
    open = stream(response, onWire(subscribed()))
  }, { onState })
  assertWaits(t, waits, [500, 1_000, 2_000, 500, 1_000])
})

for (const [text, least] of [
  ['retry: 10', 500], ['retry: 2000', 2_000], [`retry: ${'9'.repeat(30)}`, 30_000], [`retry: ${'9'.repeat(400)}`, 30_000], ['retry: -5', 500], ['retry: 1e9', 500],
  [onWire(closing(1e300)), 30_000], ['data: {"kind":"stream_closing","retryMs":1e999}', 30_000], [onWire(closing(2 ** 31)), 30_000]
] as const) {
  test(`${text.trim().slice(0, 60)}: the first wait is ${least} ms`, async (t) => {
    assertWaits(t, await waitsOf(t, 1, (response) => { stream(response, `${text}\n\n`).end() }), [least])
  })
}

const FIVE_MINUTES = 300_000

for (const [header, least] of [
  ['0', 500], ['120', 120_000], ['301', FIVE_MINUTES], ['99999999', FIVE_MINUTES], ['9'.repeat(400), FIVE_MINUTES], ['-1', 500], ['1e9', 500], ['Infinity', 500], ['soon', 500], ['0x10', 500], ['', 500], ['2099-10-21T07:28:00Z', 500],
  ['Wed, 21 Oct 2099 07:28:00 GMT', FIVE_MINUTES], ['Wed, 21 Oct 2015 07:28:00 GMT', 500], ['Wed, 99 Oct 2099 99:28:00 GMT', 500]
] as const) {
  test(`Retry-After: ${header.slice(0, 60)}: the wait is ${least} ms, of a stream and of a request`, async (t) => {
    assertWaits(t, await waitsOf(t, 1, (response) => { response.writeHead(503, { 'retry-after': header }).end() }), [least])
    const pauses = heldPauses(t)
    const server = await hostileServer(t, (_request, response) => { response.writeHead(503, { 'retry-after': header }).end() })
    const client = createClient(server.url)
    const asked = client.listSessions().catch(({ code }: { code: string }) => code)
    assertWaits(t, [(await pauses.next()).ms], [least])
    client.close()
    t.equal(await asked, 'CLOSED')
    t.equal(server.asked.length, 1)
  })
}

test('a Retry-After that is a date is the time until then', async (t) => {
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => Date.UTC(2030, 0, 1, 12, 0, 0)
  assertWaits(t, await waitsOf(t, 1, (response) => { response.writeHead(429, { 'retry-after': 'Tue, 01 Jan 2030 12:01:30 GMT' }).end() }), [90_000])
})

for (const [retryAfter, least, told] of [
  ['7', 7_000, 7], ['1e999', FIVE_MINUTES, 86_400], ['1e300', FIVE_MINUTES, 86_400], ['-1', 500, undefined], ['"7"', 500, undefined], ['null', 500, undefined], ['[9]', 500, undefined], ['0.0001', 500, 0.0001]
] as const) {
  test(`retryAfter: ${retryAfter} in an error: the wait is ${least} ms, and the error says ${told}`, async (t) => {
    const body = `{"statusCode":503,"code":"STORE_UNAVAILABLE","message":"no","retryAfter":${retryAfter},"runId":[]}`
    const told503 = (response: ServerResponse): void => { response.writeHead(503).end(body) }
    assertWaits(t, await waitsOf(t, 1, told503), [least])
    const server = await hostileServer(t, (_request, response) => told503(response))
    const error: unknown = await createClient(server.url, { retry: { attempts: 0 } }).listSessions().catch((reason: unknown) => reason)
    t.match(error, { code: 'STORE_UNAVAILABLE', retryAfter: told, runId: undefined })
  })
}

test('an error of the server cannot have a code that is the client\'s', async (t) => {
  for (const code of ['NETWORK', 'HOLE', 'BAD_FRAME', 'CLOSED', 'RESPONSE_TOO_LARGE']) {
    const server = await hostileServer(t, (_request, response) => { response.writeHead(403).end(JSON.stringify({ statusCode: 403, code, message: 'no' })) })
    await t.rejects(takeAll(follow(server.url)), { code: 'HTTP_ERROR', statusCode: 403 }, code)
    t.equal(server.asked.length, 1)
  }
})

for (const [name, frames] of [['at once', []], ['behind its hello', [subscribed()]], ['behind what is no frame of a session', [{ kind: 'chat_subscribed', sessionId: 's' }]]] as const) {
  test(`a WebSocket that is closed ${name} is made anew ever less often, once for all sessions`, async (t) => {
    const server = await SocketServer.open(t)
    const pauses = heldPauses(t)
    const { now } = performance
    performance.now = () => 0
    t.teardown(() => { performance.now = now })
    const client = createClient(server.url, { transport: 'websocket', WebSocket })
    const sessions = ['s', 'other', 'third']
    const all = sessions.map((sessionId) => takeAll(client.follow(sessionId)))
    for (const [times, least] of [500, 1_000, 2_000, 4_000].entries()) {
      const peer = await server.next()
      await Promise.all(sessions.map(() => peer.subscribed()))
      peer.send(...frames).close(1000)
      // Each waits for itself; the first then waits for the socket.
      const own = await Promise.all(sessions.map(() => pauses.next()))
      t.equal(server.handshakes, times + 1)
      assertWaits(t, own.map(({ ms }) => ms), own.map(() => least))
      for (const { end } of own) end()
      const ofSocket = await pauses.next()
      assertWaits(t, [ofSocket.ms], [least])
      t.equal(server.handshakes, times + 1)
      ofSocket.end()
    }
    client.close()
    await Promise.all(all)
  })
}

test('a WebSocket that was of use is made anew soon', async (t) => {
  const server = await SocketServer.open(t)
  const pauses = heldPauses(t)
  const { now } = performance
  performance.now = () => 0
  t.teardown(() => { performance.now = now })
  const client = createClient(server.url, { transport: 'websocket', WebSocket })
  const all = takeAll(client.follow('s'))
  for (let seq = 1; seq <= 3; seq++) {
    const peer = await server.next()
    await peer.subscribed()
    peer.send(subscribed({ cursor: seq - 1 }), delta(seq)).close(1000)
    for (let waits = 1; waits <= 2; waits++) {
      const { ms, end } = await pauses.next()
      assertWaits(t, [ms], [500])
      end()
    }
  }
  client.close()
  t.strictSame(await all, ['chat_subscribed', 1, 'chat_subscribed', 2, 'chat_subscribed', 3])
})

test('a WebSocket that has held for ten seconds is made anew soon, and so is one that has answered', async (t) => {
  const server = await SocketServer.open(t)
  const pauses = heldPauses(t)
  let time = 0
  const { now } = performance
  performance.now = () => time
  t.teardown(() => { performance.now = now })
  const client = createClient(server.url, { transport: 'websocket', WebSocket })
  let live = latch()
  const all = takeAll(client.follow('s', { onState: ({ status }) => { if (status === 'live') live.open() } }))
  for (const [kind, own, ofSocket] of [['hello', 500, 500], ['hello', 1_000, 1_000], ['answer', 2_000, 500], ['hello', 4_000, 1_000], ['hold', 500, 500]] as const) {
    const peer = await server.next()
    await peer.subscribed()
    peer.send(subscribed())
    if (kind === 'answer') {
      const sent = client.send('s', 'x')
      const { requestId } = await peer.next()
      peer.send({ kind: 'chat_accepted', requestId, sessionId: 's', runId: 'r', cursor: 0, status: 'running' })
      await sent
    }
    await live.promise
    live = latch()
    if (kind === 'hold') time += 10_000
    peer.close(1000)
    for (const least of [own, ofSocket]) {
      const { ms, end } = await pauses.next()
      assertWaits(t, [ms], [least])
      end()
    }
  }
  client.close()
  await all
})

for (const [retryAfter, least] of [[60, 60_000], [1e300, FIVE_MINUTES], [0, 500]] as const) {
  test(`a subscription that is refused with retryAfter ${retryAfter} waits ${least} ms`, async (t) => {
    const server = await SocketServer.open(t)
    const pauses = heldPauses(t)
    const client = createClient(server.url, { transport: 'websocket', WebSocket })
    const all = takeAll(client.follow('s'))
    const peer = await server.next()
    await peer.subscribed()
    peer.send({ kind: 'protocol_error', code: 'TOO_MANY_SUBSCRIBERS', error: 'full', sessionId: 's', retryAfter })
    assertWaits(t, [(await pauses.next()).ms], [least])
    client.close()
    await all
  })
}

/* A server that sends too much over a WebSocket, in one message or faster than the consumer takes it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { test, type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { FrameBuffer } from '../../client/frame-buffer.ts'
import { type ClientOptions, createClient, type RunsClientError, type WebSocketConstructor } from '../../client/index.ts'
import { delta, deltas, event, subscribed } from '../helpers/client-frames.ts'
import { heldPauses } from '../helpers/held-pauses.ts'
import { SocketServer } from '../helpers/socket-server.ts'
import { take, takeAll } from '../helpers/taken.ts'

const KIB = 1024
const MIB = 1024 * KIB
const soon: ClientOptions = { transport: 'websocket', WebSocket, retry: { minMs: 1, maxMs: 1 } }
const large = (seq: number, length: number): object => ({ ...delta(seq), content: 'x'.repeat(length) })
const { WebSocket: GlobalWebSocket } = globalThis as unknown as { WebSocket: WebSocketConstructor }

/** A server of WebSockets that does `serve` with each, on bare `ws`; counts handshakes and the bytes that went out. */
async function bareServer (t: Test, serve: (socket: WebSocket) => void, options: object = {}) {
  const http = createServer()
  const sockets = new WebSocketServer({ server: http, ...options })
  const connections: Socket[] = []
  const closed: Array<Promise<unknown>> = []
  http.on('connection', (socket) => {
    connections.push(socket)
    closed.push(new Promise((resolve) => { socket.once('close', resolve) }))
    socket.on('error', () => {})
  })
  sockets.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.once('message', () => serve(socket))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    for (const connection of connections) connection.destroy()
    http.close()
  })
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    connections,
    closed: () => Promise.all(closed),
    get bytes () { return connections.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0) }
  }
}

/** Sends fragments of one message without end, as fast as they are taken. */
function endless (socket: WebSocket): void {
  let sent = 0
  const more = (): void => {
    if (socket.readyState !== WebSocket.OPEN || sent >= 64 * MIB) return
    sent += 64 * KIB
    socket.send('x'.repeat(64 * KIB), { fin: false, compress: false }, more)
  }
  more()
}

test('a message that does not end is cut at the bound, and ends everything that uses the WebSocket', async (t) => {
  const server = await bareServer(t, endless)
  const client = createClient(server.url, { ...soon, maxResponseBytes: MIB })
  const errors = await Promise.all([takeAll(client.follow('s')), takeAll(client.follow('other')), client.send('s', 'x')].map((all) => all.then(() => null, ({ code }: RunsClientError) => code)))
  t.strictSame(errors, ['RESPONSE_TOO_LARGE', 'RESPONSE_TOO_LARGE', 'RESPONSE_TOO_LARGE'])
  await server.closed()
  t.equal(server.connections.length, 1, 'it would come again')
  // What the two sockets hold between them is not the client's.
  t.ok(server.bytes < 32 * MIB, `${server.bytes}`)
})

test('a compressed message counts by what it becomes', async (t) => {
  const server = await bareServer(t, (socket) => socket.send('x'.repeat(32 * MIB)), { perMessageDeflate: true })
  const client = createClient(server.url, soon)
  await t.rejects(takeAll(client.follow('s')), { code: 'RESPONSE_TOO_LARGE' })
  await server.closed()
  t.equal(server.connections.length, 1)
  t.ok(server.bytes < MIB, `${server.bytes}`)
})

for (const [name, Constructor] of [['ws', WebSocket], ['Node', GlobalWebSocket]] as const) {
  test(`of ${name}: a message up to the bound comes, and one above it is the end`, async (t) => {
    const server = await SocketServer.open(t)
    const client = createClient(server.url, { ...soon, WebSocket: Constructor, maxResponseBytes: 100_000 })
    const items = client.follow('s')
    const some = take(items, 2)
    const peer = await server.next()
    await peer.subscribed()
    const most = 100_000 - JSON.stringify(large(1, 0)).length
    peer.send(subscribed(), large(1, most))
    t.strictSame(await some, ['chat_subscribed', 1])
    const next = items.next()
    peer.send(large(2, most + 1))
    await t.rejects(next, { code: 'RESPONSE_TOO_LARGE', statusCode: null })
    await peer.closed
    t.equal(server.handshakes, 1)
  })
}

test('with ws, a server that breaks the protocol and ignores the closing handshake is cut off', async (t) => {
  const server = await bareServer(t, (socket) => {
    socket.pause()
    socket.send('{')
    const [connection] = server.connections
    // A message of 60 KiB, not masked, as servers send it.
    const message = Buffer.concat([Buffer.from([0x81, 126, 0xf0, 0x00]), Buffer.alloc(60 * KIB, 'x')])
    const more = (): void => {
      if (server.bytes < 64 * MIB && !connection!.destroyed) connection!.write(message, more)
    }
    more()
  })
  const client = createClient(server.url, { ...soon, retry: { attempts: 0 } })
  await t.rejects(takeAll(client.follow('s')), { code: 'BAD_FRAME' })
  await server.closed()
  t.ok(server.bytes < 32 * MIB, `${server.bytes}`)
})

test('a buffer keeps 1 MiB or 8,192 frames behind the first', async (t) => {
  const filled = (size: number): number => {
    const buffer = new FrameBuffer()
    let frames = 1
    while (buffer.push({}, size) && frames < 100_000) frames++
    t.notOk(buffer.push({}, size))
    t.notOk(buffer.isOpen)
    return frames
  }
  t.equal(filled(MIB), 2)
  t.equal(filled(300_000), 5)
  t.equal(filled(30), 8 * KIB)
  t.equal(filled(0), 8 * KIB)
})

test('frames that were taken make room for new ones', async (t) => {
  const buffer = new FrameBuffer()
  const frames = buffer.frames()
  for (let rounds = 0; rounds < 20; rounds++) {
    for (let index = 0; index < 4; index++) t.ok(buffer.push({}, 300_000))
    for (let index = 0; index < 4; index++) await frames.next()
  }
  t.ok(buffer.isOpen)
})

test('while the consumer takes nothing, frames beyond the buffer are dropped, and asked for later', async (t) => {
  const server = await SocketServer.open(t)
  const client = createClient(server.url, soon)
  const items = client.follow('s')
  const first = take(items, 1)
  const peer = await server.next()
  await peer.subscribed()
  peer.send(subscribed(), ...deltas(1, 12_000))
  t.strictSame(await first, ['chat_subscribed'])
  await peer.unsubscribed('s')
  const kept = await take(items, 5_000)
  t.strictSame(kept, Array.from({ length: 5_000 }, (_, index) => index + 1))
  let last = 5_000
  const rest = (async () => {
    for await (const item of items) {
      if ('seq' in item) last = item.seq
      else return last
    }
  })()
  const cursors = await peer.subscribed()
  t.equal(cursors['s'], last, 'it goes on from what was taken last')
  t.ok(last < 10_000, `${last} of 12000`)
  peer.send(subscribed({ cursor: last }))
  t.equal(await rest, last)
  client.close()
  t.equal(server.handshakes, 1)
})

test('a chat_subscribed above 1 MiB does not keep a session from going on', async (t) => {
  const server = await SocketServer.open(t)
  const client = createClient(server.url, soon)
  const items = client.follow('s')
  const some = take(items, 3)
  const peer = await server.next()
  await peer.subscribed()
  const pendingPermissions = [1, 2, 3].map((seq) => event(seq, 'permission_request', { requestId: `q${seq}`, toolName: 't', input: 'x'.repeat(700_000) }))
  peer.send(subscribed({ cursor: 0, lastSeq: 9, pendingPermissions }), ...deltas(1, 2))
  t.strictSame(await some, ['chat_subscribed', 1, 2])
  client.close()
  t.equal(server.handshakes, 1)
})

test('a session that fills the buffer without a new event is asked for ever less often', async (t) => {
  const server = await SocketServer.open(t)
  const pauses = heldPauses(t)
  const client = createClient(server.url, { ...soon, retry: { minMs: 500 } })
  const items = client.follow('s', { cursor: 9 })
  let next = take(items, 1)
  for (const least of [500, 1_000, 2_000]) {
    const peer = await server.next()
    t.strictSame(await peer.subscribed(), { s: 9 })
    peer.send(subscribed({ cursor: 9 }))
    t.strictSame(await next, ['chat_subscribed'])
    // While nobody takes anything: what there was already, again and again.
    peer.send(...Array.from({ length: 9 }, (_, index) => large(index + 1, 200_000)))
    while (peer.unsubscriptions < 2) await new Promise<void>((resolve) => { setImmediate(resolve) })
    next = take(items, 1)
    const { ms, end } = await pauses.next()
    t.ok(ms >= least && ms <= 1.5 * least, `${ms}`)
    end()
  }
  client.close()
  t.strictSame(await next, ['END'])
})

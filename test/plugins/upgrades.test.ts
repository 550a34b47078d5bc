import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { test, type Test } from 'tap'
import WebSocket from 'ws'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import { CERT, KEY } from '../helpers/certificate.ts'
import { clientFrame, handshake, RawSocket } from '../helpers/raw-socket.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { eventually } from '../helpers/serve-sockets.ts'

/** An app of a host that has routes of its own. */
async function serve (t: Test, options: Partial<AgentRunsOptions> = {}, server: FastifyServerOptions = {}) {
  const app: FastifyInstance = Fastify(server)
  t.teardown(() => app.close())
  app.get('/plain', async ({ headers }) => ({ agent: headers['user-agent'] }))
  app.post('/plain', async ({ body }) => body)
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:', closeGraceMs: 0, ...options })
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

const H2C = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA', 'sec-websocket-version': '', 'sec-websocket-key': '', 'user-agent': 'Java-http-client/21' }

test('who would rather speak HTTP/2 is served as if it had not said so, with its body, on every route', async (t) => {
  const { app, url } = await serve(t)
  const get = await RawSocket.open(url, { path: '/plain', headers: H2C })
  await get.answered()
  get.cut()
  t.match([get.status, JSON.parse(get.body)], [200, { agent: 'Java-http-client/21' }])
  const json = JSON.stringify({ content: 'x'.repeat(200_000) })
  for (const path of ['/plain', '/sessions/s/messages']) {
    const headers = { ...H2C, 'content-type': 'application/json', 'content-length': String(json.length) }
    const post = new RawSocket(url, handshake({ method: 'POST', path, headers, behind: Buffer.from(json.slice(0, 10)) }))
    // The rest comes later, in packets of its own.
    post.send(Buffer.from(json.slice(10)))
    await post.answered()
    post.cut()
    t.equal(post.status, path === '/plain' ? 200 : 202, path)
    if (path === '/plain') t.equal(post.body, json)
  }
  t.match(await app.agentRuns.getSession('s'), { isProcessing: true })
  const websocket = await RawSocket.open(url, { path: '/plain', method: 'POST', headers: { 'content-length': '2', 'content-type': 'application/json' }, behind: Buffer.from('{}') })
  await websocket.answered()
  websocket.cut()
  t.strictSame([websocket.status, websocket.body], [200, '{}'], 'a POST is none to become a WebSocket')
})

test('what follows a request that was no upgrade is not taken for another one', async (t) => {
  const { app, url } = await serve(t)
  const seen: string[] = []
  app.server.on('request', ({ url }) => { seen.push(url!) })
  const peer = await RawSocket.open(url, { path: '/plain', headers: H2C, behind: Buffer.from('GET /sessions HTTP/1.1\r\nhost: x\r\n\r\n') })
  await peer.answered()
  peer.cut()
  t.strictSame(seen, ['/plain'])
})

test('over TLS too', async (t) => {
  const { url } = await serve(t, {}, { https: { key: KEY, cert: CERT } } as FastifyServerOptions)
  const { port } = new URL(url)
  const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false })
  let answer = ''
  const whole = /^HTTP\/1.1 200 [^]*\{"a":1\}$/
  socket.setEncoding('utf8').on('data', (text: string) => { answer += text })
  socket.write(handshake({ method: 'POST', path: '/plain', headers: { ...H2C, 'content-type': 'application/json', 'content-length': '7' }, behind: Buffer.from('{"a":1}') }))
  while (!whole.test(answer)) await once(socket, 'data')
  socket.destroy()
  t.match(answer, whole)
  const websocket = new WebSocket(`wss://127.0.0.1:${port}/ws`, { rejectUnauthorized: false })
  await once(websocket, 'open')
  websocket.terminate()
})

test('a WebSocket to what is none gets a plain answer and is let go: it holds up neither itself nor the end of the server', async (t) => {
  const { app, url } = await serve(t, {}, { forceCloseConnections: false })
  for (const [path, status] of Object.entries({ '/plain': 200, '/none': 404, '/sessions': 200, '/sessions/none': 404, '/runs': 200, '/ws/more': 404, '/ws?x=1': 101 })) {
    const peer = await RawSocket.open(url, { path })
    t.equal(peer.status, status, path)
    if (status === 101) peer.cut()
    await peer.gone()
  }
  // They keep their side open, and never close it.
  const patient = await Promise.all(['/plain', '/none', '/sessions', '/sessions/s/stream'].map((path) => RawSocket.open(url, { path })))
  await app.close()
  await Promise.all(patient.map((peer) => peer.gone()))
})

test('a WebSocket to a stream is a stream like any: its reader may be slow, and may go without a word', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serve(t, { providers: { agent }, limits: { subscribersPerSession: 1 } })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  for (let index = 0; index < 20; index++) await run.emit({ kind: 'text', content: 'x'.repeat(500_000) })
  // More than sockets hold: it has to wait for room.
  const slow = await RawSocket.open(url, { path: '/sessions/s/stream' })
  slow.stall()
  run.end()
  await eventually(async () => !await app.agentRuns.isProcessing('s'))
  slow.socket.resume()
  await slow.until(({ body }) => body.slice(-2_000).includes('"kind":"complete"'))
  t.equal((await fetch(`${url}/sessions/s/stream`)).status, 429)
  // Only that it will send no more: who is not read from is not heard to say so.
  slow.socket.end()
  await eventually(async () => {
    const response = await fetch(`${url}/sessions/s/stream`)
    await response.body?.cancel()
    return response.status === 200
  })
})

test('a handshake that is broken is a plain answer too', async (t) => {
  const { app, url } = await serve(t)
  for (const [headers, status] of [
    [{ 'sec-websocket-key': '' }, 400], [{ 'sec-websocket-key': 'short' }, 400], [{ 'sec-websocket-version': '7' }, 400], [{ 'sec-websocket-version': '' }, 400],
    [{ 'sec-websocket-protocol': '@' }, 400], [{ upgrade: 'WebSocket' }, 101], [{ 'sec-websocket-protocol': 'a, b' }, 101], [{ 'sec-websocket-extensions': 'permessage-deflate' }, 101]
  ] as Array<[Record<string, string>, number]>) {
    const peer = await RawSocket.open(url, { headers })
    t.equal(peer.status, status, JSON.stringify(headers))
    t.notMatch(peer.head, /extensions/i, 'nothing is compressed: what is shared goes out as it is')
    if (status === 101) peer.cut()
    await peer.gone()
  }
  await app.close()
})

test('who comes over plain HTTP is told to upgrade', async (t) => {
  const { url } = await serve(t)
  const response = await fetch(`${url}/ws`)
  t.strictSame([response.status, response.headers.get('upgrade'), await response.json()], [426, 'websocket', { statusCode: 426, code: 'UPGRADE_REQUIRED', error: 'Upgrade Required', message: 'This is a WebSocket.' }])
  t.equal((await fetch(`${url}/ws`, { method: 'HEAD' })).status, 404)
  t.equal((await fetch(`${url}/ws`, { method: 'POST' })).status, 404)
})

test('without the WebSocket there is no route for it, and nobody listens for upgrades', async (t) => {
  for (const options of [{ websocket: false }, { routes: false }]) {
    const { app, url } = await serve(t, options)
    t.equal((await fetch(`${url}/ws`)).status, 404)
    const peer = await RawSocket.open(url)
    t.equal(peer.status, 404, 'Node takes it for plain HTTP')
    peer.cut()
    t.equal(app.server.listenerCount('upgrade'), 0)
  }
})

test('on every address of a name it is the same', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:' })
  await app.listen({ port: 0, host: 'localhost' })
  for (const { address, port, family } of app.addresses() as AddressInfo[]) {
    const socket = new WebSocket(`ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/ws`)
    await once(socket, 'open')
    socket.send('{}')
    t.match(String((await once(socket, 'message'))[0]), /INVALID_MESSAGE/, address)
    socket.terminate()
  }
})

test('a server of the host\'s own making is listened to as any', async (t) => {
  const { url } = await serve(t, {}, { serverFactory: (handler) => createServer(handler) })
  const peer = await RawSocket.open(url, { behind: clientFrame('{}') })
  await peer.until(({ codes }) => codes.includes('INVALID_MESSAGE'))
  peer.cut()
  const plain = await RawSocket.open(url, { path: '/plain', headers: H2C })
  await plain.answered()
  plain.cut()
  t.equal(plain.status, 200)
})

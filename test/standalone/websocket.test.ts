import { test, type Test } from 'tap'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'
import { clientFrame, type HandshakeOptions, RawSocket } from '../helpers/raw-socket.ts'

const ALICE = 'the-token-of-alice+/='
const BOB = 'the-token-of-bob&;%'
const APP = 'https://app.example'

async function serve (t: Test, args: string[] = []) {
  const { app, lines } = await buildStandalone(t, args)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  /** The status of a handshake, and the code of what refuses it. */
  const open = async (options: HandshakeOptions = {}): Promise<[number | null, string?]> => {
    const peer = await RawSocket.open(url, options)
    peer.cut()
    return peer.status === 101 ? [101] : [peer.status, (JSON.parse(peer.body) as { code: string }).code]
  }
  return { app, lines, url, open }
}

const tokens = (t: Test, more: object[] = []): string[] => ['--tokens', tokensFile(t, [{ token: ALICE, owner: 'alice' }, { token: BOB, owner: 'bob' }, ...more])]

test('the pages of --cors-origin may open WebSockets, and those of the server itself', async (t) => {
  const { open } = await serve(t, ['--cors-origin', `${APP}, http://localhost:5173`])
  const own = { host: 'localhost:3000' }
  for (const headers of [
    { origin: APP }, { origin: APP, 'sec-fetch-site': 'cross-site' }, { origin: 'http://localhost:5173', 'sec-fetch-site': 'same-site' },
    { origin: 'http://localhost:3000' }, { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' }, { origin: 'https://behind.a.proxy', 'sec-fetch-site': 'same-origin' }, {}
  ]) t.strictSame(await open({ headers: { ...own, ...headers } }), [101], JSON.stringify(headers))
  for (const headers of [{ origin: 'https://evil.example' }, { origin: `${APP}:8443`, 'sec-fetch-site': 'cross-site' }, { origin: 'http://localhost:5174', 'sec-fetch-site': 'same-site' }, { origin: 'null' }]) {
    t.strictSame((await open({ headers: { ...own, ...headers } }))[0], 403, JSON.stringify(headers))
  }
  const alone = await serve(t)
  t.strictSame((await alone.open({ headers: { ...own, origin: APP } }))[0], 403)
  t.strictSame(await alone.open({ headers: { ...own, origin: 'http://localhost:3000' } }), [101])
})

test('a page whose name has come to point at the server is refused by the name', async (t) => {
  const { open } = await serve(t)
  t.strictSame(await open({ headers: { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' } }), [403, 'HOST_NOT_ALLOWED'])
})

test('a token comes in the header, the query or the cookie of a login, and a socket is its owner\'s', async (t) => {
  const { app, url, open } = await serve(t, tokens(t))
  await app.agentRuns.createSession({ id: 'hers', owner: 'alice' })
  const cookieOf = async (token: string): Promise<string> => String((await app.inject({ method: 'POST', url: '/login', payload: { token } })).headers['set-cookie']).split(';', 1)[0]!
  const ways = async (token: string): Promise<HandshakeOptions[]> => [
    { headers: { authorization: `Bearer ${token}` } }, { path: `/ws?access_token=${encodeURIComponent(token)}` }, { headers: { cookie: `a=b; ${await cookieOf(token)}`, origin: 'http://localhost:3000', host: 'localhost:3000' } }
  ]
  const behind = clientFrame(JSON.stringify({ type: 'chat.subscribe', sessions: [{ sessionId: 'hers' }] }))
  for (const [token, code] of [[ALICE, 'chat_subscribed'], [BOB, 'SESSION_NOT_FOUND']] as const) {
    for (const way of await ways(token)) {
      const peer = await RawSocket.open(url, { ...way, behind })
      await peer.until(({ told }) => told.length > 0)
      t.strictSame(peer.codes, [code], JSON.stringify(way))
      peer.cut()
    }
  }
  const cookie = await cookieOf(ALICE)
  for (const way of [{}, { headers: { authorization: 'Bearer wrong' } }, { path: '/ws?access_token=wrong', headers: { cookie } }, { headers: { cookie: 'agent_runs_token=wrong' } }, { headers: { 'sec-websocket-protocol': encodeURIComponent(ALICE) } }]) {
    t.strictSame(await open(way), [401, 'UNAUTHENTICATED'], JSON.stringify(way))
  }
  const refused = await RawSocket.open(url)
  t.match(refused.head, /\r\nwww-authenticate: Bearer\r\n/i)
  t.strictSame((await open({ headers: { cookie, host: 'localhost:3000', origin: 'http://localhost:5173' } }))[0], 403, 'a cookie is no leave for pages of another origin')
})

test('a token that expires takes its sockets along', async (t) => {
  const token = 'the-token-of-today!'
  const { url } = await serve(t, [...tokens(t, [{ token, owner: 'carol', expiresAt: new Date(Date.now() + 1_500).toISOString() }]), '--heartbeat-ms', '100'])
  const peer = await RawSocket.open(url, { headers: { authorization: `Bearer ${token}` }, behind: clientFrame('{"type":"chat.subscribe","sessions":[{"sessionId":"s"}]}') })
  t.equal(await peer.gone(), 4401)
  t.strictSame(peer.kinds, ['chat_subscribed', 'stream_closing'])
})

test('of what comes over a WebSocket the log has neither the token nor a word', async (t) => {
  const { url, lines, open } = await serve(t, [...tokens(t), '--messages-per-second', '1000000'])
  const secret = 'sesame-0123456789'
  for (const path of ['/ws?access_token=', '/ws?x=1&ACCESS_TOKEN=', '/ws?%61ccess_token=', '/none?access_token=', '/sessions?access_token=']) t.not((await open({ path: path + secret }).catch(() => [404]))[0], 101)
  const peer = await RawSocket.open(url, { path: `/ws?access_token=${encodeURIComponent(ALICE)}` })
  for (const text of [
    secret, `{"type":"${secret}"}`, `{"type":"chat.abort","sessionId":"s","${secret}":1}`, `{"type":"chat.send","sessionId":"s","content":"${secret}","options":{"${secret}":1}}`,
    `{"type":"chat.send","sessionId":"s","content":"${secret}","provider":"${secret}"}`, `{"type":"chat.abort","sessionId":"s","runId":"${secret}"}`, `{"type":"chat.permission-response","sessionId":"s","requestId":"${secret}","allow":true}`
  ]) peer.send(clientFrame(text))
  await peer.ask({ type: 'chat.send', sessionId: 's', content: secret, idempotencyKey: secret, requestId: secret }, 'complete')
  // A frame that breaks the protocol, and one that says why it goes.
  peer.send(clientFrame(secret, { rsv: 7 }))
  await peer.gone()
  const closing = await RawSocket.open(url, { headers: { authorization: `Bearer ${ALICE}` } })
  closing.send(clientFrame(Buffer.concat([Buffer.from([3, 232]), Buffer.from(secret)]), { opcode: 8 }))
  await closing.gone()
  const log = lines.join('')
  t.match(log, '"url":"/ws?access_token=***"')
  t.match(log, 'a WebSocket broke')
  t.strictSame(lines.filter((line) => line.includes(secret)), [])
  for (const form of [ALICE, encodeURIComponent(ALICE)]) t.notOk(log.includes(form))
  t.strictSame(lines.filter((line) => (JSON.parse(line) as { level: number }).level >= 50), [])
})

test('--websocket false is no WebSocket, and --prefix and --routes hold for it too', async (t) => {
  const none = await serve(t, ['--websocket', 'false'])
  t.equal((await none.app.inject('/ws')).statusCode, 404)
  const routeless = await serve(t, ['--routes', 'false'])
  t.equal((await routeless.app.inject('/ws')).statusCode, 404)
  const prefixed = await serve(t, ['--prefix', '/api'])
  t.strictSame(await prefixed.open({ path: '/api/ws' }), [101])
  t.equal((await prefixed.app.inject('/ws')).statusCode, 404)
})

test('the limits of sockets are flags', async (t) => {
  const { open, url } = await serve(t, ['--sockets', '1', '--subscriptions-per-socket', '1', '--socket-message-bytes', '100'])
  const peer = await RawSocket.open(url)
  t.strictSame(await open(), [429, 'TOO_MANY_SOCKETS'])
  t.match(await peer.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 'a' }, { sessionId: 'b' }] }), { code: 'TOO_MANY_SUBSCRIBERS', sessionId: 'b' })
  peer.send(clientFrame('x'.repeat(101)))
  t.equal(await peer.gone(), 1009)
})

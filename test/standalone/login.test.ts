import { once } from 'node:events'
import { connect } from 'node:net'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { test, type Test } from 'tap'
import { withoutToken } from '../../standalone/access-log.ts'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'
import { SseClient } from '../helpers/read-sse.ts'

const ALICE = 'the-token-of-alice+/='
const BOB = 'the-token-of-bob&;%'
const EXPIRES = '2100-01-01T00:00:00.000Z'

async function build (t: Test, args: string[] = []) {
  const { app, lines } = await buildStandalone(t, ['--tokens', tokensFile(t, [{ token: ALICE, owner: 'alice' }, { token: BOB, owner: 'bob', expiresAt: EXPIRES }]), ...args])
  const login = (token: unknown, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> => app.inject({ method: 'POST', url: '/login', payload: { token }, headers })
  const cookieOf = async (token: string): Promise<string> => String((await login(token)).headers['set-cookie']).split(';', 1)[0]!
  await app.agentRuns.createSession({ id: 'hers', owner: 'alice' })
  return { app, lines, login, cookieOf }
}

test('a token comes in the header, in the query or in a cookie, on every route', async (t) => {
  const { app, cookieOf } = await build(t)
  const ways = async (token: string): Promise<InjectOptions[]> => [
    { headers: { authorization: `Bearer ${token}` } },
    { headers: { authorization: `bearer  ${token} ` } },
    { query: { access_token: token } },
    { headers: { cookie: await cookieOf(token) } },
    { headers: { cookie: `theme=dark; ${await cookieOf(token)}; other=1`, authorization: 'Basic YTpi' } }
  ]
  for (const way of await ways(ALICE)) t.equal((await app.inject({ url: '/sessions/hers', ...way })).statusCode, 200)
  for (const way of await ways(BOB)) t.equal((await app.inject({ url: '/sessions/hers', ...way })).statusCode, 404)
  t.equal((await app.inject({ method: 'POST', url: '/sessions/hers/abort', query: { access_token: ALICE } })).statusCode, 409)
})

test('without a token, with a wrong one, or with two, there is a 401 that names the scheme', async (t) => {
  const { app, cookieOf } = await build(t)
  const cookie = await cookieOf(ALICE)
  const wrong: InjectOptions[] = [
    {}, { headers: { authorization: 'Bearer' } }, { headers: { authorization: ALICE } }, { headers: { authorization: `Basic ${ALICE}` } },
    { headers: { authorization: `Bearer ${ALICE}x` } }, { query: { access_token: 'wrong' } }, { query: { token: ALICE } },
    { headers: { cookie: `agent_runs_token=${ALICE}x` } }, { headers: { cookie, authorization: 'Bearer wrong' } }, { headers: { cookie }, query: { access_token: 'wrong' } },
    { headers: { cookie }, query: { access_token: [ALICE, ALICE] } }
  ]
  for (const way of wrong) {
    const { statusCode, headers, body } = await app.inject({ url: '/sessions/hers', ...way })
    t.match([statusCode, headers['www-authenticate'], JSON.parse(body)], [401, 'Bearer', { code: 'UNAUTHENTICATED' }], JSON.stringify(way))
  }
  t.equal((await app.inject('/health')).statusCode, 200, 'who looks after the server needs none')
})

test('logging in keeps the token in a cookie that scripts and other sites cannot use, for as long as it holds', async (t) => {
  const { app, login } = await build(t)
  const attributes = ({ headers }: LightMyRequestResponse) => String(headers['set-cookie']).split('; ')
  const alice = await login(ALICE)
  t.strictSame([alice.statusCode, alice.body], [204, ''])
  t.strictSame(attributes(alice).map(decodeURIComponent), [`agent_runs_token=${ALICE}`, 'Path=/', 'HttpOnly', 'SameSite=Strict'])
  t.strictSame(attributes(await login(BOB)).slice(1), ['Path=/', `Expires=${new Date(EXPIRES).toUTCString()}`, 'HttpOnly', 'SameSite=Strict'])
  for (const proto of ['https', 'HTTPS, http']) t.ok(attributes(await login(ALICE, { 'x-forwarded-proto': proto })).includes('Secure'), proto)
  for (const proto of ['http', 'http, https']) t.notOk(attributes(await login(ALICE, { 'x-forwarded-proto': proto })).includes('Secure'), proto)
  const out = await app.inject({ method: 'POST', url: '/logout' })
  t.strictSame([out.statusCode, out.body], [204, ''])
  t.strictSame(attributes(out), ['agent_runs_token=', 'Max-Age=0', 'Path=/', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'HttpOnly', 'SameSite=Strict'])
})

test('below a prefix the cookie stays there', async (t) => {
  const { app } = await build(t, ['--prefix', '/api'])
  const { headers } = await app.inject({ method: 'POST', url: '/api/login', payload: { token: ALICE } })
  t.match(headers['set-cookie'], /; Path=\/api;/)
  const cookie = String(headers['set-cookie']).split(';', 1)[0]!
  t.equal((await app.inject({ url: '/api/sessions/hers', headers: { cookie } })).statusCode, 200)
  const tenants = await build(t, ['--prefix', '/:tenant'])
  t.match((await tenants.app.inject({ method: 'POST', url: '/acme/login', payload: { token: ALICE } })).headers['set-cookie'], /; Path=\/;/, 'a browser knows no parameters')
})

test('who cannot log in gets no cookie', async (t) => {
  const { app, login } = await build(t)
  const answers = {
    wrong: await login('the-token-of-nobody'),
    none: await app.inject({ method: 'POST', url: '/login', payload: {} }),
    number: await login(5),
    more: await app.inject({ method: 'POST', url: '/login', payload: { token: ALICE, owner: 'bob' } }),
    text: await app.inject({ method: 'POST', url: '/login', payload: JSON.stringify({ token: ALICE }), headers: { 'content-type': 'text/plain' } }),
    empty: await app.inject({ method: 'POST', url: '/login' })
  }
  const shown = Object.entries(answers).map(([name, { statusCode, body, headers }]) => `${name} ${statusCode} ${(JSON.parse(body) as { code: string }).code} ${headers['set-cookie']}`)
  t.strictSame(shown, [
    'wrong 401 UNAUTHENTICATED undefined', 'none 400 INVALID_REQUEST undefined', 'number 400 INVALID_REQUEST undefined', 'more 400 INVALID_REQUEST undefined',
    'text 400 INVALID_REQUEST undefined', 'empty 400 INVALID_REQUEST undefined'
  ])
})

test('without --tokens there is nothing to log in to', async (t) => {
  const { app } = await buildStandalone(t)
  t.strictSame([(await app.inject('/sessions')).statusCode, (await app.inject({ method: 'POST', url: '/login', payload: { token: ALICE } })).statusCode], [200, 404])
})

test('whatever comes with a token, no line of the log has it', async (t) => {
  const { app, lines, login, cookieOf } = await build(t)
  const url = await app.listen({ port: 0 })
  const secret = 'sesame-0123456789'
  const inUrl = [
    '/sessions?access_token=', '/sessions?limit=5&access_token=', '/sessions?access%5Ftoken=', '/sessions?%61ccess_token=', '/sessions?ACCESS_TOKEN=', '/sessions?%zz&access_token=',
    '/sessions#access_token=', '/sessions?a=1?access_token=', '/sessions&access_token=', '/sessions/hers/stream?lastEventId=x&access_token=', '/none?access_token=', '/sessions/%zz?access_token=', '/sessions/hers/stream?until=never&access_token='
  ]
  for (const path of inUrl) await exchange(url, `GET ${path}${secret} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
  await exchange(url, `GET /sessions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${secret}\r\nconnection: close\r\n\r\n`)
  await exchange(url, `GET /sessions?access_token=${secret} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${secret}\r\nbroken header\r\n\r\n`)
  for (const body of [`{"token":"${secret}"}`, `{"token":${secret}}`, `{"token":"${secret}","more":"${secret}"}`]) {
    await app.inject({ method: 'POST', url: '/login', body, headers: { 'content-type': 'application/json' } })
  }
  await login(ALICE)
  await app.inject({ url: '/sessions', headers: { cookie: await cookieOf(ALICE) } })
  const client = await SseClient.open(`${url}/sessions/hers/stream?access_token=${encodeURIComponent(ALICE)}`)
  await client.frame('chat_subscribed')
  t.equal(client.response.statusCode, 200)
  client.cut()
  const log = lines.join('')
  t.match(log, '"url":"/sessions?limit=5&access_token=***"', 'the rest of the URL is there')
  t.match(log, 'client error', 'and so is what could not be parsed')
  const bytes = JSON.stringify([...Buffer.from(secret)]).slice(1, -1)
  t.strictSame(lines.filter((line) => line.includes(secret)), [])
  for (const form of [secret, ALICE, encodeURIComponent(ALICE), bytes]) t.notOk(log.includes(form), form)
})

test('the name of the token\'s parameter is known however it is written, and nothing else is struck out', (t) => {
  t.equal(withoutToken('/a/b'), '/a/b')
  t.equal(withoutToken('/a?lastEventId=5&until=complete'), '/a?lastEventId=5&until=complete')
  t.equal(withoutToken('/a?access_token=x&lastEventId=5&access_token=y'), '/a?access_token=***&lastEventId=5&access_token=***')
  t.equal(withoutToken('/a?access_token'), '/a?access_token=***')
  t.equal(withoutToken('/a?x=%zz'), '/a?access_token=***', 'what cannot be read may be one')
  t.end()
})

/** Sends bytes; resolves once the server has answered and closed. */
async function exchange (url: string, request: string): Promise<void> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname.replace(/[[\]]/g, ''))
  socket.on('error', () => {}).resume().write(request)
  await once(socket, 'close')
}

test('nobody\'s body is read where there is no route, and little of one at the login', async (t) => {
  const { app } = await build(t)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = new URL(url)
  for (const [path, status] of [['/nope', 404], ['/login', 413], ['/logout', 413]] as const) {
    const socket = connect(Number(port), '127.0.0.1')
    // The rest never comes.
    socket.write(`POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{"token":`)
    const [head] = await once(socket, 'data') as [Buffer]
    t.match(String(head), new RegExp(`^HTTP/1.1 ${status} `), path)
    socket.destroy()
  }
})

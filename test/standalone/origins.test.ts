import type { InjectOptions } from 'fastify'
import { test } from 'tap'
import { readSettings } from '../../standalone/flags.ts'
import { buildStandalone } from '../helpers/build-standalone.ts'
import { SseClient } from '../helpers/read-sse.ts'

const APP = 'https://app.example'
const OTHER = 'http://localhost:5173'
const preflight = (origin: string, method = 'PATCH'): InjectOptions => ({
  method: 'OPTIONS', url: '/sessions/s', headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'content-type,last-event-id' }
})

test('pages of the listed origins may ask for everything, with credentials, and read what they need', async (t) => {
  const { app } = await buildStandalone(t, ['--cors-origin', `${APP}, ${OTHER}`])
  for (const origin of [APP, OTHER]) {
    const { statusCode, headers } = await app.inject(preflight(origin))
    t.equal(statusCode, 204)
    t.match(headers, { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: /Origin/ })
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) t.match(headers['access-control-allow-methods'], method)
    for (const header of ['Last-Event-ID', 'Idempotency-Key', 'Authorization', 'Content-Type']) t.match(headers['access-control-allow-headers'], header)
    const posted = await app.inject({ method: 'POST', url: '/sessions', payload: {}, headers: { origin, 'sec-fetch-site': 'cross-site' } })
    t.equal(posted.statusCode, 201)
    t.match(posted.headers, { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', 'access-control-expose-headers': 'Location, Retry-After' })
    const refused = await app.inject({ url: '/sessions/none', headers: { origin } })
    t.match([refused.statusCode, refused.headers['access-control-allow-origin']], [404, origin], 'errors may be read too')
  }
})

test('pages of other origins are told nothing', async (t) => {
  const { app } = await buildStandalone(t, ['--cors-origin', APP])
  for (const origin of ['https://evil.example', `${APP}.evil.example`, 'http://app.example', `${APP}:8443`, 'https://APP.example', 'null', '*']) {
    t.notOk('access-control-allow-origin' in (await app.inject(preflight(origin))).headers, origin)
    t.notOk('access-control-allow-origin' in (await app.inject({ url: '/sessions', headers: { origin } })).headers, origin)
  }
})

test('without --cors-origin there is no CORS at all', async (t) => {
  const { app } = await buildStandalone(t)
  for (const request of [preflight(APP), { url: '/sessions', headers: { origin: APP } }]) {
    t.strictSame(Object.keys((await app.inject(request)).headers).filter((name) => name.startsWith('access-control') || name === 'vary'), [])
  }
})

test('a stream carries the headers of CORS too', async (t) => {
  const { app } = await buildStandalone(t, ['--cors-origin', APP])
  const url = await app.listen({ port: 0 })
  const open = async (origin: string) => {
    const client = await SseClient.open(`${url}/sessions/s/stream`, { headers: { origin } })
    client.cut()
    return client.response.headers
  }
  t.match(await open(APP), { 'access-control-allow-origin': APP, 'access-control-allow-credentials': 'true', 'content-type': /event-stream/, vary: /Origin/ })
  t.notOk('access-control-allow-origin' in await open('https://evil.example'))
})

test('a page of another origin cannot do by a simple request what CORS would not let it do', async (t) => {
  const { app } = await buildStandalone(t, ['--cors-origin', APP])
  await app.agentRuns.createSession({ id: 's' })
  // That a page may send with the cookies of its reader, without asking first.
  const abort = async (headers: Record<string, string>) => (await app.inject({ method: 'POST', url: '/sessions/s/abort', headers: { host: 'localhost:3000', ...headers } })).statusCode
  const reached = 409
  t.equal(await abort({}), reached, 'no browser')
  t.equal(await abort({ origin: 'http://localhost:3000' }), reached)
  t.equal(await abort({ origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' }), reached)
  t.equal(await abort({ origin: 'https://behind.a.proxy', 'sec-fetch-site': 'same-origin' }), reached)
  t.equal(await abort({ 'sec-fetch-site': 'none' }), reached)
  t.equal(await abort({ origin: APP, 'sec-fetch-site': 'cross-site' }), reached)
  t.equal(await abort({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await abort({ origin: OTHER, 'sec-fetch-site': 'same-site' }), 403, 'another port of this machine')
  t.equal(await abort({ 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await abort({ origin: OTHER }), 403)
  t.equal(await abort({ origin: 'null' }), 403)
  const upgrade = await app.inject({ url: '/sessions', headers: { origin: OTHER, upgrade: 'websocket', connection: 'upgrade' } })
  t.match([upgrade.statusCode, upgrade.json()], [403, { code: 'FORBIDDEN' }], 'CORS does not know WebSockets')
  t.equal((await app.inject({ url: '/sessions', headers: { origin: OTHER, 'sec-fetch-site': 'same-site' } })).statusCode, 200, 'what it may read, the browser decides')
})

test('what is no exact origin is a usage error', (t) => {
  for (const list of ['', '*', 'null', 'app.example', `${APP}/`, `${APP}/path`, `${APP},`, `${APP},*`, 'https://*.example', 'HTTPS://app.example', 'https://app.example:443', 'file:///x', 'ws://app.example']) {
    t.throws(() => readSettings(['--cors-origin', list], {}), { message: `--cors-origin is "${list}": it must be origins as browsers send them, such as https://app.example, with commas between them.` }, list)
  }
  t.strictSame(readSettings([], { AGENT_RUNS_CORS_ORIGIN: `${APP},http://localhost:5173` }).values['corsOrigin'], [APP, OTHER])
  t.end()
})

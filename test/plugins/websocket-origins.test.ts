import Fastify, { type FastifyServerOptions } from 'fastify'
import { test, type Test } from 'tap'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import { RawSocket } from '../helpers/raw-socket.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

/** The statuses of handshakes with these headers. */
async function statuses (t: Test, all: Array<Record<string, string>>, options: Partial<AgentRunsOptions> = {}, server: FastifyServerOptions = {}): Promise<Array<number | null>> {
  const app = Fastify(server)
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:', closeGraceMs: 0, ...options })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return Promise.all(all.map(async (headers) => {
    const peer = await RawSocket.open(url, { headers })
    peer.cut()
    if (peer.status !== 101) {
      t.match(JSON.parse(peer.body), { statusCode: 403, code: 'ORIGIN_NOT_ALLOWED', error: 'Forbidden', message: `Pages of "${headers['origin']}" may not open WebSockets here.` })
    }
    return peer.status
  }))
}

const all = <T>(count: number, status: T): T[] => Array<T>(count).fill(status)

const OWN = [
  { host: 'app.example', origin: 'https://app.example' },
  { host: 'app.example', origin: 'http://app.example' },
  { host: 'App.Example', origin: 'https://app.example' },
  { host: 'app.example:443', origin: 'https://app.example' },
  { host: 'app.example:80', origin: 'http://app.example' },
  { host: 'localhost:3000', origin: 'http://localhost:3000' },
  { host: '127.0.0.1:3000', origin: 'http://127.0.0.1:3000' },
  { host: '[::1]:3000', origin: 'http://[::1]:3000' },
  { host: '[::1]', origin: 'https://[::1]' },
  { host: '[0:0::1]:3000', origin: 'http://[::1]:3000' },
  // Behind a proxy that names another host; the browser knows.
  { host: 'upstream', origin: 'https://app.example', 'sec-fetch-site': 'same-origin' },
  // No browser.
  { host: 'app.example' },
  { host: 'app.example', 'sec-fetch-site': 'none' }
]

const FOREIGN = [
  { host: 'app.example', origin: 'https://evil.example' },
  { host: 'app.example', origin: 'https://app.example.evil.example' },
  { host: 'app.example', origin: 'https://evil.app.example' },
  { host: 'app.example', origin: 'https://app.example:8443' },
  { host: 'app.example:80', origin: 'https://app.example' },
  { host: 'localhost:3000', origin: 'http://localhost:5173' },
  { host: '127.0.0.1:3000', origin: 'http://localhost:3000' },
  { host: '[::1]:3000', origin: 'http://[::1]:3001' },
  { host: '[::1]:3000', origin: 'http://[::2]:3000' },
  { host: 'app.example', origin: 'null' },
  { host: 'null', origin: 'null' },
  { host: 'app.example', origin: 'app.example' },
  { host: 'app.example', origin: 'https://app.example, https://evil.example' },
  { host: 'app.example', origin: 'https://evil.example@app.example' },
  { host: 'app.example', origin: 'https://app.example/path' },
  { host: 'app.example', origin: 'file://app.example' },
  { host: 'app.example', origin: 'chrome-extension://app.example' },
  { host: 'app.example', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  { host: 'evil.example/@app.example', origin: 'https://app.example' },
  { host: 'app.example', origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' }
]

test('pages of the host itself may open WebSockets, and who is no page', async (t) => {
  t.strictSame(await statuses(t, OWN), all(OWN.length, 101))
})

test('pages of others may not: neither of other ports nor of files, sandboxes and extensions', async (t) => {
  t.strictSame(await statuses(t, FOREIGN), all(FOREIGN.length, 403))
})

test('behind a proxy that is trusted, the host is the one that it was asked for', async (t) => {
  const headers = [
    { host: 'upstream:3000', 'x-forwarded-host': 'app.example', origin: 'https://app.example' },
    { host: 'upstream:3000', 'x-forwarded-host': 'app.example:8443', origin: 'https://app.example:8443' },
    { host: 'upstream:3000', 'x-forwarded-host': 'app.example', origin: 'http://upstream:3000' },
    { host: 'upstream:3000', 'x-forwarded-host': 'app.example', origin: 'https://evil.example' }
  ]
  t.strictSame(await statuses(t, headers, {}, { trustProxy: true }), [101, 101, 403, 403])
  t.strictSame(await statuses(t, headers), [403, 403, 101, 403])
})

test('allowedOrigins adds exactly those that it lists', async (t) => {
  const allowedOrigins = ['https://app.example', 'http://localhost:5173']
  const headers = ['https://app.example', 'http://localhost:5173', 'http://app.example', 'https://app.example:8443', 'https://x.app.example', 'https://APP.example', 'null', '*', 'http://api.example']
  t.strictSame(await statuses(t, headers.map((origin) => ({ host: 'api.example', origin, 'sec-fetch-site': 'cross-site' })), { allowedOrigins }), [101, 101, ...all(7, 403)], 'also of the host\'s name, if the browser calls it foreign: its scheme is another')
  t.strictSame(await statuses(t, headers.map((origin) => ({ host: 'api.example', origin })), { allowedOrigins }), [101, 101, ...all(6, 403), 101], 'an older browser says only the origin')
})

test('with "*" every page may, also those without a name', async (t) => {
  t.strictSame(await statuses(t, FOREIGN, { allowedOrigins: ['*'] }), all(FOREIGN.length, 101))
})

test('the other routes do not ask: what pages may read of them is for CORS to say', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:' })
  const headers = { origin: 'https://evil.example' }
  t.equal((await app.inject({ url: '/sessions', headers })).statusCode, 200)
  t.match((await app.inject({ url: '/ws', headers })).json(), { code: 'ORIGIN_NOT_ALLOWED' })
})

test('a page that may not is refused before anybody is asked who it is', async (t) => {
  const identify = (): never => t.fail('identify was asked') as never
  t.strictSame(await statuses(t, [{ host: 'app.example', origin: 'https://evil.example' }], { identify }), [403])
  t.strictSame(await statuses(t, [{ host: 'app.example', origin: 'https://evil.example' }], { identify, identifyIn: 'preHandler', preHandler: identify }), [403])
})

import type { InjectOptions } from 'fastify'
import { test, type Test } from 'tap'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'

const TOKEN = 'the-token-of-alice'
const TRIES = 10

async function build (t: Test, args: string[] = []) {
  const { app } = await buildStandalone(t, ['--tokens', tokensFile(t, [{ token: TOKEN, owner: 'alice' }]), ...args])
  const login = async (token: string, options: InjectOptions = {}) => app.inject({ method: 'POST', url: '/login', payload: { token }, ...options })
  /** How many tries of an address are answered by the route itself, up to one that is not. */
  const tries = async (options: (index: number) => InjectOptions) => {
    for (let count = 0; count <= 2 * TRIES; count++) if ((await login('wrong', options(count))).statusCode === 429) return count
    return Infinity
  }
  return { app, login, tries }
}

/** From here on it is so much later, until the end of the test. */
function later (t: Test, ms: number): void {
  const { now } = Date
  Date.now = () => now() + ms
  t.teardown(() => { Date.now = now })
}

test('an address that tries too often to log in is told to wait, also with the right token, until the minute is over', async (t) => {
  const { app, login, tries } = await build(t)
  for (let count = 0; count < TRIES; count++) t.equal((await login(count === 5 ? TOKEN : 'wrong')).statusCode, count === 5 ? 204 : 401)
  for (const token of ['wrong', TOKEN]) {
    const { statusCode, headers, body } = await login(token)
    const answer = JSON.parse(body) as { retryAfter: number }
    t.strictSame([statusCode, answer], [429, { statusCode: 429, code: 'TOO_MANY_ATTEMPTS', error: 'Too Many Requests', message: 'There were too many attempts to log in.', retryAfter: answer.retryAfter }])
    t.ok(answer.retryAfter >= 1 && answer.retryAfter <= 60 && Number.isInteger(answer.retryAfter))
    t.equal(headers['retry-after'], String(answer.retryAfter))
    t.equal(headers['set-cookie'], undefined)
  }
  t.equal(await tries(() => ({ remoteAddress: '10.0.0.1' })), TRIES, 'others have their own tries')
  for (let count = 0; count <= TRIES; count++) {
    t.equal((await app.inject({ url: '/sessions', headers: { authorization: `Bearer ${TOKEN}` } })).statusCode, 200, 'nothing else is throttled')
    t.equal((await app.inject({ method: 'POST', url: '/logout' })).statusCode, 204)
  }
  later(t, 60_001)
  t.equal((await login(TOKEN)).statusCode, 204)
})

test('what is no token at all is a try too, whatever is wrong with it', async (t) => {
  const { app, login } = await build(t)
  for (const payload of ['{', '{}', '{"token":5}', 'x'.repeat(2_000_000), ...Array<string>(TRIES - 4).fill('[]')]) {
    t.match((await app.inject({ method: 'POST', url: '/login', payload, headers: { 'content-type': 'application/json' } })).statusCode, /^4(00|13)$/)
  }
  t.equal((await login(TOKEN)).statusCode, 429)
})

test('nobody gets more tries by what a header says, nor by the addresses of one network', async (t) => {
  const headers: Array<(index: number) => Record<string, string>> = [
    (index) => ({ 'x-forwarded-for': `10.1.1.${index}` }), (index) => ({ forwarded: `for=10.1.1.${index}` }), (index) => ({ 'x-real-ip': `10.1.1.${index}` }), (index) => ({ host: `a${index}.localhost` })
  ]
  for (const [index, header] of headers.entries()) {
    const { tries } = await build(t)
    t.equal(await tries((count) => ({ headers: header(count), remoteAddress: `10.0.0.${index}` })), TRIES)
  }
  const { tries } = await build(t)
  t.equal(await tries((count) => ({ remoteAddress: `2001:db8:1:2::${count}` })), TRIES)
})

test('a page of another origin cannot use up the tries of who looks at it', async (t) => {
  const { login } = await build(t)
  for (let count = 0; count <= TRIES; count++) t.equal((await login('wrong', { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } })).statusCode, 403)
  for (let count = 0; count <= TRIES; count++) t.equal((await login('wrong', { headers: { host: 'evil.example' } })).statusCode, 403)
  t.equal((await login(TOKEN)).statusCode, 204)
})

test('below a prefix it is the same, and a listed page can read how long to wait', async (t) => {
  const { app } = await build(t, ['--prefix', '/:tenant', '--cors-origin', 'https://app.example'])
  const login = (tenant: string) => app.inject({ method: 'POST', url: `/${tenant}/login`, payload: { token: 'wrong' }, headers: { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' } })
  for (let count = 0; count < TRIES; count++) t.equal((await login(`t${count}`)).statusCode, 401)
  const { statusCode, headers } = await login('another')
  t.match([statusCode, headers], [429, { 'access-control-allow-origin': 'https://app.example', 'access-control-expose-headers': /Retry-After/, 'retry-after': /^\d+$/ }])
})

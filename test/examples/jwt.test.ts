import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { startExample } from '../helpers/start-example.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** Logs in; answers the two forms in which the token comes. */
async function login (url: string, name: string, password: string) {
  const { status, body, headers } = await postJson(`${url}/login`, { name, password })
  return { status, bearer: { authorization: `Bearer ${String(body['token'])}` }, cookie: { cookie: String(headers.get('set-cookie')).split(';', 1)[0]! }, attributes: headers.get('set-cookie') }
}

test('examples/jwt: each user has their own sessions, and to others they do not exist', async (t) => {
  const { url } = await startExample(t, 'jwt', tempDir(t))
  t.equal((await login(url, 'alice', 'builder')).status, 401)
  t.equal((await fetch(`${url}/sessions`)).status, 401)
  const [alice, bob] = [await login(url, 'alice', 'wonderland'), await login(url, 'bob', 'builder')]
  t.match(alice.attributes, /^token=[^;]+; Max-Age=900; Path=\/; HttpOnly; SameSite=Strict$/)
  t.equal((await postJson(`${url}/sessions/hers/messages`, { content: 'Hello' }, alice.bearer)).status, 202)
  for (const headers of [alice.bearer, alice.cookie]) {
    const { kinds } = await (await SseClient.open(`${url}/sessions/hers/stream?until=complete`, { headers })).ended()
    t.strictSame(kinds, ['chat_subscribed', 'text', 'stream_delta', 'stream_end', 'text', 'complete'])
  }
  for (const headers of [bob.bearer, bob.cookie]) {
    const answers = await Promise.all(['', '/stream', '/messages'].map(async (path) => (await fetch(`${url}/sessions/hers${path}`, { headers })).status))
    t.strictSame(answers, [404, 404, 404])
  }
  t.match(await (await fetch(`${url}/sessions`, { headers: bob.cookie })).json(), { sessions: [] })
  t.equal((await postJson(`${url}/sessions/hers/messages`, { content: 'Hello' }, { authorization: `${alice.bearer.authorization}x` })).status, 401, 'nobody else signs tokens')
})

test('examples/jwt: a token that expires ends its stream, and the run goes on for who logs in again', async (t) => {
  const { url } = await startExample(t, 'jwt', tempDir(t), { TOKEN_SECONDS: '4' })
  const alice = await login(url, 'alice', 'wonderland')
  await postJson(`${url}/sessions/hers/messages`, { content: '{"demo":{"mode":"hang","n":3,"at":1}}' }, alice.bearer)
  const stream = await (await SseClient.open(`${url}/sessions/hers/stream`, { headers: alice.cookie })).ended()
  t.strictSame(stream.kinds, ['chat_subscribed', 'text', 'text', 'stream_closing'])
  t.equal((await fetch(`${url}/sessions/hers/stream`, { headers: alice.cookie })).status, 401)
  const { cookie } = await login(url, 'alice', 'wonderland')
  const again = await SseClient.open(`${url}/sessions/hers/stream?until=complete`, { headers: { ...cookie, 'last-event-id': stream.lastEventId } })
  t.match(await again.frame('chat_subscribed'), { isProcessing: true, cursor: 2 })
  t.equal((await postJson(`${url}/sessions/hers/abort`, {}, cookie)).status, 200)
  t.strictSame((await again.ended()).kinds, ['chat_subscribed', 'complete'])
})

test('examples/jwt: a request without a valid token is refused before its body is read', async (t) => {
  const { url } = await startExample(t, 'jwt', tempDir(t))
  for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
    const { status } = await postJson(`${url}/sessions/hers/messages`, { content: 'x'.repeat(2_000_000) }, headers)
    t.equal(status, 401, 'and not 413')
  }
})

test('examples/jwt: what docs/security.md shows of it is what it does', (t) => {
  const [docs, example] = ['docs/security.md', 'examples/jwt/server.ts'].map((path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'))
  const [, shown] = /```ts\n(declare module '@fastify\/jwt'.*?)```/s.exec(docs!)!
  const hooks = shown!.split('\n').filter((line) => /^ {2}(onRequest|identify)/.test(line))
  t.equal(hooks.length, 2)
  for (const line of hooks) t.ok(example!.includes(`\n${line}\n`), line)
  t.end()
})

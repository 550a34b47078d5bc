import { getEventListeners } from 'node:events'
import { test } from 'tap'
import { createClient, type ClientOptions, follow, RunsClientError } from '../../client/index.ts'
import { openTimers } from '../helpers/open-timers.ts'
import { type Asked, StreamServer } from '../helpers/stream-server.ts'

const soon: ClientOptions = { retry: { minMs: 1, maxMs: 1 } }
const started = { sessionId: 's', runId: 'r', cursor: 0, status: 'running' }

test('a message that got no answer is sent again with its key, and headers are asked for anew', async (t) => {
  const server = await StreamServer.open(t)
  let tokens = 0
  const client = createClient(`${server.url}/api/`, { ...soon, headers: () => ({ authorization: `token ${++tokens}` }) })
  const sent = client.send('s', 'hello')
  const failures: Array<(asked: Asked) => void> = [
    (asked) => asked.cut(), (asked) => asked.answer(502, '<h1>Bad gateway</h1>'), (asked) => asked.refuse(503, 'STORE_UNAVAILABLE'), (asked) => asked.answer(504)
  ]
  const keys = new Set<unknown>()
  const tried: unknown[] = []
  const note = ({ method, url, headers, text }: Asked): void => {
    keys.add(headers['idempotency-key'])
    tried.push([method, url, headers.authorization, headers['content-type'], text])
  }
  for (const fail of failures) {
    const asked = await server.next()
    note(asked)
    fail(asked)
  }
  const last = await server.next()
  note(last)
  last.answer(202, started)
  t.strictSame(await sent, started)
  t.strictSame(tried, [1, 2, 3, 4, 5].map((time) => ['POST', '/api/sessions/s/messages', `token ${time}`, 'application/json', '{"content":"hello"}']))
  t.equal(keys.size, 1)
  t.match([...keys][0], /^[!-~]{1,255}$/)
})

test('five times, and not for ever', async (t) => {
  const server = await StreamServer.open(t)
  const sent = createClient(server.url, soon).send('s', 'hello')
  for (let times = 0; times < 5; times++) (await server.next()).answer(502)
  await t.rejects(sent, { code: 'HTTP_ERROR', statusCode: 502 })
  t.equal(server.waiting, 0)
})

test('each message has a key of its own, or the caller\'s', async (t) => {
  const server = await StreamServer.open(t)
  const client = createClient(server.url, soon)
  const keys: unknown[] = []
  for (const options of [{}, {}, { idempotencyKey: 'mine' }]) {
    const sent = client.send('s', { content: [{ type: 'text', text: 'hi' }], onBusy: 'queue' }, options)
    const asked = await server.next()
    keys.push(asked.headers['idempotency-key'])
    t.strictSame(JSON.parse(asked.text), { content: [{ type: 'text', text: 'hi' }], onBusy: 'queue' })
    asked.answer(202, started)
    await sent
  }
  t.equal(new Set(keys).size, 3)
  t.equal(keys[2], 'mine')
})

test('without randomUUID, as in pages that are not secure, keys are made all the same', async (t) => {
  const { randomUUID } = crypto
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true, writable: true })
  t.teardown(() => { crypto.randomUUID = randomUUID })
  const server = await StreamServer.open(t)
  const sent = createClient(server.url, soon).send('s', 'hello')
  const asked = await server.next()
  t.match(asked.headers['idempotency-key'], /^[0-9a-f]{32}$/)
  asked.answer(202, started)
  await sent
})

test('what is refused is not sent again: but for a 429 that says when', async (t) => {
  const server = await StreamServer.open(t)
  const client = createClient(server.url, soon)
  for (const [status, code] of [[400, 'INVALID_REQUEST'], [409, 'RUN_IN_PROGRESS'], [422, 'IDEMPOTENCY_KEY_REUSED'], [429, 'QUEUE_FULL'], [500, 'STORE_FAILED']] as const) {
    const sent = client.send('s', 'hello')
    const asked = await server.next()
    asked.refuse(status, code, { runId: 'other' })
    const error = await sent.catch((reason: unknown) => reason)
    t.ok(error instanceof RunsClientError)
    t.match(error, { code, statusCode: status, runId: 'other', sessionId: 's' })
  }
  const sent = client.send('s', 'hello')
  const full = await server.next()
  full.refuse(429, 'QUEUE_FULL', { retryAfter: 0 })
  const again = await server.next()
  again.answer(202, started)
  t.strictSame(await sent, started)
})

test('an abort is sent again only if it names its run: the next time another may be running', async (t) => {
  const server = await StreamServer.open(t)
  const client = createClient(server.url, soon)
  const unnamed = client.abort('s')
  const first = await server.next()
  first.cut()
  await t.rejects(unnamed, { code: 'NETWORK' })

  const named = client.abort('s', { runId: 'r' })
  const second = await server.next()
  second.cut()
  const third = await server.next()
  t.strictSame([third.url, third.text], ['/sessions/s/abort', '{"runId":"r"}'])
  third.answer(200, { kind: 'complete', runId: 'r' })
  t.match(await named, { kind: 'complete' })

  const queued = client.abort('s', { runId: 'q' })
  const fourth = await server.next()
  fourth.answer(202, { runId: 'q', status: 'queued' })
  t.equal(await queued, null)
})

test('an answer to an approval is sent again, and what came of it the first time is told', async (t) => {
  const server = await StreamServer.open(t)
  const approved = createClient(server.url, soon).approve('s', 'a/b', { allow: true, optionId: 'o' })
  const first = await server.next()
  first.cut()
  const second = await server.next()
  t.strictSame([second.url, second.text], ['/sessions/s/permissions/a%2Fb', '{"allow":true,"optionId":"o"}'])
  second.refuse(409, 'PERMISSION_ALREADY_RESOLVED')
  await t.rejects(approved, { code: 'PERMISSION_ALREADY_RESOLVED', statusCode: 409 })
})

test('a session is not created twice, and is deleted by the first of several', async (t) => {
  const server = await StreamServer.open(t)
  const client = createClient(server.url, soon)
  const created = client.createSession({ title: 'x' })
  const first = await server.next()
  first.cut()
  await t.rejects(created, { code: 'NETWORK' })
  const deleted = client.deleteSession('s')
  const second = await server.next()
  second.cut()
  const third = await server.next()
  t.strictSame([third.method, third.text, third.headers['content-type']], ['DELETE', '', undefined])
  third.refuse(410, 'SESSION_DELETED')
  t.equal(await deleted, undefined)
  t.equal(server.waiting, 0)
})

test('what is asked has its parameters, and null is no error where nothing is one', async (t) => {
  const server = await StreamServer.open(t)
  const client = createClient(`${server.url}/api`, soon)
  const played = async (asked: Promise<unknown>, answer: object): Promise<[string, unknown]> => {
    const request = await server.next()
    request.answer(200, answer)
    return [`${request.method} ${request.url} ${request.text}`.trim(), await asked]
  }
  t.strictSame(await played(client.history('s', { before: 5, limit: 2 }), { events: [] }), ['GET /api/sessions/s/messages?before=5&limit=2', { events: [] }])
  t.strictSame(await played(client.listSessions({ limit: 2 }), { sessions: [{}] }), ['GET /api/sessions?limit=2', [{}]])
  t.strictSame(await played(client.listRuns('s'), { runs: [{}] }), ['GET /api/sessions/s/runs', [{}]])
  t.strictSame(await played(client.createSession(), { id: 's' }), ['POST /api/sessions {}', { id: 's' }])
  t.strictSame(await played(client.updateSession('s', { title: null }), { id: 's' }), ['PATCH /api/sessions/s {"title":null}', { id: 's' }])
  const none = client.getSession('s')
  const asked = await server.next()
  asked.refuse(404, 'SESSION_NOT_FOUND')
  t.equal(await none, null)
  const lost = client.getSession('s')
  const other = await server.next()
  other.answer(404, '<h1>Not here</h1>')
  await t.rejects(lost, { code: 'HTTP_ERROR', statusCode: 404 })
  const page = client.getSession('s')
  const another = await server.next()
  another.answer(200, '<h1>Welcome</h1>')
  await t.rejects(page, { code: 'HTTP_ERROR', statusCode: 200 })
})

test('what is no id never leaves the client', async (t) => {
  const server = await StreamServer.open(t)
  const client = createClient(server.url, soon)
  for (const id of ['', '..', 'a/b', '.x', 'x.', 'x'.repeat(101), undefined as unknown as string, null as unknown as string]) {
    await t.rejects(client.send(id, 'x'), { code: 'INVALID_REQUEST' })
    await t.rejects(client.deleteSession(id), { code: 'INVALID_REQUEST' })
    t.throws(() => client.follow(id), { code: 'INVALID_REQUEST' })
  }
  await t.rejects(client.approve('s', '..', { allow: true }), { code: 'INVALID_REQUEST' })
  for (const cursor of [-1, 1.5, NaN]) t.throws(() => client.follow('s', { cursor }), { code: 'INVALID_CURSOR' })
  t.throws(() => client.follow('s', { until: 'completed' as 'complete' }), { code: 'INVALID_REQUEST', message: /must be "complete"/ })
  t.throws(() => createClient(server.url, { transport: 'ws' as 'sse' }), { name: 'TypeError', message: /no transport "ws"/ })
  t.equal(server.waiting, 0)
})

test('a request that is not answered is given up, and made again', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const sent = createClient(server.url, { ...soon, idleTimeoutMs: 200 }).send('s', 'hello')
  const first = await server.next()
  await first.closed
  const second = await server.next()
  second.answer(202, started)
  t.strictSame(await sent, started)
  t.equal(timers.count, 0)
})

test('a signal ends a request with its reason, also between two tries; closing the client ends all', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const stop = new AbortController()
  const client = createClient(server.url, { retry: { minMs: 3_600_000, maxMs: 3_600_000 } })
  const aborted = client.send('s', 'hello', { signal: stop.signal })
  const asked = await server.next()
  stop.abort(new RangeError('mine'))
  await t.rejects(aborted, RangeError)
  await asked.closed
  await t.rejects(client.send('s', 'hello', { signal: stop.signal }), RangeError)
  t.equal(getEventListeners(stop.signal, 'abort').length, 0)

  const waiting = client.send('s', 'hello')
  const failed = await server.next()
  failed.answer(502)
  const followed = client.subscribe('s', () => {})
  const stream = await server.next()
  client.close()
  await t.rejects(waiting, { code: 'CLOSED' })
  await followed.closed
  await stream.closed
  await t.rejects(client.send('s', 'x'), { code: 'CLOSED' })
  await t.rejects(client.getSession('s'), { code: 'CLOSED' })
  t.throws(() => client.follow('s'), { code: 'CLOSED' })
  t.equal(timers.count, 0)
})

test('in a page URLs may be relative to it', async (t) => {
  const server = await StreamServer.open(t)
  Object.assign(globalThis, { location: { href: `${server.url}/some/page?x#y` } })
  t.teardown(() => { Reflect.deleteProperty(globalThis, 'location') })
  const sent = createClient('/api', soon).send('s', 'hello')
  const asked = await server.next()
  t.equal(asked.url, '/api/sessions/s/messages')
  asked.answer(202, started)
  await sent
  Reflect.deleteProperty(globalThis, 'location')
  t.throws(() => createClient('/api'), TypeError)
  t.throws(() => createClient('ftp://example.com'), { name: 'TypeError', message: /must begin with http/ })
  for (const options of [{ retry: { minMs: -1 } }, { retry: { maxMs: NaN } }, { retry: { attempts: -1 } }, { idleTimeoutMs: 0 }, { idleTimeoutMs: 2 ** 31 }, { maxResponseBytes: 0 }, { maxResponseBytes: Infinity }, { maxResponseBytes: NaN }]) {
    t.throws(() => createClient('http://example.com', options), TypeError, JSON.stringify(options))
    t.throws(() => follow('http://example.com', options), TypeError)
  }
})

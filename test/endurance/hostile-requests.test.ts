import { test, type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { buildStandalone } from '../helpers/build-standalone.ts'
import { BODIES, CURSORS, HOSTILE_REQUESTS, type HostileRequest, METHODS, SESSION_IDS, WIRE } from '../helpers/hostile-requests.ts'
import { random } from '../helpers/random.ts'
import { exchange, type RawAnswer, rawRequest } from '../helpers/raw-request.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { WatchedServer } from '../helpers/watched-server.ts'

/** How many requests are sent at the real server; a few of them in the suite. */
const REQUESTS = Number(process.env['HOSTILE_REQUESTS'] ?? 2_000)
const AT_ONCE = 48

const wholeRun = (text: string): boolean => text.includes('"kind":"complete"')

/** The standalone server with a run in two sessions, so that every stream of them has something to show. */
async function serve (t: Test) {
  const { app, lines } = await buildStandalone(t)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  for (const id of ['hostile', 'constructor']) {
    await postJson(`${url}/sessions/${id}/messages`, { content: '{"demo":{"n":1}}' })
    await (await SseClient.open(`${url}/sessions/${id}/stream?until=complete`)).ended()
  }
  return { app, url, lines }
}

/** What came back, in the words of what was expected. */
function shown ({ status, body, stream }: RawAnswer, { answer, code, gap }: HostileRequest) {
  return {
    answer: answer.includes(status) ? answer : status,
    ...(code !== undefined && { code: status === null ? code : /"code":"(\w+)"/.exec(body)?.[1] }),
    ...(gap !== undefined && { gap: stream ? /"kind":"gap".*?"reason":"(\w+)"/.exec(body)?.[1] ?? null : undefined })
  }
}

async function assertAnswers (t: Test, app: FastifyInstance, url: string, requests: HostileRequest[]): Promise<void> {
  for (const request of requests) {
    const { name, bytes, finish = false, answer, code, gap } = request
    const got = await exchange(url, bytes, { finish, enough: wholeRun })
    t.strictSame(shown(got, request), { answer, ...(code !== undefined && { code }), ...(gap !== undefined && { gap }) }, name)
    if (!got.stream && got.body.includes('{')) t.match(got.head, /\r\ncontent-type: application\/json(; charset=utf-8)?(\r\n|$)/i, `${name}: nothing that a browser would render`)
    t.notMatch(got.head, /content-type: text\/html|access-control-allow-origin|x-powered-by/i, `${name}: and nothing that lets others in`)
    t.notMatch(got.body, /node_modules|SQLITE|\bat .*:\d+:\d+/, `${name}: nothing of our inside`)
  }
  t.strictSame((await app.agentRuns.listSessions()).sessions.map(({ id }) => id).sort(), ['constructor', 'hostile'], 'no session came of it')
  t.equal((await app.agentRuns.listRuns('hostile')).runs.length, 1, 'and no run')
}

for (const [what, requests] of Object.entries({ cursors: CURSORS, methods: METHODS, 'session ids': SESSION_IDS, bodies: BODIES, bytes: WIRE })) {
  test(`${what} that make no sense each get their own answer, and leave nothing behind`, async (t) => {
    const { app, url, lines } = await serve(t)
    await assertAnswers(t, app, url, requests)
    const raw = lines.filter((line) => Array.from(line.slice(0, -1)).some((character) => character < ' '))
    t.strictSame(raw, [], 'what came in cannot begin a line of the log, or colour it')
    t.strictSame(lines.filter((line) => (JSON.parse(line) as { level: number }).level >= 50), [], 'and is no error of ours')
  })
}

test('a body that is odd but can be read is read, and comes back as it was understood', async (t) => {
  const { app, url } = await serve(t)
  const odd: Array<[string, Buffer, string]> = [
    ['twice', Buffer.from('{"content":"first","content":"last"}'), 'last'],
    ['mark', Buffer.from('\ufeff{"content":"x"}'), 'x'],
    ['bytes', Buffer.from('{"content":"\xff\xc0\xaf"}', 'latin1'), '\ufffd\ufffd\ufffd'],
    ['lone', Buffer.from('{"content":"\\ud800 \\u0000 \\u2028"}'), '\ud800 \0 \u2028'],
    ['chunks', Buffer.from('{"content":"x"}'), 'x']
  ]
  for (const [id, body, content] of odd) {
    const whole = id === 'chunks'
      ? Buffer.from(`POST /sessions/${id}/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1;x=y\r\n{\r\n${(body.length - 1).toString(16)}\r\n${body.subarray(1).toString()}\r\n0\r\nmore: headers\r\n\r\n`)
      : rawRequest(`/sessions/${id}/messages`, { method: 'POST', body, headers: [['content-type', 'application/json; charset=UTF-8']] })
    t.equal((await exchange(url, whole)).status, 202, id)
    const { value } = await app.agentRuns.replayEvents(id).next()
    t.match(value, { seq: 1, kind: 'text', content }, id)
  }
})

test('a body that trickles in is given up with a 408, and a stream is not', async (t) => {
  const { app } = await buildStandalone(t)
  // Node exchanges the two if the one for the head is the longer.
  t.match(app.server, { requestTimeout: 30_000, headersTimeout: 30_000 })
  // It looks every 30 s whose time is over: the test cannot wait for that.
  Object.assign(app.server, { requestTimeout: 300, headersTimeout: 300, connectionsCheckingInterval: 50 })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  const slow = await exchange(url, 'POST /sessions/s/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"con')
  t.match(slow, { status: 408 })
  await postJson(`${url}/sessions/s/messages`, { content: '{"demo":{"n":1}}' })
  await client.frame('complete')
  client.cut()
})

test(`${REQUESTS} hostile requests, whole or mangled, get no 5xx, cost the server nothing, and are no errors in its log`, async (t) => {
  const server = await WatchedServer.start(t)
  const { url } = server
  const seed = Number(process.env['HOSTILE_SEED'] ?? 1)
  t.comment(`HOSTILE_SEED=${seed}`)
  const { below, chance } = random(seed)
  const statuses = new Map<string, number>()
  const hostile = HOSTILE_REQUESTS.filter(({ bytes }) => bytes.length < 100_000)
  const large = HOSTILE_REQUESTS.filter(({ bytes }) => bytes.length >= 100_000)
  const send = async (): Promise<void> => {
    const pool = chance(0.002) ? large : hostile
    const { bytes, finish = false } = pool[below(pool.length)]!
    const mangled = chance(0.5)
    const { status } = await exchange(url, mangled ? mangle(bytes, below) : bytes, { finish: finish || chance(0.05), enough: (text) => text.includes('\ndata: {'), patienceMs: 500 })
    statuses.set(String(status), (statuses.get(String(status)) ?? 0) + 1)
  }
  let left = 0
  const round = async (requests: number): Promise<void> => {
    left = requests
    await Promise.all(Array.from({ length: AT_ONCE }, async () => { while (left-- > 0) await send() }))
  }
  await round(Math.min(REQUESTS / 2, 5_000))
  const warm = await server.report()
  await round(REQUESTS - Math.min(REQUESTS / 2, 5_000))
  const after = await server.report()
  t.comment(`status: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`)
  t.comment(`warm: ${JSON.stringify(warm)}`)
  t.comment(`after: ${JSON.stringify(after)}`)
  t.strictSame([...statuses.keys()].filter((status) => status >= '500' && !['503', 'null'].includes(status)), [])
  t.strictSame(after.complaints, [])
  t.ok(after.rss < warm.rss + 64e6, `from ${Math.round(warm.rss / 1e6)} to ${Math.round(after.rss / 1e6)} MB`)
  t.equal((await postJson(`${url}/sessions/hostile/messages`, { content: 'still there?' })).status, 202)
})

/** Some bytes other than they were, gone, doubled or swapped with others. */
function mangle (bytes: Buffer, below: (end: number) => number): Buffer {
  let mangled = bytes
  for (let times = 1 + below(3); times > 0 && mangled.length > 0; times--) {
    const at = below(mangled.length)
    const length = 1 + below(8)
    const [before, middle, after] = [mangled.subarray(0, at), mangled.subarray(at, at + length), mangled.subarray(at + length)]
    mangled = Buffer.concat([
      [before, Buffer.from(Array.from(middle, () => below(256))), after], [before, after], [before, middle, middle, after], [after, middle, before]
    ][below(4)]!)
  }
  return mangled
}

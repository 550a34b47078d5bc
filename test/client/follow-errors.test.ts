import { test, type Test } from 'tap'
import { type ConnectionState, follow, type FollowOptions, RunsClientError, subscribe } from '../../client/index.ts'
import { delta, subscribed } from '../helpers/client-frames.ts'
import { latch } from '../helpers/latch.ts'
import { StreamServer, type Asked } from '../helpers/stream-server.ts'
import { shortly, stateShortly, take } from '../helpers/taken.ts'

const soon: FollowOptions = { retry: { minMs: 1, maxMs: 1 } }

/** Follows, with an answer for each connection, until it ends: what was given on, the states, and the error. */
async function played (t: Test, options: FollowOptions, ...answers: Array<(asked: Asked) => void>) {
  const server = await StreamServer.open(t)
  const states: string[] = []
  const given: Array<string | number> = []
  let error: unknown = null
  const over = (async () => {
    for await (const item of follow(server.url, { ...soon, ...options, onState: (state) => states.push(stateShortly(state)) })) given.push(shortly(item))
  })().catch((reason: unknown) => { error = reason })
  for (const answer of answers) answer(await server.next())
  await over
  return { given, states, error: error as RunsClientError, waiting: server.waiting }
}

const working = (asked: Asked): void => asked.stream(subscribed(), delta(1)).cut()

for (const [status, code] of [[400, 'INVALID_CURSOR'], [401, 'UNAUTHENTICATED'], [403, 'FORBIDDEN'], [404, 'SESSION_NOT_FOUND'], [406, 'NOT_ACCEPTABLE'], [410, 'SESSION_DELETED']] as const) {
  test(`${status} ${code} is the end, also of a stream that worked before`, async (t) => {
    const { given, states, error, waiting } = await played(t, {}, working, (asked) => asked.refuse(status, code))
    t.ok(error instanceof RunsClientError)
    t.match(error, { code, statusCode: status, message: `refused: ${code}` })
    t.strictSame(given, ['chat_subscribed', 1])
    t.strictSame(states, ['connecting 0', 'live', 'waiting 1 NETWORK', 'connecting 1', `closed ${code}`])
    t.equal(waiting, 0)
  })
}

for (const status of [408, 425, 429, 500, 502, 503, 504]) {
  test(`${status} passes, from a server or a proxy`, async (t) => {
    const { states, error } = await played(t, {},
      (asked) => asked.answer(status, '<h1>Later</h1>'),
      (asked) => asked.refuse(status, 'STORE_UNAVAILABLE'),
      (asked) => asked.refuse(403, 'FORBIDDEN')
    )
    t.strictSame(states, ['connecting 0', 'waiting 1 HTTP_ERROR', 'connecting 1', 'waiting 2 STORE_UNAVAILABLE', 'connecting 2', 'closed FORBIDDEN'])
    t.equal(error.code, 'FORBIDDEN')
  })
}

test('a refusal that is not the server\'s own is the end of a stream that never worked, and passes of one that did', async (t) => {
  const page = (asked: Asked): void => asked.answer(404, '<h1>No such service</h1>')
  const strange = (asked: Asked): void => asked.answer(403, { error: 'no' })
  const first = await played(t, {}, page)
  t.match(first.error, { code: 'HTTP_ERROR', statusCode: 404 })
  const later = await played(t, {}, working, page, strange, (asked) => asked.refuse(404, 'SESSION_NOT_FOUND'))
  t.strictSame(later.states, ['connecting 0', 'live', 'waiting 1 NETWORK', 'connecting 1', 'waiting 2 HTTP_ERROR', 'connecting 2', 'waiting 3 HTTP_ERROR', 'connecting 3', 'closed SESSION_NOT_FOUND'])
})

test('an answer that is no stream is the end of one that never worked, and passes of one that did', async (t) => {
  const page = (asked: Asked): void => asked.answer(200, '<h1>Welcome</h1>')
  const first = await played(t, {}, page)
  t.match(first.error, { code: 'NOT_A_STREAM', statusCode: 200 })
  const later = await played(t, {}, working, page, (asked) => asked.refuse(403, 'FORBIDDEN'))
  t.strictSame(later.states, ['connecting 0', 'live', 'waiting 1 NETWORK', 'connecting 1', 'waiting 2 NOT_A_STREAM', 'connecting 2', 'closed FORBIDDEN'])
})

test('Retry-After is heeded, also beyond the longest wait, for up to five minutes', async (t) => {
  const server = await StreamServer.open(t)
  const delayFor = async (answer: (asked: Asked) => void): Promise<number> => {
    const waited = latch<ConnectionState>()
    const items = follow(server.url, { retry: { minMs: 1, maxMs: 100 }, onState: (state) => { if (state.status === 'waiting') waited.open(state) } })
    void items.next()
    answer(await server.next())
    const state = await waited.promise
    await items.return(undefined)
    return state.status === 'waiting' ? state.delayMs : NaN
  }
  const between = (delayMs: number, least: number): void => { t.ok(delayMs >= least && delayMs <= 1.5 * least, `${delayMs}`) }
  between(await delayFor((asked) => asked.answer(429, '', { 'retry-after': '120' })), 120_000)
  between(await delayFor((asked) => asked.answer(503, '', { 'retry-after': '7' })), 7_000)
  between(await delayFor((asked) => asked.refuse(429, 'TOO_MANY_SUBSCRIBERS', { retryAfter: 5 })), 5_000)
  between(await delayFor((asked) => asked.answer(503, '', { 'retry-after': '99999999' })), 300_000)
})

test('only so many failures in a row are forgiven', async (t) => {
  const refused = (asked: Asked): void => asked.answer(502)
  const { states, error } = await played(t, { retry: { minMs: 1, maxMs: 1, attempts: 2 } }, refused, working, refused, refused)
  t.strictSame(states, [
    'connecting 0', 'waiting 1 HTTP_ERROR', 'connecting 1', 'live', 'waiting 1 NETWORK', 'connecting 1', 'waiting 2 HTTP_ERROR', 'connecting 2', 'closed HTTP_ERROR'
  ])
  t.match(error, { code: 'HTTP_ERROR', statusCode: 502 })
})

test('what is missing is asked for again, and is a HOLE if it is missing still', async (t) => {
  const holed = (asked: Asked): void => { asked.stream(subscribed({ cursor: 1, lastSeq: 5, compactedThrough: 2 }), delta(4)) }
  const { given, states, error, waiting } = await played(t, { cursor: 1 }, holed, holed)
  t.equal(error.code, 'HOLE')
  t.match(error.message, 'event 4 after 1')
  t.equal(error.sessionId, 's')
  t.strictSame(given, ['chat_subscribed', 'chat_subscribed'])
  t.strictSame(states, ['connecting 0', 'replaying 1/5', 'waiting 1 HOLE', 'connecting 1', 'replaying 1/5', 'closed HOLE'])
  t.equal(waiting, 0)
})

test('what was compacted on the way is no hole: the next connection names it', async (t) => {
  const { given, error } = await played(t, {},
    (asked) => { asked.stream(subscribed({ lastSeq: 5 }), delta(1), delta(4)) },
    (asked) => { asked.stream(subscribed({ cursor: 1, lastSeq: 5, compactedThrough: 3 }), delta(4), { kind: 'session_deleted', sessionId: 's' }) }
  )
  t.equal(error, null)
  t.strictSame(given, ['chat_subscribed', 1, 'chat_subscribed', 4, 'session_deleted'])
})

test('a stream that starts behind the cursor has a hole', async (t) => {
  const late = (asked: Asked): void => { asked.stream(subscribed({ cursor: 3, compactedThrough: 9 })) }
  const { given, error } = await played(t, { cursor: 2 }, late, late)
  t.equal(error.code, 'HOLE')
  t.strictSame(given, [])
})

for (const [name, text] of [['no JSON', 'data: {"kind":\n\n'], ['no object', 'data: 7\n\n'], ['null', 'data: null\n\n'], ['without a kind', 'data: {"seq":2}\n\n'], ['with a seq that is none', 'data: {"kind":"text","seq":1.5}\n\n']] as const) {
  test(`a frame that is ${name} breaks the connection, and what came before it counts`, async (t) => {
    const { given, states } = await played(t, {},
      (asked) => { asked.stream(subscribed(), delta(1)).write(text) },
      (asked) => asked.url.endsWith('lastEventId=1') && asked.answer(204)
    )
    t.strictSame(given, ['chat_subscribed', 1])
    t.strictSame(states, ['connecting 0', 'live', 'waiting 1 BAD_FRAME', 'connecting 1', 'closed well'])
  })
}

test('a connection on which nothing comes is given up: before the answer, and behind it', async (t) => {
  const { given, states } = await played(t, { idleTimeoutMs: 200 },
    () => {},
    (asked) => { asked.stream(subscribed(), delta(1)) },
    (asked) => asked.answer(204)
  )
  t.strictSame(given, ['chat_subscribed', 1])
  t.strictSame(states, ['connecting 0', 'waiting 1 NETWORK', 'connecting 1', 'live', 'waiting 1 NETWORK', 'connecting 1', 'closed well'])
})

test('headers that never come are given up like an answer that does not', async (t) => {
  const server = await StreamServer.open(t)
  let asked = 0
  const items = follow(server.url, { ...soon, idleTimeoutMs: 200, headers: () => ++asked === 1 ? new Promise(() => {}) : {} })
  const some = take(items, 1)
  const second = await server.next()
  second.stream(subscribed())
  t.strictSame(await some, ['chat_subscribed'])
  t.equal(asked, 2)
  await items.return(undefined)
})

test('nobody there is a failure like others', async (t) => {
  const server = await StreamServer.open(t)
  const states: string[] = []
  const all = follow('http://127.0.0.1:1/', { retry: { minMs: 1, maxMs: 1, attempts: 1 }, onState: (state) => states.push(stateShortly(state)) })
  await t.rejects(all.next(), { code: 'NETWORK', statusCode: null })
  t.strictSame(states, ['connecting 0', 'waiting 1 NETWORK', 'connecting 1', 'closed NETWORK'])
  t.throws(() => follow('/relative'), TypeError, 'and what is no URL is told at once')
  t.equal(server.waiting, 0)
})

test('a subscription rejects with what ended it', async (t) => {
  const server = await StreamServer.open(t)
  const subscription = subscribe(server.url, () => {}, soon)
  const asked = await server.next()
  asked.refuse(404, 'SESSION_NOT_FOUND')
  await t.rejects(subscription.closed, { code: 'SESSION_NOT_FOUND' })
  t.match(subscription.state, { status: 'closed', error: { code: 'SESSION_NOT_FOUND' } })

  const told = latch<ConnectionState>()
  subscribe(server.url, () => {}, { ...soon, onState: (state) => { if (state.status === 'closed') told.open(state) } })
  const again = await server.next()
  again.refuse(410, 'SESSION_DELETED')
  t.match(await told.promise, { error: { code: 'SESSION_DELETED' } }, 'who is told of states need not wait for the end as well')
})

test('what the caller\'s own function throws ends the subscription', async (t) => {
  const server = await StreamServer.open(t)
  const subscription = subscribe(server.url, () => { throw new RangeError('mine') }, soon)
  const asked = await server.next()
  asked.stream(subscribed())
  await t.rejects(subscription.closed, RangeError)
  await asked.closed
  t.strictSame(subscription.state, { status: 'closed', error: null })
})

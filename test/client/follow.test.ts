import { test } from 'tap'
import { type ConnectionState, follow, type FollowOptions, type StreamItem, subscribe } from '../../client/index.ts'
import { complete, delta, deltas, gap, subscribed } from '../helpers/client-frames.ts'
import { latch } from '../helpers/latch.ts'
import { StreamServer } from '../helpers/stream-server.ts'
import { stateShortly, take, takeAll } from '../helpers/taken.ts'

const soon: FollowOptions = { retry: { minMs: 1, maxMs: 1 } }

test('events come in order, and the connection says how it stands', async (t) => {
  const server = await StreamServer.open(t)
  const states: string[] = []
  const items = follow(`${server.url}/sessions/s/stream`, { ...soon, onState: (state) => states.push(stateShortly(state)) })
  const some = take(items, 5)
  const asked = await server.next()
  asked.stream(subscribed({ lastSeq: 2 }), ...deltas(1, 4))
  t.strictSame([asked.method, asked.url, asked.headers.accept], ['GET', '/sessions/s/stream?lastEventId=0', 'text/event-stream'])
  t.strictSame(await some, ['chat_subscribed', 1, 2, 3, 4])
  await items.return(undefined)
  t.strictSame(states, ['connecting 0', 'replaying 0/2', 'live', 'closed well'])
})

test('a connection that is cut within a frame is made anew, from the last event that was given on', async (t) => {
  const server = await StreamServer.open(t)
  const items = follow(`${server.url}/stream?x=1`, soon)
  const some = take(items, 7)
  const first = await server.next()
  first.stream(subscribed(), ...deltas(1, 3)).write('data: {"kind":"stream_del')
  first.cut()
  const second = await server.next()
  t.equal(second.url, '/stream?x=1&lastEventId=3')
  second.stream(subscribed({ cursor: 3 }), ...deltas(4, 5))
  t.strictSame(await some, ['chat_subscribed', 1, 2, 3, 'chat_subscribed', 4, 5])
  await items.return(undefined)
})

test('a stream that is ended without a word is followed further', async (t) => {
  const server = await StreamServer.open(t)
  const items = follow(server.url, soon)
  const some = take(items, 4)
  const first = await server.next()
  first.stream(subscribed(), delta(1)).end()
  const second = await server.next()
  second.stream(subscribed({ cursor: 1 }), delta(2))
  t.strictSame(await some, ['chat_subscribed', 1, 'chat_subscribed', 2])
  await items.return(undefined)
})

test('events that were given on already are not given on again', async (t) => {
  const server = await StreamServer.open(t)
  const items = follow(server.url, { ...soon, cursor: 2 })
  const some = take(items, 3)
  const asked = await server.next()
  asked.stream(subscribed({ cursor: 2 }), ...deltas(1, 3), ...deltas(2, 4))
  t.strictSame(await some, ['chat_subscribed', 3, 4])
  await items.return(undefined)
})

test('who follows from the latest on comes back to where that was', async (t) => {
  const server = await StreamServer.open(t)
  const items = follow(server.url, { ...soon, cursor: 'latest' })
  const some = take(items, 3)
  const first = await server.next()
  t.equal(first.url, '/?lastEventId=latest')
  first.stream(subscribed({ cursor: 7 })).cut()
  const second = await server.next()
  t.equal(second.url, '/?lastEventId=7')
  second.stream(subscribed({ cursor: 7 }), delta(8))
  t.strictSame(await some, ['chat_subscribed', 'chat_subscribed', 8])
  await items.return(undefined)
})

test('a log that is another one than was known is read from its beginning', async (t) => {
  const server = await StreamServer.open(t)
  const items = follow(server.url, { ...soon, cursor: 9 })
  const some = take(items, 5)
  const first = await server.next()
  first.stream(subscribed({ cursor: 0, lastSeq: 2 }), gap('ahead', 3, 9), ...deltas(1, 2)).cut()
  const second = await server.next()
  t.equal(second.url, '/?lastEventId=2')
  second.stream(subscribed({ cursor: 2 }))
  t.strictSame(await some, ['chat_subscribed', 'gap ahead', 1, 2, 'chat_subscribed'])
  await items.return(undefined)
})

test('events that were compacted may be missing: those that the first frame names, and those that a gap names', async (t) => {
  const server = await StreamServer.open(t)
  const items = follow(server.url, soon)
  const some = take(items, 6)
  const asked = await server.next()
  asked.stream(subscribed({ lastSeq: 9, compactedThrough: 3 }), delta(1), delta(4), gap('compacted', 5, 8), delta(9), delta(10))
  t.strictSame(await some, ['chat_subscribed', 1, 4, 'gap compacted', 9, 10])
  await items.return(undefined)
})

test('frames that it does not know are passed over, and events of kinds that it does not know are given on', async (t) => {
  const server = await StreamServer.open(t)
  const items = follow(server.url, soon)
  const some = take(items, 3)
  const asked = await server.next()
  asked.stream(subscribed(), { kind: 'news', sessionId: 's' }, { ...delta(1), kind: 'of_our_own' }, delta(2))
  t.strictSame(await some, ['chat_subscribed', 1, 2])
  await items.return(undefined)
})

test('a server that closes says when to come back, and the caller is not told', async (t) => {
  const server = await StreamServer.open(t)
  const waited = latch<ConnectionState>()
  const items = follow(server.url, { ...soon, retry: { minMs: 1 }, onState: (state) => { if (state.status === 'waiting') waited.open(state) } })
  const some = takeAll(items)
  const asked = await server.next()
  asked.stream(subscribed(), delta(1), { kind: 'stream_closing', sessionId: 's', retryMs: 20_000 })
  const state = await waited.promise
  t.ok(state.status === 'waiting' && state.delayMs >= 20_000 && state.delayMs <= 30_000, JSON.stringify(state))
  await asked.closed
  void items.return(undefined)
  t.strictSame(await some, ['chat_subscribed', 1])
})

test('a retry line says how long the first wait is, and the caller how long the longest', async (t) => {
  const server = await StreamServer.open(t)
  for (const { maxMs, least, most } of [{ maxMs: 30_000, least: 10_000, most: 15_000 }, { maxMs: 4_000, least: 4_000, most: 6_000 }]) {
    const waited = latch<number>()
    const items = follow(server.url, { retry: { maxMs }, onState: (state) => { if (state.status === 'waiting') waited.open(state.delayMs) } })
    void items.next()
    const asked = await server.next()
    asked.stream().write('retry: 10000\n\n').cut()
    const delayMs = await waited.promise
    t.ok(delayMs >= least && delayMs <= most, `${delayMs}`)
    await items.return(undefined)
  }
})

test('a session that is deleted is told of, and is the end', async (t) => {
  const server = await StreamServer.open(t)
  const all = takeAll(follow(server.url, soon))
  const asked = await server.next()
  asked.stream(subscribed(), delta(1), { kind: 'session_deleted', sessionId: 's' })
  t.strictSame(await all, ['chat_subscribed', 1, 'session_deleted'])
  await asked.closed
  t.equal(server.waiting, 0)
})

test('until complete it ends with the run that was running when it began, whatever runs later', async (t) => {
  const server = await StreamServer.open(t)
  const all = takeAll(follow(server.url, { ...soon, until: 'complete' }))
  const first = await server.next()
  t.equal(first.url, '/?lastEventId=0&until=complete')
  first.stream(subscribed({ runId: 'r', lastSeq: 3 }), complete(1, 'earlier'), delta(2)).cut()
  const second = await server.next()
  second.stream(subscribed({ runId: 'next', cursor: 2, lastSeq: 5 }), complete(3, 'r'), delta(4), complete(5, 'next'))
  t.strictSame(await all, ['chat_subscribed', 1, 2, 'chat_subscribed', 3])
})

test('until complete, while none runs, it ends with the latest run; while one waits, with that', async (t) => {
  const server = await StreamServer.open(t)
  const latest = takeAll(follow(server.url, { ...soon, until: 'complete' }))
  const idle = await server.next()
  idle.stream(subscribed({ isProcessing: false, runId: null, lastSeq: 2 }), complete(1, 'earlier'), complete(2), delta(3))
  t.strictSame(await latest, ['chat_subscribed', 1, 2])

  const queued = takeAll(follow(server.url, { ...soon, until: 'complete' }))
  const busy = await server.next()
  busy.stream(subscribed({ isProcessing: true, runId: null, lastSeq: 2 }), complete(1, 'earlier'), complete(2), delta(3), complete(4), delta(5))
  t.strictSame(await queued, ['chat_subscribed', 1, 2, 3, 4])

  const nothing = takeAll(follow(server.url, { ...soon, until: 'complete' }))
  const empty = await server.next()
  empty.stream(subscribed({ isProcessing: false, runId: null }), delta(1), complete(2), delta(3))
  t.strictSame(await nothing, ['chat_subscribed', 1, 2])
})

test('an answer without content ends it well', async (t) => {
  const server = await StreamServer.open(t)
  const states: string[] = []
  const all = takeAll(follow(server.url, { ...soon, until: 'complete', cursor: 5, onState: (state) => states.push(stateShortly(state)) }))
  const asked = await server.next()
  asked.answer(204)
  t.strictSame(await all, [])
  t.strictSame(states, ['connecting 0', 'closed well'])
})

test('headers are asked for anew for each connection', async (t) => {
  const server = await StreamServer.open(t)
  let asked = 0
  const items = follow(server.url, { ...soon, headers: async () => ({ authorization: `token ${++asked}` }) })
  void items.next()
  const first = await server.next()
  t.equal(first.headers.authorization, 'token 1')
  first.cut()
  const second = await server.next()
  t.equal(second.headers.authorization, 'token 2')
  second.stream(subscribed())
  await items.return(undefined)
})

test('a subscription hands items on, and knows its cursor and its state', async (t) => {
  const server = await StreamServer.open(t)
  const items: StreamItem[] = []
  const got = latch()
  const states: string[] = []
  const subscription = subscribe(server.url, (item) => {
    items.push(item)
    if ('seq' in item && item.seq === 9) got.open()
  }, { ...soon, cursor: 7, onState: (state) => states.push(stateShortly(state)) })
  t.equal(subscription.cursor, 7)
  t.strictSame(subscription.state, { status: 'connecting', attempt: 0 })
  const asked = await server.next()
  asked.stream(subscribed({ cursor: 7 }), ...deltas(8, 9))
  await got.promise
  t.equal(subscription.cursor, 9)
  t.strictSame(subscription.state, { status: 'live' })
  subscription.close()
  subscription.close()
  await subscription.closed
  await asked.closed
  t.strictSame(items.map((item) => item.kind), ['chat_subscribed', 'stream_delta', 'stream_delta'])
  t.strictSame(subscription.state, { status: 'closed', error: null })
  t.strictSame(states, ['connecting 0', 'live', 'closed well'])
})

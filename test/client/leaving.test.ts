import { getEventListeners } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { type ConnectionState, follow, type FollowOptions, subscribe } from '../../client/index.ts'
import { delta, deltas, subscribed } from '../helpers/client-frames.ts'
import { latch } from '../helpers/latch.ts'
import { openTimers } from '../helpers/open-timers.ts'
import { StreamServer } from '../helpers/stream-server.ts'
import { take, takeAll } from '../helpers/taken.ts'

const soon: FollowOptions = { retry: { minMs: 1, maxMs: 1 } }
const late: FollowOptions = { retry: { minMs: 3_600_000, maxMs: 3_600_000 } }

/** Options whose signal is the test's, and a latch for the first wait. */
function watched (options: FollowOptions) {
  const stop = new AbortController()
  const waits = latch<ConnectionState>()
  const onState = (state: ConnectionState): void => { if (state.status === 'waiting') waits.open(state) }
  return { stop, waits, listeners: () => getEventListeners(stop.signal, 'abort').length, options: { ...options, signal: stop.signal, onState } }
}

test('leaving the loop closes the connection, and leaves nothing behind', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const { options, listeners } = watched(soon)
  const left = (async () => {
    for await (const item of follow(server.url, options)) {
      if ('seq' in item) break
    }
  })()
  const asked = await server.next()
  asked.stream(subscribed(), ...deltas(1, 5))
  await left
  await asked.closed
  t.equal(timers.count, 0)
  t.equal(listeners(), 0)
})

test('a signal ends it without an error, while it waits for the next event and while nobody takes one', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const waiting = watched(soon)
  const all = takeAll(follow(server.url, waiting.options))
  const asked = await server.next()
  asked.stream(subscribed())
  waiting.stop.abort()
  await all
  await asked.closed
  t.equal(waiting.listeners(), 0)

  const idle = watched(soon)
  const items = follow(server.url, idle.options)
  const first = items.next()
  const other = await server.next()
  other.stream(subscribed(), delta(1))
  await first
  idle.stop.abort()
  await other.closed
  t.strictSame(await items.next(), { done: true, value: undefined })
  t.equal(idle.listeners(), 0)
  t.equal(timers.count, 0)

  t.strictSame(await takeAll(follow(server.url, idle.options)), [], 'and one that was aborted before asks for nothing')
  t.equal(server.waiting, 0)
})

test('return ends a generator that waits: for an answer, for an event, and before the next try', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const unanswered = follow(server.url, soon)
  const nothing = unanswered.next()
  const asked = await server.next()
  await unanswered.return(undefined)
  t.strictSame(await nothing, { done: true, value: undefined })
  await asked.closed

  const { options, waits, listeners } = watched(late)
  const refused = follow(server.url, options)
  const never = refused.next()
  const other = await server.next()
  other.cut()
  await waits.promise
  await refused.return(undefined)
  t.strictSame(await never, { done: true, value: undefined })
  t.equal(listeners(), 0)
  t.equal(timers.count, 0)
})

test('a subscription that is closed while it waits ends at once', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const { options, waits, listeners } = watched(late)
  const subscription = subscribe(server.url, () => {}, options)
  const asked = await server.next()
  asked.answer(502)
  await waits.promise
  t.equal(subscription.state.status, 'waiting')
  subscription.close()
  await subscription.closed
  t.equal(listeners(), 0)
  t.equal(timers.count, 0)
})

test('after it was closed nothing is handed on, not even what had come', async (t) => {
  const server = await StreamServer.open(t)
  const seqs: number[] = []
  const subscription = subscribe(server.url, (item) => {
    if (!('seq' in item)) return
    seqs.push(item.seq)
    if (item.seq === 2) subscription.close()
  }, soon)
  const asked = await server.next()
  asked.stream(subscribed(), ...deltas(1, 5))
  await subscription.closed
  t.strictSame(seqs, [1, 2])
  t.equal(subscription.cursor, 2)
})

test('no more is read than is taken, and who takes nothing is in no hurry', async (t) => {
  const server = await StreamServer.open(t)
  const timers = openTimers(t)
  const items = follow(server.url, soon)
  const first = take(items, 2)
  const asked = await server.next()
  // Far more than sockets and streams hold between the two.
  asked.stream(subscribed(), ...deltas(1, 100).map((event) => ({ ...event, content: 'x'.repeat(200_000) })))
  t.strictSame(await first, ['chat_subscribed', 1])
  for (let turns = 0; turns < 500; turns++) await nextTurn()
  t.ok(asked.isFull, 'nobody reads on')
  t.equal(timers.count, 0)
  t.strictSame(await take(items, 99), Array.from({ length: 99 }, (_, index) => index + 2))
  t.equal(server.waiting, 0)
  await items.return(undefined)
})

/* A page that was hidden, asleep or offline: what browsers say of that is enough to notice a dead connection. */
import { getEventListeners } from 'node:events'
import { test, type Test } from 'tap'
import { WebSocket } from 'ws'
import { createClient, follow, subscribe } from '../../client/index.ts'
import { delta, subscribed } from '../helpers/client-frames.ts'
import { latch } from '../helpers/latch.ts'
import { openTimers } from '../helpers/open-timers.ts'
import { SocketServer } from '../helpers/socket-server.ts'
import { StreamServer } from '../helpers/stream-server.ts'
import { take } from '../helpers/taken.ts'

const late = { retry: { minMs: 3_600_000, maxMs: 3_600_000 } }

/** What a browser has for a global object and a document, for as long as the test lasts. */
function browser (t: Test) {
  const world = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  Object.assign(globalThis, { addEventListener: world.addEventListener.bind(world), removeEventListener: world.removeEventListener.bind(world), document })
  t.teardown(() => { for (const name of ['addEventListener', 'removeEventListener', 'document']) Reflect.deleteProperty(globalThis, name) })
  const listeners = (): number => ['online', 'pageshow', 'focus'].reduce((count, type) => count + getEventListeners(world, type).length, getEventListeners(document, 'visibilitychange').length)
  return { world, document, listeners }
}

const EVENTS = [['world', 'online'], ['world', 'pageshow'], ['world', 'focus'], ['document', 'visibilitychange']] as const

for (const [target, type] of EVENTS) {
  test(`${type} ends the wait for the next connection`, async (t) => {
    const page = browser(t)
    const server = await StreamServer.open(t)
    const timers = openTimers(t)
    const waits = latch()
    const items = follow(server.url, { ...late, onState: ({ status }) => { if (status === 'waiting') waits.open() } })
    const some = take(items, 1)
    ;(await server.next()).cut()
    await waits.promise
    page[target].dispatchEvent(new Event(type))
    const again = await server.next()
    again.stream(subscribed())
    t.strictSame(await some, ['chat_subscribed'])
    await items.return(undefined)
    t.strictSame([page.listeners(), timers.count], [0, 0], 'nothing is left behind')
  })

  test(`${type} replaces a connection ${type === 'online' ? 'at once' : 'that was silent for longer than a heartbeat'}, from the cursor and without a gap`, async (t) => {
    const page = browser(t)
    const server = await StreamServer.open(t)
    const given: unknown[] = []
    const seen = [latch(), latch()]
    const subscription = subscribe(server.url, (item) => {
      given.push('seq' in item ? item.seq : item.kind)
      seen[given.length / 2 - 1]?.open()
    }, late)
    const dead = await server.next()
    dead.stream(subscribed(), delta(1))
    await seen[0]!.promise
    const now = Date.now()
    const later = t.capture(Date, 'now', () => now + 19_000)
    if (type !== 'online') page[target].dispatchEvent(new Event(type))
    later.restore()
    t.equal(server.waiting, 0, 'a connection that was heard of lately is kept')
    t.capture(Date, 'now', () => now + (type === 'online' ? 0 : 21_000))
    page.document.visibilityState = 'hidden'
    if (type !== 'online') page[target].dispatchEvent(new Event(type))
    t.equal(server.waiting, 0, 'and one of a page that is hidden')
    page.document.visibilityState = 'visible'
    page[target].dispatchEvent(new Event(type))
    const again = await server.next()
    t.equal(again.url, '/?lastEventId=1')
    again.stream(subscribed({ cursor: 1 }), delta(2))
    await seen[1]!.promise
    t.strictSame(given, ['chat_subscribed', 1, 'chat_subscribed', 2])
    subscription.close()
    await subscription.closed
    t.equal(page.listeners(), 0)
  })
}

test('reconnect() replaces a connection, and ends the wait for one', async (t) => {
  const server = await StreamServer.open(t)
  const waits = latch()
  const subscription = subscribe(server.url, () => {}, { ...late, onState: ({ status }) => { if (status === 'waiting') waits.open() } })
  const first = await server.next()
  first.stream(subscribed(), delta(1))
  while (subscription.cursor < 1) await new Promise(setImmediate)
  subscription.reconnect()
  const second = await server.next()
  t.equal(second.url, '/?lastEventId=1')
  second.cut()
  await waits.promise
  subscription.reconnect()
  const third = await server.next()
  third.stream(subscribed({ cursor: 1 }))
  subscription.close()
  await subscription.closed
  subscription.reconnect()
  t.equal(server.waiting, 0, 'not once it is closed')
})

for (const status of [200, 404, 502]) {
  test(`an answer of ${status} to something else ${status < 500 ? 'ends' : 'does not end'} the wait of the same client`, async (t) => {
    const server = await StreamServer.open(t)
    const waits = latch()
    const client = createClient(server.url, { ...late, retry: { ...late.retry, attempts: 1 } })
    const subscription = client.subscribe('s', () => {}, { onState: ({ status }) => { if (status === 'waiting') waits.open() } })
    ;(await server.next()).cut()
    await waits.promise
    const asked = client.createSession().catch(() => {})
    const other = await server.next()
    other.answer(status, status === 404 ? { statusCode: 404, code: 'X', message: 'x' } : {})
    await asked
    await new Promise(setImmediate)
    t.equal(subscription.state.status, status < 500 ? 'connecting' : 'waiting')
    client.close()
  })
}

test('a WebSocket is asked whether it is alive when the page wakes up, and replaced if it gives no answer', async (t) => {
  const page = browser(t)
  const server = await SocketServer.open(t)
  const timeouts: Array<() => void> = []
  const client = createClient(server.url, { transport: 'websocket', WebSocket, retry: { minMs: 1, maxMs: 1 } })
  const given: unknown[] = []
  const subscription = client.subscribe('s', (item) => { given.push('seq' in item ? item.seq : item.kind) })
  const dead = await server.next()
  await dead.subscribed()
  dead.send(subscribed({ cursor: 0 }), delta(1))
  while (given.length < 2) await new Promise(setImmediate)
  const timer = globalThis.setTimeout
  const captured = t.capture(globalThis, 'setTimeout', (callback: () => void, ms: number) => {
    if (ms !== 5_000) return timer(callback, ms)
    timeouts.push(callback)
    return timer(() => {}, 0)
  })
  dead.held = []
  page.world.dispatchEvent(new Event('focus'))
  page.world.dispatchEvent(new Event('online'))
  captured.restore()
  t.equal(timeouts.length, 1, 'asked once')
  timeouts[0]!()
  const again = await server.next()
  t.strictSame(await again.subscribed(), { s: 1 })
  again.send(subscribed({ cursor: 1 }), delta(2))
  while (given.length < 4) await new Promise(setImmediate)
  t.strictSame(given, ['chat_subscribed', 1, 'chat_subscribed', 2])
  subscription.close()
  client.close()
})

import { test } from 'tap'
import type { Event, StoredEvent } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import { Channel } from '../../lib/streams/channel.ts'
import { IterableSink } from '../../lib/streams/iterable-sink.ts'
import { Subscriber, type SubscriberHost, type SubscriberOptions } from '../../lib/streams/subscriber.ts'
import { MemoryLog, storedEvent } from '../helpers/memory-log.ts'

/** A reader of a session with one event, from its cursor on, before its first `next`. */
function build (more: Partial<SubscriberOptions> = {}, signal?: AbortSignal) {
  const log = new MemoryLog()
  const channel = new Channel('s')
  channel.advance(log.commit(1).at(-1)!.seq)
  let closed = 0
  const sink = new IterableSink()
  const host: SubscriberHost = {
    read: (_sessionId, _owner, after) => log.read(after), getSession: async () => null, appeared: () => {}, closed: () => { closed++ }, failed: (error) => { throw error }
  }
  const subscriber = new Subscriber<StoredEvent[]>(channel, sink, host, { cursor: 1, first: log.page(1), gap: null, until: null, owner: null, queueRead: 0, ...more })
  const reader = sink.read(subscriber, signal)
  subscriber.start()
  return { log, channel, sink, subscriber, reader, publish: (seq: number) => channel.publish(log.commit(seq)), closed: () => closed }
}

/** The next `count` items, events by seq and frames by kind. */
async function take (reader: AsyncGenerator<Event | Frame>, count: number): Promise<Array<number | string>> {
  const items: Array<number | string> = []
  while (items.length < count) {
    const { done, value } = await reader.next()
    if (done === true) return [...items, 'done']
    items.push('seq' in value ? value.seq : value.kind)
  }
  return items
}

function range (from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

test('a reader gets frames and parsed events in the order in which they were written', async (t) => {
  const { reader, publish, subscriber, closed } = build()
  publish(2)
  publish(4)
  const { value } = await reader.next()
  t.match(value, { kind: 'chat_subscribed', cursor: 1, lastSeq: 1 })
  t.strictSame((await reader.next()).value, { kind: 'custom', seq: 2, runId: 'r' })
  t.strictSame(await take(reader, 2), [3, 4])
  publish(5)
  subscriber.finish({ kind: 'stream_closing', sessionId: 's', retryMs: 1 })
  t.strictSame(await take(reader, 9), [5, 'stream_closing', 'done'], 'what was written before the end is read before it')
  t.equal(closed(), 1)
  t.end()
})

test('a reader that waits is woken by an event, by a frame and by the end', async (t) => {
  const { reader, publish, sink, subscriber } = build()
  t.strictSame(await take(reader, 1), ['chat_subscribed'])
  const event = take(reader, 1)
  publish(2)
  t.strictSame(await event, [2])
  const frame = take(reader, 1)
  sink.frame({ kind: 'gap', sessionId: 's', reason: 'compacted', from: 1, to: 1 })
  t.strictSame(await frame, ['gap'])
  const end = take(reader, 1)
  subscriber.close()
  t.strictSame(await end, ['done'])
  t.end()
})

test('a reader that leaves ends the subscription', async (t) => {
  const { reader, publish, closed, sink } = build()
  for await (const item of reader) {
    if (item.kind === 'chat_subscribed') publish(3)
    else break
  }
  t.equal(closed(), 1)
  publish(4)
  t.strictSame(await take(reader, 1), ['done'])
  t.equal(sink.events([]), true, 'nothing was kept for it')
  t.end()
})

test('a reader whose subscription may not begin any more gets nothing', async (t) => {
  const { reader, closed } = build({}, AbortSignal.abort())
  t.strictSame(await take(reader, 1), ['done'])
  t.equal(closed(), 1)
  t.end()
})

test('an abort ends a reader that waits, and one that holds unread events, at once', async (t) => {
  const waiting = new AbortController()
  const one = build({}, waiting.signal)
  await take(one.reader, 1)
  const end = take(one.reader, 1)
  waiting.abort()
  t.strictSame(await end, ['done'])
  t.equal(one.closed(), 1)

  const reading = new AbortController()
  const two = build({}, reading.signal)
  two.publish(9)
  t.strictSame(await take(two.reader, 2), ['chat_subscribed', 2])
  reading.abort()
  t.strictSame(await take(two.reader, 1), ['done'])
  t.equal(two.closed(), 1)
  t.end()
})

test('a reader that has ended no longer listens to its signal', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => { listeners++; add(...args) }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => { listeners--; remove(...args) }
  const { reader } = build({}, signal)
  await take(reader, 1)
  t.equal(listeners, 1)
  await reader.return(undefined)
  t.equal(listeners, 0)
  t.end()
})

test('what a reader leaves unread is bounded, and nothing of it is lost', async (t) => {
  const { reader, publish, subscriber } = build()
  for (let seq = 2; seq <= 700; seq++) {
    publish(seq)
    if (seq === 300) t.strictSame(await take(reader, 200), ['chat_subscribed', ...range(2, 200)])
  }
  t.ok(subscriber.cursor <= 257, `${subscriber.cursor} of 700 in memory`)
  t.strictSame(await take(reader, 500), range(201, 700))
  publish(701)
  t.strictSame(await take(reader, 1), [701])
  t.end()
})

test('a batch larger than the bound comes whole, and the reader goes on after it', async (t) => {
  const { reader, channel, log } = build()
  channel.publish(log.commit(400))
  channel.publish([storedEvent(401)])
  t.strictSame((await take(reader, 401)).at(-1), 401)
  t.end()
})

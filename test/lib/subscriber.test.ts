import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import type { ClosingFrame, GapFrame } from '../../lib/protocol/words.ts'
import { Channel } from '../../lib/streams/channel.ts'
import { MemoryLog, follow, PENDING, storedEvent, storedEvents } from '../helpers/memory-log.ts'

const CLOSING: ClosingFrame = { kind: 'stream_closing', sessionId: 's', retryMs: 1_000 }

/** A log with events up to `lastSeq`, and a channel that knows them as committed here. */
function build (lastSeq: number): { log: MemoryLog, channel: Channel, publish: (seq: number) => void } {
  const log = new MemoryLog()
  const channel = new Channel('s')
  const publish = (seq: number): void => channel.publish(log.commit(seq))
  if (lastSeq > 0) {
    log.commit(lastSeq)
    channel.advance(lastSeq)
  }
  return { log, channel, publish }
}

test('the first frame says where the client stands, with the effective cursor as its id; a gap comes before the events', async (t) => {
  const { log, channel } = build(3)
  log.compactedThrough = 2
  const gap: GapFrame = { kind: 'gap', sessionId: 's', reason: 'compacted', from: 2, to: 2 }
  const { sink, subscriber } = follow(log, channel, 1, { gap })
  subscriber.start()
  await sink.until(3)
  t.strictSame(sink.frames, [
    { kind: 'chat_subscribed', sessionId: 's', isProcessing: true, runId: 'r', waiting: [], cursor: 1, lastSeq: 3, compactedThrough: 2, pendingPermissions: [PENDING], morePendingPermissions: [] },
    gap
  ])
  t.strictSame(sink.ids, [1, undefined])
  t.strictSame(sink.written, ['chat_subscribed', 'gap', 2, 3])
  t.end()
})

test('a session that does not exist has a first frame too', (t) => {
  const { log, channel } = build(0)
  log.exists = false
  const { sink, subscriber } = follow(log, channel, 0)
  subscriber.start()
  t.strictSame(sink.frames, [
    { kind: 'chat_subscribed', sessionId: 's', isProcessing: false, runId: null, waiting: [], cursor: 0, lastSeq: 0, compactedThrough: 0, pendingPermissions: [], morePendingPermissions: [] }
  ])
  t.strictSame(sink.ids, [0])
  subscriber.close()
  t.end()
})

test('a client that is up to date is live at once, without a read', (t) => {
  const { log, channel, publish } = build(3)
  const { sink, subscriber } = follow(log, channel, 3)
  subscriber.start()
  publish(4)
  publish(6)
  t.strictSame(sink.written, ['chat_subscribed', 4, 5, 6])
  t.strictSame(log.reads, [])
  t.equal(subscriber.cursor, 6)
  t.end()
})

test('a long log comes in pages, with a turn for others between them', async (t) => {
  const { log, channel } = build(12)
  const { sink, subscriber } = follow(log, channel, 1)
  subscriber.start()
  await nextTurn()
  const early = sink.written.length
  await sink.until(12)
  t.ok(early < 10, `${early} of 12 in the first turn`)
  t.strictSame(log.reads, [4, 7, 10], 'the first page came with the opening')
  t.strictSame(sink.written, ['chat_subscribed', 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  t.end()
})

test('a full sink is given nothing and nothing is read for it; drained, it catches up from memory', async (t) => {
  const { log, channel, publish } = build(1)
  const { sink, subscriber } = follow(log, channel, 1)
  subscriber.start()
  sink.room = 1
  for (const seq of [2, 3, 4]) publish(seq)
  subscriber.wake()
  await nextTurn()
  t.strictSame(sink.written, ['chat_subscribed', 2], 'the others wait in the log')
  sink.room = Infinity
  subscriber.drained()
  publish(5)
  t.strictSame(sink.written, ['chat_subscribed', 2, 3, 4, 5])
  t.strictSame(log.reads, [])
  t.end()
})

test('a slow reader that memory does not reach back to catches up from the store, a page per drain', async (t) => {
  const { log, channel, publish } = build(9)
  const { sink, subscriber } = follow(log, channel, 1)
  sink.room = 1
  subscriber.start()
  for (const next of [7, 9]) {
    await nextTurn()
    t.equal(sink.written.at(-1), next === 7 ? 4 : 7, 'one page and no more')
    sink.room = 1
    subscriber.drained()
    await sink.until(next)
  }
  sink.room = Infinity
  subscriber.drained()
  publish(10)
  await sink.until(10)
  t.strictSame(sink.written, ['chat_subscribed', 2, 3, 4, 5, 6, 7, 8, 9, 10])
  t.strictSame(log.reads, [4, 7])
  t.end()
})

test('what a read shows of commits made elsewhere moves the channel on, and wakes live subscribers', async (t) => {
  const { log, channel, publish } = build(9)
  const live = follow(log, channel, 9)
  live.subscriber.start()
  const { sink, subscriber } = follow(log, channel, 1)
  subscriber.start()
  log.commit(11)
  await sink.until(11)
  await nextTurn()
  t.equal(channel.head, 11)
  await live.sink.until(11)
  publish(12)
  t.strictSame([live.sink.written, sink.written], [['chat_subscribed', 10, 11, 12], ['chat_subscribed', 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]])
  t.end()
})

test('of two clients the full one does not hold up the other', (t) => {
  const { log, channel, publish } = build(1)
  const [slow, fast] = [follow(log, channel, 1), follow(log, channel, 1)]
  slow.subscriber.start()
  fast.subscriber.start()
  slow.sink.room = 1
  publish(2)
  publish(3)
  t.strictSame([slow.sink.written, fast.sink.written], [['chat_subscribed', 2], ['chat_subscribed', 2, 3]])
  t.end()
})

test('a session is waited for: nothing of it is written until a read has let the client in', async (t) => {
  const { log, channel, publish } = build(0)
  log.exists = false
  const { sink, subscriber } = follow(log, channel, 0)
  subscriber.start()
  await nextTurn()
  log.exists = true
  log.hold = true
  const asked = log.asked()
  publish(1)
  publish(2)
  await asked
  publish(3)
  t.strictSame(sink.written, ['chat_subscribed'], 'whose session it is is not known yet')
  log.release()
  await sink.until(3)
  publish(4)
  t.strictSame(sink.written, ['chat_subscribed', 1, 2, 3, 4])
  t.end()
})

test('what was compacted while a slow reader was on its way is told once, before what is left', async (t) => {
  const { log, channel } = build(12)
  const { sink, subscriber } = follow(log, channel, 1)
  sink.room = 1
  subscriber.start()
  await nextTurn()
  log.events = log.events.filter(({ seq }) => seq < 5 || seq > 6)
  log.compactedThrough = 6
  sink.room = Infinity
  subscriber.drained()
  await sink.until(12)
  t.strictSame(sink.written, ['chat_subscribed', 2, 3, 4, 'gap', 7, 8, 9, 10, 11, 12])
  t.strictSame(sink.frames[1], { kind: 'gap', sessionId: 's', reason: 'compacted', from: 5, to: 6 })
  t.end()
})

test('who is past what was compacted has lost nothing and is told of no gap; who was told of fewer holes than there are is', async (t) => {
  const past = build(9)
  const one = follow(past.log, past.channel, 1)
  one.sink.room = 1
  one.subscriber.start()
  await nextTurn()
  past.log.compactedThrough = 4
  one.sink.room = Infinity
  one.subscriber.drained()
  await one.sink.until(9)
  t.strictSame(one.sink.written, ['chat_subscribed', 2, 3, 4, 5, 6, 7, 8, 9])

  const fresh = build(0)
  fresh.log.exists = false
  const two = follow(fresh.log, fresh.channel, 0)
  two.subscriber.start()
  fresh.log.exists = true
  fresh.log.compactedThrough = 2
  fresh.log.events = storedEvents(2, 3)
  fresh.channel.advance(3)
  await two.sink.until(3)
  t.strictSame(two.sink.written, ['chat_subscribed', 'gap', 2, 3])
  t.strictSame(two.sink.frames[1], { kind: 'gap', sessionId: 's', reason: 'compacted', from: 1, to: 2 })
  t.end()
})

test('a page that ends in compacted seqs moves the cursor past them', async (t) => {
  const { log, channel, publish } = build(4)
  log.events = storedEvents(1, 2)
  const first = { ...log.page(1)!, through: 4 }
  const { sink, subscriber } = follow(log, channel, 1, { first: { ...first, session: { ...first.session, lastSeq: 4, compactedThrough: 4 } } })
  subscriber.start()
  await sink.until(2)
  t.equal(subscriber.cursor, 4)
  log.events.push(storedEvent(4))
  publish(5)
  t.strictSame(sink.written, ['chat_subscribed', 2, 5], 'and it is live')
  t.end()
})

test('when the log cannot be read the stream ends, and its opener learns why, once', async (t) => {
  const failure = new Error('disk I/O error')
  const { log, channel } = build(9)
  const { sink, subscriber, closed, errors } = follow(log, channel, 1, { read: () => Promise.reject(failure) })
  subscriber.start()
  await sink.until('END')
  t.strictSame(sink.written, ['chat_subscribed', 2, 3, 4, 'END'])
  await nextTurn()
  t.strictSame(errors, [failure])
  t.equal(closed(), 1)
  t.end()
})

test('a client that has gone is written nothing, whatever is under way', async (t) => {
  const { log, channel, publish } = build(9)
  const { sink, subscriber, closed, errors } = follow(log, channel, 1)
  log.hold = true
  const asked = log.asked()
  subscriber.start()
  await asked
  subscriber.close()
  subscriber.close()
  log.release()
  publish(10)
  subscriber.drained()
  subscriber.wake()
  subscriber.finish(CLOSING)
  await nextTurn()
  t.strictSame(sink.written, ['chat_subscribed', 2, 3, 4, 'END'])
  t.strictSame([closed(), errors], [1, []])
  t.end()
})

test('finishing a live client is immediate', (t) => {
  const { log, channel, publish } = build(1)
  const { sink, subscriber, closed } = follow(log, channel, 1)
  subscriber.start()
  publish(2)
  subscriber.finish(CLOSING)
  publish(3)
  t.strictSame(sink.written, ['chat_subscribed', 2, 'stream_closing', 'END'])
  t.equal(closed(), 1)
  t.end()
})

test('finishing a client that is catching up or full waits until it has everything', async (t) => {
  const { log, channel, publish } = build(9)
  const { sink, subscriber, closed } = follow(log, channel, 1)
  log.hold = true
  const asked = log.asked()
  subscriber.start()
  await asked
  subscriber.finish(CLOSING)
  publish(10)
  sink.room = 1
  log.release()
  await sink.until(7)
  await nextTurn()
  t.equal(closed(), 0, 'its sink is full, and more is committed')
  sink.room = Infinity
  subscriber.drained()
  await sink.until('END')
  t.strictSame(sink.written, ['chat_subscribed', 2, 3, 4, 5, 6, 7, 8, 9, 10, 'stream_closing', 'END'])
  t.end()
})

test('finishing a client whose session never came ends it at once', async (t) => {
  const { log, channel } = build(0)
  log.exists = false
  const { sink, subscriber, closed } = follow(log, channel, 0)
  subscriber.start()
  await nextTurn()
  t.equal(closed(), 0)
  subscriber.finish(CLOSING)
  await sink.until('END')
  t.strictSame(sink.written, ['chat_subscribed', 'stream_closing', 'END'])
  t.end()
})

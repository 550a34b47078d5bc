import { test } from 'tap'
import { Channel } from '../../lib/streams/channel.ts'
import { MemoryLog, follow, storedEvent } from '../helpers/memory-log.ts'

/** Two runs, one after the other: 1–3 and 4–6; each ends with its `complete`. */
function twoRuns (): { log: MemoryLog, channel: Channel } {
  const log = new MemoryLog()
  log.limit = { rows: 10, bytes: Infinity }
  log.events = [
    storedEvent(1, { runId: 'a' }), storedEvent(2, { runId: 'a' }), storedEvent(3, { runId: 'a', kind: 'complete' }),
    storedEvent(4, { runId: 'b' }), storedEvent(5, { runId: 'b' }), storedEvent(6, { runId: 'b', kind: 'complete' })
  ]
  const channel = new Channel('s')
  channel.advance(6)
  return { log, channel }
}

test('a subscription for a run ends after that run\'s complete, in the middle of a page', async (t) => {
  for (const [runId, last] of [['a', 3], ['b', 6]] as const) {
    const { log, channel } = twoRuns()
    const { sink, subscriber, closed } = follow(log, channel, 1, { until: { runId } })
    subscriber.start()
    await sink.until('END')
    t.strictSame(sink.written, ['chat_subscribed', ...[2, 3, 4, 5, 6].filter((seq) => seq <= last), 'END'])
    t.equal(subscriber.cursor, last)
    t.equal(closed(), 1)
  }
  t.end()
})

test('a subscription for the next run takes the first that it sees, and not the complete of another', async (t) => {
  const { log, channel } = twoRuns()
  const { sink, subscriber } = follow(log, channel, 3, { until: { runId: null } })
  subscriber.start()
  await sink.until('END')
  t.strictSame(sink.written, ['chat_subscribed', 4, 5, 6, 'END'])
  t.end()
})

test('a subscription for a run ends live too, in the middle of a batch, and others get all of it', (t) => {
  const channel = new Channel('s')
  channel.advance(6)
  const { log } = twoRuns()
  const one = follow(log, channel, 6, { until: { runId: 'c' } })
  const next = follow(log, channel, 6, { until: { runId: null } })
  const all = follow(log, channel, 6)
  for (const { subscriber } of [one, next, all]) subscriber.start()
  channel.publish([storedEvent(7, { runId: 'c' })])
  channel.publish([storedEvent(8, { runId: 'c', kind: 'complete' }), storedEvent(9, { runId: 'd' })])
  channel.publish([storedEvent(10, { runId: 'd', kind: 'complete' })])
  t.strictSame([one, next, all].map(({ sink }) => sink.written), [
    ['chat_subscribed', 7, 8, 'END'], ['chat_subscribed', 7, 8, 'END'], ['chat_subscribed', 7, 8, 9, 10]
  ])
  t.strictSame([one, next, all].map(({ closed }) => closed()), [1, 1, 0])
  t.end()
})

test('a session that is waited for ends with its first run', async (t) => {
  const log = new MemoryLog()
  log.exists = false
  const channel = new Channel('s')
  const { sink, subscriber } = follow(log, channel, 0, { until: { runId: null } })
  subscriber.start()
  log.exists = true
  log.events = [storedEvent(1, { runId: 'a' }), storedEvent(2, { runId: 'a', kind: 'complete' })]
  channel.publish(log.events)
  await sink.until('END')
  t.strictSame(sink.written, ['chat_subscribed', 1, 2, 'END'])
  t.end()
})

test('the client that gets the complete into a full socket is ended all the same', (t) => {
  const { log, channel } = twoRuns()
  const { sink, subscriber, closed } = follow(log, channel, 6, { until: { runId: 'c' } })
  subscriber.start()
  sink.room = 1
  channel.publish([storedEvent(7, { runId: 'c', kind: 'complete' })])
  t.strictSame(sink.written, ['chat_subscribed', 7, 'END'])
  t.equal(closed(), 1)
  t.end()
})

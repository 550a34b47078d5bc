/* C1 for clients that fall behind: full sockets, lost notifications, late reads, and who must not be let in. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { test } from 'tap'
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { LogPage } from '../../lib/store/store.ts'
import { Channel } from '../../lib/streams/channel.ts'
import { MemoryLog, follow, storedEvents } from '../helpers/memory-log.ts'

/** What a client that began after `cursor` must have been sent, up to `lastSeq`. */
function everything (cursor: number, lastSeq: number): Array<number | string> {
  return ['chat_subscribed', ...storedEvents(cursor + 1, lastSeq).map(({ seq }) => seq)]
}

test('a client that was live at once and is overtaken goes on where it was', async (t) => {
  const log = new MemoryLog()
  const channel = new Channel('s')
  log.commit(1)
  const { sink, subscriber } = follow(log, channel, 1)
  subscriber.start()
  channel.publish(log.commit(3))
  channel.advance(log.commit(8).at(-1)!.seq)
  await sink.until(8)
  t.strictSame(sink.written, everything(1, 8))
  t.strictSame(log.reads, [3, 6])
  t.end()
})

test('a client that caught up from memory and is overtaken goes on where it was', async (t) => {
  const log = new MemoryLog()
  const channel = new Channel('s')
  channel.publish(log.commit(3))
  const { sink, subscriber } = follow(log, channel, 1)
  subscriber.start()
  channel.advance(log.commit(5).at(-1)!.seq)
  await sink.until(5)
  t.strictSame(sink.written, everything(1, 5))
  t.end()
})

test('a client to whom the session that it waited for does not belong is ended, without an event and without being asked again', async (t) => {
  const channel = new Channel('s')
  let reads = 0
  const read = async (): Promise<LogPage | null> => {
    if (++reads > 10) throw new Error('the store is asked over and over')
    return null
  }
  const log = new MemoryLog()
  log.exists = false
  const { sink, subscriber, closed, errors } = follow(log, channel, 0, { read })
  subscriber.start()
  await nextTurn()
  t.strictSame([sink.written, reads], [['chat_subscribed'], 1])
  channel.publish(storedEvents(1, 2))
  await sink.until('END')
  await nextTurn()
  t.strictSame(sink.written, ['chat_subscribed', 'END'])
  t.strictSame([errors, closed()], [[], 1])
  t.end()
})

const action = fc.oneof(
  fc.record({ do: fc.constant('commit' as const), count: fc.integer({ min: 1, max: 9 }) }),
  fc.constantFrom(...(['publish', 'publish', 'lose', 'answer', 'fill', 'drain', 'turn'] as const)).map((step) => ({ do: step, count: 0 }))
)

test('a slow client among lost notifications and late reads gets each event once', async (t) => {
  await t.resolves(fc.assert(fc.asyncProperty(fc.nat(6), fc.array(action, { maxLength: 40 }), async (cursor, actions) => {
    const log = new MemoryLog()
    const channel = new Channel('s')
    channel.advance(log.commit(6).at(-1)!.seq)
    log.hold = true
    const client = follow(log, channel, cursor)
    client.subscriber.start()
    const batches: StoredEvent[][] = []
    for (const { do: step, count } of actions) {
      if (step === 'commit') batches.push(log.commit(log.lastSeq + count))
      else if (step === 'publish' && batches.length > 0) channel.publish(batches.shift()!)
      else if (step === 'lose') batches.shift()
      else if (step === 'answer') log.held.shift()?.open()
      else if (step === 'fill') client.sink.room = Math.min(client.sink.room, 1)
      else if (step === 'drain' && client.sink.room <= 0) {
        client.sink.room = Infinity
        client.subscriber.drained()
      } else if (step === 'turn') await nextTurn()
    }
    for (const batch of batches) channel.publish(batch)
    channel.advance(log.lastSeq)
    const full = client.sink.room <= 0
    client.sink.room = Infinity
    if (full) client.subscriber.drained()
    log.release()
    client.subscriber.finish({ kind: 'stream_closing', sessionId: 's', retryMs: 1 })
    await client.sink.until('END')
    if (client.errors.length > 0) throw client.errors[0]
    if (JSON.stringify(client.sink.written) !== JSON.stringify([...everything(cursor, log.lastSeq), 'stream_closing', 'END'])) throw new Error(JSON.stringify(client.sink.written))
  }), { numRuns: 2_000 }))
  t.end()
})

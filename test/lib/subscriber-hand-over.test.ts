/* C1: once, in order, no holes, wherever commits and their publishing fall into the opening of a subscription. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import type { StoredEvent } from '../../lib/protocol/event.ts'
import { Channel } from '../../lib/streams/channel.ts'
import { MemoryLog, follow, type Following, storedEvents } from '../helpers/memory-log.ts'

/** All orders of two sequences that keep each one's own. */
function interleavings<T> (one: T[], two: T[]): T[][] {
  if (one.length === 0 || two.length === 0) return [[...one, ...two]]
  return [
    ...interleavings(one.slice(1), two).map((rest) => [one[0]!, ...rest]),
    ...interleavings(one, two.slice(1)).map((rest) => [two[0]!, ...rest])
  ]
}

/** What a client that began after `cursor` must have been sent, up to `lastSeq`. */
function everything (cursor: number, lastSeq: number): Array<number | string> {
  return ['chat_subscribed', ...storedEvents(cursor + 1, lastSeq).map(({ seq }) => seq), 'stream_closing', 'END']
}

/** Ends a client as a shutdown does: it gets what is committed, then goodbye. */
async function finish ({ sink, subscriber }: Following, log: MemoryLog): Promise<void> {
  log.release()
  subscriber.finish({ kind: 'stream_closing', sessionId: 's', retryMs: 1 })
  await sink.until('END')
}

const STORE_ORDERS = [
  [], ['commit', 'publish'], ['commit', 'publish', 'commit', 'publish'], ['commit', 'commit', 'publish', 'publish'], ['commit', 'commit', 'publish both']
]
const READER = ['open', 'start', 'turn', 'answer', 'turn']

async function handOver (steps: string[], cursor: number, channelIsNew: boolean): Promise<Array<number | string>> {
  const log = new MemoryLog()
  const channel = new Channel('s')
  log.commit(2)
  log.hold = true
  // Somebody else follows already, or nobody does.
  if (!channelIsNew) channel.publish(log.events.slice())
  const batches: StoredEvent[][] = []
  let client: Following | null = null
  for (const step of steps) {
    if (step === 'commit') batches.push(log.commit(log.lastSeq + 1))
    else if (step === 'publish') channel.publish(batches.shift()!)
    else if (step === 'publish both') channel.publish(batches.splice(0).flat())
    else if (step === 'open') client = follow(log, channel, cursor)
    else if (step === 'start') client!.subscriber.start()
    else if (step === 'answer') log.held.shift()?.open()
    else await nextTurn()
  }
  await finish(client!, log)
  return client!.sink.written
}

for (const channelIsNew of [true, false]) {
  for (const cursor of [0, 1, 2]) {
    test(`from ${cursor}, ${channelIsNew ? 'alone' : 'beside others'}, a client gets each event once at every interleaving of commits and its opening`, async (t) => {
      const wrong = []
      let count = 0
      for (const order of STORE_ORDERS) {
        for (const steps of interleavings(order, READER)) {
          count++
          const written = await handOver(steps, cursor, channelIsNew)
          if (JSON.stringify(written) !== JSON.stringify(everything(cursor, 2 + order.filter((step) => step === 'commit').length))) wrong.push({ steps: steps.join(', '), written })
        }
      }
      t.strictSame(wrong, [])
      t.equal(count, 1 + 21 + 126 + 126 + 56)
      t.end()
    })
  }
}

test('a log that ends where a page ends is read to its end, and then followed', async (t) => {
  for (const length of [3, 6, 12]) {
    const [log, channel] = [new MemoryLog(), new Channel('s')]
    log.commit(length)
    const { sink, subscriber } = follow(log, channel, 0)
    subscriber.start()
    await sink.until(length)
    await nextTurn()
    channel.publish(log.commit(length + 1))
    await sink.until(length + 1)
    t.strictSame(sink.written, ['chat_subscribed', ...Array.from({ length: length + 1 }, (_, index) => index + 1)])
  }
})

import { test } from 'tap'
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { QueueFrame } from '../../lib/protocol/words.ts'
import { Channel, type Follower, type Format, type SharedEncoding } from '../../lib/streams/channel.ts'
import { storedEvent, storedEvents } from '../helpers/memory-log.ts'

const ALL = { rows: Infinity, bytes: Infinity }
const seqs = (events: StoredEvent[] | null): number[] | null => events && events.map(({ seq }) => seq)

/** Writes down what the channel does with it. */
class TestFollower implements Follower {
  cursor: number
  full = false
  queueRead = 0
  readonly seen: Array<number[] | string> = []
  readonly #onDeliver: (shared: SharedEncoding) => void

  constructor (cursor: number, onDeliver: (shared: SharedEncoding) => void = () => {}) {
    this.cursor = cursor
    this.#onDeliver = onDeliver
  }

  deliver (events: StoredEvent[], shared: SharedEncoding): boolean {
    this.seen.push(events.map(({ seq }) => seq))
    this.cursor = events.at(-1)!.seq
    this.#onDeliver(shared)
    return !this.full
  }

  wake (): void {
    this.seen.push('wake')
  }

  showQueue ({ waiting }: QueueFrame, _text: string, read: number): void {
    this.queueRead = read
    this.seen.push(`waiting ${waiting.map(({ preview }) => preview).join()}`)
  }
}

/** A channel that somebody follows who is not live. */
function followedChannel (): Channel {
  const channel = new Channel('s')
  channel.enter()
  return channel
}

test('only a follower that has everything is live; the live get each batch once, in order', (t) => {
  const channel = new Channel('s')
  channel.advance(3)
  const [behind, live, ahead] = [new TestFollower(2), new TestFollower(3), new TestFollower(4)]
  t.strictSame([behind, live, ahead].map((follower) => channel.join(follower)), [false, true, false])
  t.equal(channel.join(live), true, 'joining twice is joining once')
  channel.publish(storedEvents(4, 5))
  channel.publish(storedEvents(6, 6))
  t.strictSame([behind, live, ahead].map(({ seen }) => seen), [[], [[4, 5], [6]], []])
  t.equal(channel.head, 6)
  t.end()
})

test('what waits is told to who is live, and to others once they are; not to who has read it themselves since', (t) => {
  const channel = new Channel('s')
  const waiting = (preview: string) => [{ runId: 'r', messageId: 'm', preview, createdAt: '' }]
  channel.advance(3)
  const [live, behind, news] = [new TestFollower(3), new TestFollower(2), new TestFollower(3)]
  channel.join(live)
  const first = channel.beginQueueRead()
  channel.showQueue(waiting('one'), first)
  t.equal(channel.hasQueue, true)
  news.queueRead = channel.queueReads
  channel.join(news)
  channel.tellQueue(news)
  t.strictSame([live.seen, behind.seen, news.seen], [['waiting one'], [], []])
  // What it read itself may be older than what the first read brought: the next one is told, though it is the same.
  channel.showQueue(waiting('one'), channel.beginQueueRead())
  behind.cursor = 3
  channel.join(behind)
  for (const follower of [behind, behind, live]) channel.tellQueue(follower)
  channel.showQueue([], channel.beginQueueRead())
  t.equal(channel.hasQueue, false)
  t.strictSame([live.seen, behind.seen, news.seen], [['waiting one', 'waiting one', 'waiting '], ['waiting one', 'waiting '], ['waiting one', 'waiting ']])
  t.end()
})

test('what a subscription finds waiting is known, unless more is', (t) => {
  const channel = new Channel('s')
  const follower = new TestFollower(0)
  channel.join(follower)
  channel.noteQueue([{ runId: 'r', messageId: 'm', preview: 'one', createdAt: '' }])
  t.equal(channel.hasQueue, true)
  channel.noteQueue([{ runId: 'other', messageId: 'm', preview: 'two', createdAt: '' }])
  channel.showQueue([{ runId: 'r', messageId: 'm', preview: 'one', createdAt: '' }], channel.beginQueueRead())
  t.strictSame(follower.seen, ['waiting one'])
  t.end()
})

test('a batch that does not follow the head is delivered to nobody: the live wake and read the store', (t) => {
  const channel = new Channel('s')
  channel.publish(storedEvents(1, 2))
  const follower = new TestFollower(2)
  channel.join(follower)
  channel.publish(storedEvents(4, 5))
  t.strictSame(follower.seen, ['wake'], 'who missed 3 is not given 4')
  t.equal(channel.head, 5)
  t.equal(channel.recent(2, ALL), null, 'the tail has a hole and is gone')
  t.equal(channel.join(follower), false)
  channel.publish(storedEvents(6, 6))
  t.strictSame(follower.seen, ['wake'], 'who was woken is not live')
  t.end()
})

test('a batch that a read has shown already changes nothing; one that overlaps sends everyone to the store', (t) => {
  const channel = new Channel('s')
  channel.advance(3)
  const follower = new TestFollower(3)
  channel.join(follower)
  channel.publish(storedEvents(2, 3))
  channel.advance(3)
  channel.advance(1)
  t.strictSame([follower.seen, channel.head], [[], 3])
  channel.publish(storedEvents(3, 4))
  t.strictSame([follower.seen, channel.head], [['wake'], 4])
  t.end()
})

test('a follower that is full or has left gets nothing more, and the others do not notice', (t) => {
  const channel = new Channel('s')
  const [full, left, other] = [new TestFollower(0), new TestFollower(0), new TestFollower(0)]
  for (const follower of [full, left, other]) {
    channel.enter()
    channel.join(follower)
  }
  full.full = true
  channel.publish(storedEvents(1, 1))
  channel.leave(left)
  channel.publish(storedEvents(2, 2))
  t.strictSame([full.seen, left.seen, other.seen], [[[1]], [[1]], [[1], [2]]])
  t.strictSame(seqs(channel.recent(full.cursor, ALL)), [2], 'and what it missed is at hand')
  t.end()
})

test('each turn\'s events are encoded once per format, and the result is shared', (t) => {
  let encodings = 0
  const lines: Format<string[]> = { encode: (events) => { encodings++; return events.map(({ json }) => json) } }
  const count: Format<number> = { encode: (events) => { encodings++; return events.length } }
  const chunks: unknown[] = []
  const channel = new Channel('s')
  for (const format of [lines, count, lines, count]) {
    channel.join(new TestFollower(0, (shared) => { chunks.push(shared<unknown>(format)) }))
  }
  channel.publish(storedEvents(1, 2))
  t.strictSame(chunks, [storedEvents(1, 2).map(({ json }) => json), 2, storedEvents(1, 2).map(({ json }) => json), 2])
  t.equal(chunks[0], chunks[2], 'the very same chunk')
  t.equal(encodings, 2)
  channel.publish(storedEvents(3, 3))
  t.strictSame([chunks.slice(4), encodings], [[[storedEvent(3).json], 1, [storedEvent(3).json], 1], 4])
  t.end()
})

test('with nobody live nothing is encoded, and the tail fills all the same', (t) => {
  const channel = followedChannel()
  channel.publish(storedEvents(1, 3))
  t.strictSame(seqs(channel.recent(0, ALL)), [1, 2, 3])
  t.end()
})

test('the tail answers pages after a cursor, bounded in rows and bytes, with at least one event', (t) => {
  const channel = followedChannel()
  channel.advance(10)
  t.equal(channel.recent(10, ALL), null, 'nothing published here yet')
  channel.publish(Array.from({ length: 5 }, (_, index) => storedEvent(11 + index, { size: 100 })))
  t.strictSame([9, 10, 12, 14].map((cursor) => seqs(channel.recent(cursor, ALL))), [null, [11, 12, 13, 14, 15], [13, 14, 15], [15]])
  t.strictSame(seqs(channel.recent(10, { rows: 2, bytes: Infinity })), [11, 12])
  t.strictSame(seqs(channel.recent(10, { rows: Infinity, bytes: 101 })), [11, 12])
  t.strictSame(seqs(channel.recent(10, { rows: Infinity, bytes: 100 })), [11])
  t.strictSame(seqs(channel.recent(10, { rows: Infinity, bytes: 1 })), [11])
  t.end()
})

test('while all followers are live there is no tail: nobody would read it', (t) => {
  const channel = new Channel('s')
  const [one, other] = [new TestFollower(0), new TestFollower(0)]
  channel.enter()
  channel.join(one)
  channel.publish(storedEvents(1, 1))
  t.equal(channel.recent(0, ALL), null)
  channel.enter()
  channel.publish(storedEvents(2, 2))
  t.strictSame(seqs(channel.recent(1, ALL)), [2])
  other.cursor = 2
  channel.join(other)
  t.equal(channel.recent(1, ALL), null)
  other.full = true
  channel.publish(storedEvents(3, 3))
  channel.publish(storedEvents(4, 4))
  t.strictSame(seqs(channel.recent(3, ALL)), [4])
  channel.leave(other)
  channel.publish(storedEvents(5, 5))
  t.equal(channel.recent(4, ALL), null)
  t.end()
})

test('once a run has ended its events are only in the store', (t) => {
  const channel = followedChannel()
  channel.publish([storedEvent(1), storedEvent(2, { kind: 'complete' }), storedEvent(3)])
  t.strictSame(seqs(channel.recent(0, ALL)), [1, 2, 3], 'the next one has begun')
  channel.publish([storedEvent(4), storedEvent(5, { kind: 'complete' })])
  t.strictSame([0, 3, 4].map((cursor) => channel.recent(cursor, ALL)), [null, null, null])
  channel.publish([storedEvent(6)])
  t.strictSame(seqs(channel.recent(5, ALL)), [6])
  t.end()
})

test('the tail is bounded: in events, and in bytes, down to nothing', (t) => {
  const channel = followedChannel()
  channel.publish(storedEvents(1, 500))
  channel.publish(storedEvents(501, 600))
  t.equal(channel.recent(87, ALL), null)
  t.strictSame(seqs(channel.recent(88, ALL)), storedEvents(89, 600).map(({ seq }) => seq), '512 events')
  channel.publish([storedEvent(601, { size: 300 * 1024 }), storedEvent(602, { size: 200 * 1024 })])
  t.strictSame(seqs(channel.recent(600, ALL)), [601, 602])
  channel.publish([storedEvent(603, { size: 200 * 1024 })])
  t.strictSame([600, 601].map((cursor) => seqs(channel.recent(cursor, ALL))), [null, [602, 603]], '512 KiB')
  channel.publish([storedEvent(604, { size: 513 * 1024 })])
  t.equal(channel.recent(603, ALL), null, 'an event that is too large for the tail is only in the store')
  channel.publish([storedEvent(605)])
  t.strictSame(seqs(channel.recent(604, ALL)), [605])
  t.end()
})

test('who waits for a session is woken once, by its first events, published here or not', (t) => {
  for (const appear of [(channel: Channel) => channel.publish(storedEvents(1, 1)), (channel: Channel) => channel.advance(4)]) {
    const channel = new Channel('s')
    const [waiting, left] = [new TestFollower(0), new TestFollower(0)]
    t.strictSame([channel.awaitSession(waiting), channel.awaitSession(left)], [true, true])
    channel.leave(left)
    appear(channel)
    channel.publish(storedEvents(channel.head + 1, channel.head + 1))
    t.strictSame([waiting.seen, left.seen], [['wake'], []], 'and gets no event before it has been let in')
    t.equal(channel.awaitSession(waiting), false, 'there is nothing to wait for any more')
  }
  t.end()
})

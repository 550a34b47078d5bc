/* Who writes to a socket that many subscriptions share, when, and who not any more. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { runsError, wireCode } from '../../lib/protocol/errors.ts'
import type { Frame, SocketFrame } from '../../lib/protocol/frames.ts'
import type { LogPage } from '../../lib/store/store.ts'
import { Channel, type Format } from '../../lib/streams/channel.ts'
import { Subscriber } from '../../lib/streams/subscriber.ts'
import type { Opening } from '../../lib/streams/subscriptions.ts'
import type { Messages } from '../../transports/websocket/message-writer.ts'
import { SocketSubscription, type Wire } from '../../transports/websocket/subscription.ts'
import { SocketSubscriptions } from '../../transports/websocket/subscriptions.ts'
import { latch } from '../helpers/latch.ts'
import { MemoryLog, storedEvents } from '../helpers/memory-log.ts'

const LAST = 10

/** A socket that is full when the test says so, and writes down what it is given. */
class ScriptedWire implements Wire {
  full = false
  readonly format: Format<Messages> = { encode: (events) => events.map(({ seq }) => String(seq)) }
  readonly written: string[] = []

  write (messages: Messages): void {
    this.written.push(...messages as readonly string[])
  }

  tell (frame: Frame | SocketFrame): void {
    this.written.push(`${frame.sessionId} ${frame.kind}`)
  }
}

/** Subscriptions on sessions that all have the same log, of `LAST` events in pages of three. */
function build ({ limit = 10 } = {}) {
  const wire = new ScriptedWire()
  const log = new MemoryLog()
  log.commit(LAST)
  const channels = new Map<string, Channel>()
  const opened: string[] = []
  const refused: string[] = []
  const failures: unknown[] = []
  let [emptied, cancelled] = [0, 0]
  const open = async (sessionId: string, after: number | 'latest', read: (after: number) => Promise<LogPage | null | 'deleted'> = log.read): Promise<Opening> => {
    opened.push(sessionId)
    const cursor = after === 'latest' ? log.lastSeq : after
    const channel = new Channel(sessionId)
    channels.set(sessionId, channel)
    channel.advance(log.lastSeq)
    const host = { read: (_id: string, _owner: string | null, after: number) => read(after), getSession: async () => null, appeared: () => {}, closed: () => {}, failed: (error: unknown) => { failures.push(error) } }
    return {
      done: false,
      cancel: () => { cancelled++ },
      start: (sink) => {
        const subscriber = new Subscriber(channel, sink, host, { cursor, first: log.page(cursor), gap: null, until: null, owner: null, queueRead: 0 })
        subscriber.start()
        return subscriber
      }
    }
  }
  const seams = { open }
  const subscriptions = new SocketSubscriptions({
    wire,
    open: (sessionId, after) => seams.open(sessionId, after),
    refuse: (error, sessionId) => { refused.push(`${sessionId} ${wireCode(error as { code: string })}`) },
    emptied: () => { emptied++ },
    limit
  })
  return { wire, log, channels, opened, refused, failures, open, seams, subscriptions, counts: () => ({ emptied, cancelled }) }
}

const seqs = (from: number, to = LAST): string[] => storedEvents(from, to).map(({ seq }) => String(seq))

/** Resolves when nothing more happens by itself. */
async function settled (): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await nextTurn()
}

test('while the socket is full nothing is opened and nothing is read; once there is room, one session has its turn after the other', async (t) => {
  const { wire, log, opened, subscriptions } = build()
  wire.full = true
  for (const id of ['a', 'b', 'c']) subscriptions.follow(id, 0)
  await settled()
  t.strictSame([opened, log.reads, wire.written], [[], [], []])
  wire.full = false
  subscriptions.proceed()
  await settled()
  t.strictSame(wire.written, ['a', 'b', 'c'].flatMap((id) => [`${id} chat_subscribed`, ...seqs(1)]))
})

test('a client in the middle of its log has it to the end, or until the socket is full, before the next is opened', async (t) => {
  const { wire, log, opened, subscriptions } = build()
  log.hold = true
  for (const id of ['a', 'b']) subscriptions.follow(id, 0)
  await settled()
  t.strictSame([opened, log.reads, wire.written], [['a'], [3], ['a chat_subscribed', ...seqs(1, 3)]])
  wire.full = true
  log.release()
  await settled()
  t.strictSame([opened, wire.written.length], [['a'], 4], 'the page that was on its way is left')
  wire.full = false
  subscriptions.proceed()
  await settled()
  t.strictSame(wire.written, ['a chat_subscribed', ...seqs(1, 3), 'b chat_subscribed', ...seqs(1), ...seqs(4)], 'it is behind the other now, and read again')
})

test('what is live falls back to its log while others have filled the socket, and reads nothing until it has its turn', async (t) => {
  const { wire, log, channels, subscriptions } = build()
  for (const id of ['a', 'b', 'c']) subscriptions.follow(id, 'latest')
  await settled()
  wire.written.length = 0
  wire.full = true
  const events = log.commit(LAST + 2)
  channels.get('a')!.publish(events)
  // Another instance's: nobody has them in memory.
  channels.get('b')!.advance(LAST + 2)
  await settled()
  t.strictSame([wire.written, log.reads], [[], []])
  wire.full = false
  subscriptions.proceed()
  await settled()
  t.strictSame([wire.written, log.reads], [[...seqs(LAST + 1, LAST + 2), ...seqs(LAST + 1, LAST + 2)], [LAST]])
  channels.get('c')!.publish(events)
  t.strictSame(wire.written.length, 6, 'who had nothing new meanwhile has stayed live')
})

test('a subscription that is over writes nothing, whatever is still on its way to it', async (t) => {
  const { wire, open } = build()
  const ended: unknown[] = []
  const host = { wire, open: () => open('s', 0), wait: () => {}, ended: (each: unknown) => { ended.push(each) }, refused: () => {} }
  const subscription = new SocketSubscription('s', 0, host)
  await subscription.turn()
  const before = wire.written.length
  subscription.close()
  subscription.frame({ kind: 'stream_closing', sessionId: 's', retryMs: 1 })
  t.equal(subscription.events(subscription.format.encode(storedEvents(11, 12))), true, 'nobody has to wait for it')
  subscription.end()
  await subscription.turn()
  t.strictSame([wire.written.length, ended], [before, []])
})

test('given up while it opens, a subscription is cancelled, and cannot be refused any more', async (t) => {
  const { wire, seams, open, refused, subscriptions, counts } = build()
  const answers = { a: latch(), b: latch() }
  seams.open = async (sessionId, after) => {
    await answers[sessionId as 'a' | 'b'].promise
    if (sessionId === 'b') throw runsError('SESSION_DELETED', ['b'])
    return open(sessionId, after)
  }
  for (const id of ['a', 'b'] as const) {
    subscriptions.follow(id, 0)
    await settled()
    subscriptions.unfollow(id)
    answers[id].open()
    await settled()
  }
  t.strictSame([wire.written, refused, subscriptions.size, counts()], [[], [], 0, { emptied: 0, cancelled: 1 }])
})

test('a session that cannot be opened is refused by name, and holds up nobody', async (t) => {
  const { wire, seams, open, refused, subscriptions, counts } = build({ limit: 2 })
  seams.open = async (sessionId, after) => {
    if (sessionId === 'bad') throw runsError('SESSION_DELETED', ['bad'])
    return open(sessionId, after)
  }
  for (const id of ['bad', 'good', 'more']) subscriptions.follow(id, 'latest')
  await settled()
  subscriptions.follow('more', 'latest')
  await settled()
  t.strictSame(refused, ['more TOO_MANY_SUBSCRIBERS', 'bad SESSION_DELETED'])
  t.strictSame(wire.written, ['good chat_subscribed', 'more chat_subscribed'])
  t.strictSame(counts().emptied, 0)
})

test('a subscription that ends by itself says so once, in its own words or as a stream that closes; the last one is told on', async (t) => {
  const { wire, seams, open, failures, subscriptions, counts } = build()
  seams.open = (sessionId, after) => open(sessionId, after, async () => {
    if (sessionId === 'broken') throw new Error('no store')
    return 'deleted'
  })
  for (const id of ['broken', 'deleted']) subscriptions.follow(id, 0)
  await settled()
  t.strictSame(wire.written, [
    'broken chat_subscribed', ...seqs(1, 3), 'broken stream_closing',
    'deleted chat_subscribed', ...seqs(1, 3), 'deleted session_deleted'
  ])
  t.match([failures, subscriptions.size, counts().emptied], [[{ message: 'no store' }], 0, 1])
})

test('of a socket that is gone nothing is followed any more, and nothing can be', async (t) => {
  const { wire, channels, opened, subscriptions } = build()
  for (const id of ['a', 'b']) subscriptions.follow(id, 'latest')
  await settled()
  const before = [...wire.written]
  subscriptions.follow('c', 0)
  subscriptions.close()
  subscriptions.follow('d', 0)
  channels.get('a')!.publish(storedEvents(LAST + 1, LAST + 1))
  await settled()
  t.strictSame([wire.written, opened.includes('d'), subscriptions.size], [before, false, 0])
})

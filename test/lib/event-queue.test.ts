import { test } from 'tap'
import { eventQueue, type EventQueue } from '../../lib/provider/event-queue.ts'
import type { ProviderEvent } from '../../lib/provider/provider.ts'

const event = (content: string): ProviderEvent => ({ kind: 'stream_delta', content })
const contents = (events: ProviderEvent[]) => events.map((event) => event.kind === 'stream_delta' ? event.content : event.kind)

function fill (queue: EventQueue, count: number): void {
  for (let i = 0; i < count; i++) queue.push(event(String(i)))
}

async function drained (queue: EventQueue): Promise<ProviderEvent[]> {
  const events: ProviderEvent[] = []
  for await (const each of queue) events.push(each)
  return events
}

/** Whether a promise has resolved, once all that could happen by itself has happened. */
async function settled (promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false
  void promise.then(() => { isSettled = true })
  await new Promise((resolve) => { setImmediate(resolve) })
  return isSettled
}

test('events come in the order in which they were pushed, before the iteration and during it, and what comes behind the end is dropped', async (t) => {
  const queue = eventQueue()
  queue.push(event('one'))
  queue.push(event('two'))
  const all = drained(queue)
  await settled(all)
  queue.push(event('three'))
  await settled(all)
  queue.push(event('four'))
  queue.end()
  queue.push(event('late'))
  queue.end()
  t.strictSame(contents(await all), ['one', 'two', 'three', 'four'])
})

test('an event that is pushed while one is taken is not lost', async (t) => {
  const queue = eventQueue()
  queue.push(event('one'))
  const seen: string[] = []
  for await (const each of queue) {
    seen.push(...contents([each]))
    if (seen.length < 3) queue.push(event(`after ${seen.length}`))
    else queue.end()
  }
  t.strictSame(seen, ['one', 'after 1', 'after 2'])
})

test('there is room below 256 events; above, the next call waits until they are taken', async (t) => {
  const queue = eventQueue()
  fill(queue, 255)
  t.ok(await settled(queue.room()))
  queue.push(event('full'))
  const room = queue.room()
  t.notOk(await settled(room))
  const iterator = queue[Symbol.asyncIterator]()
  await iterator.next()
  t.notOk(await settled(room), 'it has taken one of many')
  for (let i = 1; i < 256; i++) await iterator.next()
  void iterator.next()
  t.ok(await settled(room))
  queue.end()
})

test('taken resolves when the run has asked for what comes behind all that was pushed', async (t) => {
  const queue = eventQueue()
  queue.push(event('one'))
  const taken = queue.taken()
  const iterator = queue[Symbol.asyncIterator]()
  await iterator.next()
  t.notOk(await settled(taken), 'it has the event, but is still at it')
  const next = iterator.next()
  t.ok(await settled(taken))
  t.ok(await settled(queue.taken()), 'the run waits')
  queue.push(event('two'))
  const again = queue.taken()
  await next
  t.notOk(await settled(again))
  void iterator.next()
  t.ok(await settled(again))
  queue.end()
})

for (const [how, stop] of Object.entries({
  'the end': (queue: EventQueue) => queue.end(),
  'a failure': (queue: EventQueue) => queue.fail(new Error('x'))
})) {
  test(`at ${how} nobody waits for room or the run any more`, async (t) => {
    const queue = eventQueue()
    fill(queue, 300)
    const waiting = [queue.room(), queue.taken()]
    t.notOk(await settled(Promise.race(waiting)))
    stop(queue)
    await Promise.all([...waiting, queue.room(), queue.taken()])
  })
}

test('a failure is thrown behind what was pushed before it, and only the first counts', async (t) => {
  const queue = eventQueue()
  queue.push(event('one'))
  queue.fail(new Error('first'))
  queue.fail(new Error('second'))
  const iterator = queue[Symbol.asyncIterator]()
  t.match(await iterator.next(), { value: { content: 'one' }, done: false })
  await t.rejects(iterator.next(), { message: 'first' })
  t.match(await iterator.next(), { done: true })

  const waiting = eventQueue()
  const step = waiting[Symbol.asyncIterator]().next()
  await settled(step.catch(() => {}))
  waiting.fail(new Error('third'))
  await t.rejects(step, { message: 'third' })

  const ended = eventQueue()
  ended.end()
  ended.fail(new Error('too late'))
  t.strictSame(await drained(ended), [])
})

test('an agent that runs 10,000 events ahead fails the run, behind what it has pushed', async (t) => {
  const queue = eventQueue()
  fill(queue, 10_000)
  queue.end()
  t.equal((await drained(queue)).length, 10_000)

  const hasty = eventQueue()
  fill(hasty, 20_000)
  let count = 0
  await t.rejects(async () => { for await (const each of hasty) count += each.kind === 'stream_delta' ? 1 : 0 }, { code: 'AGENT_TOO_FAST' })
  t.equal(count, 10_001)
})

test('a run that leaves is over for those who push', async (t) => {
  const queue = eventQueue()
  fill(queue, 300)
  const waiting = [queue.room(), queue.taken()]
  const iterator = queue[Symbol.asyncIterator]()
  t.match(await iterator.next(), { value: { content: '0' } })
  await iterator.return?.()
  await Promise.all(waiting)
  queue.push(event('late'))
  await queue.room()
  t.strictSame(await drained(queue), [])
})

import { join } from 'node:path'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event } from '../../index.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import { latch } from '../helpers/latch.ts'
import { LIMITS } from '../helpers/limits.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** What a session's log tells: `user hello`, `assistant hi`, `complete finished`. */
async function told (registry: RunRegistry, sessionId = 's'): Promise<string[]> {
  const lines: string[] = []
  for await (const event of registry.replayEvents(sessionId)) lines.push(tell(event))
  return lines
}

function tell (event: Event): string {
  if (event.kind === 'text') return `${event.role} ${event.content as string}`
  return event.kind === 'complete' ? `complete ${event.reason}` : event.kind
}

/** Resolves with the log once it holds so many completes. */
async function until (registry: RunRegistry, completes: number, sessionId = 's'): Promise<string[]> {
  const lines: string[] = []
  for await (const item of registry.subscribe(sessionId)) {
    if (!('seq' in item)) continue
    lines.push(tell(item))
    if (item.kind === 'complete' && --completes === 0) break
  }
  return lines
}

async function build (t: Test, limits = {}) {
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, sqliteStore({ path: ':memory:' }), { limits: { ...LIMITS, ...limits } })
  const post = (content: string, onBusy?: 'reject' | 'queue' | 'interrupt', sessionId = 's') => registry.startRun({ sessionId, content, onBusy })
  return { agent, registry, post }
}

test('messages that wait have their turn in order, though no client is connected', async (t) => {
  const { agent, registry, post } = await build(t)
  const first = await post('one', 'queue')
  t.match(first, { status: 'running', cursor: 0 })
  const second = await post('two', 'queue')
  const third = await post('three', 'queue')
  t.match([second, third], [{ status: 'queued', cursor: 1 }, { status: 'queued', cursor: 1 }])
  t.match(await registry.getSession('s'), { isProcessing: true, runId: first.runId, queue: [second.runId, third.runId], lastSeq: 1 })
  t.match(await registry.getRun(second.runId), { status: 'queued', startedAt: null, completeSeq: null })
  await t.rejects(post('four'), { code: 'AGENT_RUNS_RUN_IN_PROGRESS', runId: first.runId })
  for (const answer of ['1', '2', '3']) {
    const run = await agent.next()
    await run.emit({ kind: 'text', content: answer })
    run.end()
  }
  t.strictSame(await until(registry, 3), [
    'user one', 'assistant 1', 'complete finished', 'user two', 'assistant 2', 'complete finished', 'user three', 'assistant 3', 'complete finished'
  ])
  t.match(await registry.getRun(second.runId), { status: 'completed', cursor: 3 })
  t.match(await registry.getSession('s'), { isProcessing: false, runId: null, queue: [] })
})

test('a live subscriber sees the queue move on without a hole', async (t) => {
  const { agent, registry, post } = await build(t)
  const { runId } = await post('one')
  const items = registry.subscribe('s', { after: 1 })
  t.match((await items.next()).value, { kind: 'chat_subscribed', isProcessing: true, runId })
  await post('two', 'queue')
  ;(await agent.next()).end()
  ;(await agent.next()).end()
  const seqs: number[] = []
  for await (const item of items) {
    if ('seq' in item) seqs.push(item.seq)
    if (seqs.length === 3) break
  }
  t.strictSame(seqs, [2, 3, 4])
})

test('an interrupting message takes the place of the running run at once, before those that wait', async (t) => {
  const { agent, registry, post } = await build(t)
  const first = await post('one')
  const running = await agent.next()
  await running.emit({ kind: 'stream_delta', messageId: 'm', content: 'half a' })
  const waiting = await post('two', 'queue')
  // What is not committed yet is nobody's loss; this delta is.
  while ((await registry.getSession('s'))!.lastSeq < 2) await new Promise(setImmediate)
  const urgent = await post('now', 'interrupt')
  t.match(urgent, { status: 'running', cursor: 4 })
  await running.stopped.promise
  t.match(await registry.getRun(first.runId), { status: 'completed', reason: 'aborted', aborted: true, success: false })
  ;(await agent.next()).end()
  ;(await agent.next()).end()
  t.strictSame((await until(registry, 3)).filter((line) => line !== 'stream_delta'), [
    'user one', 'assistant half a', 'complete aborted', 'user now', 'complete finished', 'user two', 'complete finished'
  ])
  t.match(await registry.getRun(waiting.runId), { status: 'completed', reason: 'finished' })
})

test('of an interrupt and the end of the run that race, either way one terminal holds and the new run runs', async (t) => {
  const { agent, registry, post } = await build(t)
  for (let round = 0; round < 100; round++) {
    const first = await post('one', 'interrupt')
    const run = await agent.next()
    const interrupting = post('two', 'interrupt')
    for (let turn = 0; turn < round % 12; turn++) await Promise.resolve()
    run.end()
    const second = await interrupting
    ;(await agent.next()).end()
    while ((await registry.getSession('s'))!.isProcessing) await new Promise(setImmediate)
    t.equal((await registry.getRun(first.runId))!.status, 'completed')
    t.match(await registry.getRun(second.runId), { status: 'completed', reason: 'finished' })
  }
  const lines = await told(registry)
  t.equal(lines.length, 400)
  t.strictSame(lines.filter((_, index) => index % 2 === 1 && !_.startsWith('complete')), [], 'each message is followed by its end')
})

test('a message that waits can be cancelled: it keeps its turn, and ends in it without having run', async (t) => {
  const { agent, registry, post } = await build(t)
  await post('one')
  const cancelled = await post('two', 'queue')
  await post('three', 'queue')
  t.equal(await registry.abortRun({ sessionId: 's', runId: cancelled.runId }), null)
  t.match(await registry.getRun(cancelled.runId), { status: 'queued', aborted: true })
  await t.rejects(registry.completeRun(cancelled.runId, { exitCode: 0 }), { code: 'AGENT_RUNS_NO_ACTIVE_RUN' })
  ;(await agent.next()).end()
  const third = await agent.next()
  t.equal(third.context.content, 'three')
  third.end()
  t.strictSame(await until(registry, 3), ['user one', 'complete finished', 'user two', 'complete aborted', 'user three', 'complete finished'])
  t.match(await registry.abortRun({ sessionId: 's', runId: cancelled.runId }), { kind: 'complete', reason: 'aborted', seq: 4 })
})

test('aborting the running run leaves the queue its turn', async (t) => {
  const { agent, registry, post } = await build(t)
  await post('one')
  await agent.next()
  const { runId } = await post('two', 'queue')
  t.match(await registry.abortRun({ sessionId: 's' }), { reason: 'aborted' })
  t.match(await registry.getSession('s'), { runId })
  ;(await agent.next()).end()
  t.strictSame(await until(registry, 2), ['user one', 'complete aborted', 'user two', 'complete finished'])
})

test('the queue is bounded, and a process drives so many runs and no more', async (t) => {
  const { agent, registry, post } = await build(t, { queuedPerSession: 2, runningRuns: 2 })
  await post('a1', 'reject', 'a')
  await post('a2', 'queue', 'a')
  await post('a3', 'queue', 'a')
  await t.rejects(post('a4', 'queue', 'a'), { code: 'AGENT_RUNS_QUEUE_FULL', statusCode: 429 })
  await post('b1', 'reject', 'b')
  await t.rejects(post('c1', 'reject', 'c'), { code: 'AGENT_RUNS_TOO_MANY_RUNS', statusCode: 429 })
  t.equal(await registry.getSession('c'), null, 'what is refused creates nothing')
  t.match(await post('c1', 'queue', 'c'), { status: 'queued', cursor: 0 })
  t.match(await registry.getSession('c'), { isProcessing: true, runId: null })
  const [a1, b1] = [await agent.next(), await agent.next()]
  t.strictSame([a1.context.content, b1.context.content], ['a1', 'b1'])
  b1.end()
  const c1 = await agent.next()
  t.equal(c1.context.content, 'c1', 'the slot that came free is the other session\'s')
  c1.end()
  a1.end()
  ;(await agent.next()).end()
  ;(await agent.next()).end()
  t.equal((await until(registry, 3, 'a')).at(-1), 'complete finished')
  t.strictSame(await until(registry, 1, 'c'), ['user c1', 'complete finished'])
})

test('what waits outlives the process, with its options, and runs when the next one opens', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const agent = scriptedProvider({ optionsSchema: { type: 'object' } as never })
  const before = await openRegistry(t, agent, sqliteStore({ path }))
  await before.startRun({ sessionId: 's', content: 'one' })
  await before.startRun({ sessionId: 's', content: 'two', options: { depth: 2 }, onBusy: 'queue', context: 'only here' })
  await before.startRun({ sessionId: 's', content: 'three', onBusy: 'queue' })
  await before.close()
  t.match(await before.getSession('s'), { isProcessing: true, runId: null }, 'nothing is started while we close')
  const next = scriptedProvider({ optionsSchema: { type: 'object' } as never })
  const after = await openRegistry(t, next, sqliteStore({ path }))
  const two = await next.next()
  t.match(two.context, { content: 'two', options: { depth: 2 }, context: undefined })
  two.end()
  ;(await next.next()).end()
  t.strictSame(await until(after, 3), ['user one', 'complete interrupted', 'user two', 'complete finished', 'user three', 'complete finished'])
})

test('what only this process can say reaches the provider when the turn comes', async (t) => {
  const { agent, registry } = await build(t)
  await registry.startRun({ sessionId: 's', content: 'one', context: { db: 1 } })
  await registry.startRun({ sessionId: 's', content: 'two', context: { db: 2 }, onBusy: 'queue' })
  const one = await agent.next()
  t.strictSame(one.context.context, { db: 1 })
  one.end()
  const two = await agent.next()
  t.strictSame(two.context.context, { db: 2 })
  two.end()
})

test('a message whose provider is gone by its turn ends as failed, and the next has its own', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const agent = scriptedProvider()
  const before = await openRegistry(t, agent, sqliteStore({ path }), { providers: { agent, retired: agent } })
  await before.startRun({ sessionId: 's', content: 'one' })
  await before.startRun({ sessionId: 's', content: 'two', provider: 'retired', onBusy: 'queue' })
  await before.startRun({ sessionId: 's', content: 'three', onBusy: 'queue' })
  await before.close()
  const next = scriptedProvider()
  const after = await openRegistry(t, next, sqliteStore({ path }))
  ;(await next.next()).end()
  t.strictSame(await until(after, 3), ['user one', 'complete interrupted', 'user two', 'complete failed', 'user three', 'complete finished'])
})

test('until=complete waits for the run that waits next', async (t) => {
  const { agent, registry, post } = await build(t, { runningRuns: 1 })
  await post('other', 'reject', 'other')
  const { runId } = await post('one', 'queue')
  const opening = await registry.openSubscription({ sessionId: 's', owner: null, after: 0, until: 'complete' })
  t.equal(opening.done, false)
  opening.cancel()
  const other = await agent.next()
  other.end()
  ;(await agent.next()).end()
  await until(registry, 1)
  const over = await registry.openSubscription({ sessionId: 's', owner: null, after: 2, until: 'complete' })
  t.equal(over.done, true)
  over.cancel()
  t.match(await registry.getRun(runId), { status: 'completed' })
})

test('an end whose answer was lost still hands the session on', async (t) => {
  const agent = scriptedProvider()
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, agent, store)
  await registry.startRun({ sessionId: 's', content: 'one' })
  await registry.startRun({ sessionId: 's', content: 'two', onBusy: 'queue' })
  const { append } = store
  const lost = latch()
  store.append = async (groups) => {
    const answers = await append.call(store, groups)
    if (groups.some(({ ending }) => ending !== null)) {
      store.append = append
      lost.open()
      throw Object.assign(new Error('the connection broke'), { code: 'STORE_UNAVAILABLE', statusCode: 503 })
    }
    return answers
  }
  ;(await agent.next()).end()
  await lost.promise
  const two = await agent.next()
  t.equal(two.context.content, 'two')
  two.end()
  t.strictSame(await until(registry, 2), ['user one', 'complete finished', 'user two', 'complete finished'])
})

test('a message that comes to wait in the very moment in which the run ends has its turn all the same', async (t) => {
  const { agent, registry, post } = await build(t)
  for (let round = 0; round < 100; round++) {
    await post('one', 'queue')
    const run = await agent.next()
    if (round % 2 === 0) run.end()
    for (let turn = 0; turn < round % 14; turn++) await Promise.resolve()
    const waiting = post('two', 'queue')
    run.end()
    const { runId } = await waiting
    ;(await agent.next()).end()
    while ((await registry.getSession('s'))!.isProcessing) await new Promise(setImmediate)
    t.match(await registry.getRun(runId), { status: 'completed', reason: 'finished' })
  }
  t.strictSame((await told(registry)).filter((line, index) => line !== ['user one', 'complete finished', 'user two', 'complete finished'][index % 4]), [])
})

test('a session that is deleted while messages come and go leaves nobody waiting', async (t) => {
  const { agent, registry, post } = await build(t)
  for (let round = 0; round < 40; round++) {
    const sessionId = `s${round}`
    await post('one', 'reject', sessionId)
    const run = await agent.next()
    const outcomes = Promise.allSettled([post('two', 'queue', sessionId), post('three', 'interrupt', sessionId)])
    for (let turn = 0; turn < round % 10; turn++) await Promise.resolve()
    const deletion = registry.deleteSession(sessionId)
    run.end()
    await deletion
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') t.match(outcome.reason, { code: /SESSION_DELETED|SESSION_NOT_FOUND/ })
    }
    await t.rejects(registry.getSession(sessionId), { code: 'AGENT_RUNS_SESSION_DELETED' })
  }
  t.strictSame(await registry.listRunningRuns(), { runs: [], hasMore: false })
})

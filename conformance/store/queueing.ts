/* Runs that wait: in order, each with its turn, also the cancelled ones. */
import assert from 'node:assert/strict'
import { ABORTED, FINISHED } from '../../lib/protocol/run-ending.ts'
import type { Store } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, assertStandstill, claimedOf, drive, DrivenRun, inShort, logOf, newRun, OWNER, rejects, sessionOf, STRANGER, text } from './driven-run.ts'

export function queueing (test: StoreTest): void {
  test('messages to a busy session wait, and have their turn in order', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(text('a'))
    const first = await accept(one, 'first')
    await run.append(text('b'))
    const second = await accept(other, 'second', { provider: 'other', options: { deep: [1] } })
    for (const { promotion } of [first, second]) assertStandstill(promotion)
    assert.deepEqual([first.cursor, second.cursor], [2, 3], 'nothing of it can come before the newest event')
    const { createdAt, ...state } = first.run
    assert.deepEqual(state, {
      runId: 'first', sessionId: 's', provider: 'echo', status: 'queued', cursor: 2, completeSeq: null, startedAt: null, completedAt: null, exitCode: null, success: null, aborted: null, reason: null
    })
    assert.equal(new Date(createdAt).toISOString(), createdAt)
    for (const store of [one, other]) {
      assert.deepEqual(await store.getRun('first', OWNER), first.run)
      const session = await sessionOf(store)
      assert.deepEqual([session.isProcessing, session.runId, session.queue, session.lastSeq], [true, 'r', ['first', 'second'], 3])
      assert.deepEqual((await store.listRunningRuns(null, { limit: 100, after: null })).map(({ runId }) => runId), ['r'])
      assert.deepEqual(inShort((await logOf(store)).events), ['r text do r', 'r text a', 'r text b'], 'they are not in the log yet')
    }

    const promotion = await run.end()
    const next = new DrivenRun(one, claimedOf(promotion, 'first'))
    assert.equal(promotion?.sessionId, 's')
    assert.deepEqual(promotion?.events, [next.claimed.message])
    assert.deepEqual([next.claimed.run, next.seq], [{ sessionId: 's', runId: 'first', provider: 'echo' }, 5])
    const started = await other.getRun('first', OWNER)
    assert.deepEqual([started?.status, started?.cursor, started?.createdAt], ['running', 4, createdAt])
    assert.equal(new Date(started!.startedAt!).toISOString(), started!.startedAt)
    assert.deepEqual([(await sessionOf(other)).runId, (await sessionOf(other)).queue], ['first', ['second']])

    const last = claimedOf(await next.end(), 'second')
    assert.deepEqual([last.run.provider, last.options], ['other', { deep: [1] }])
    assertStandstill(await new DrivenRun(one, last).end())
    assert.deepEqual(inShort((await logOf(other)).events), [
      'r text do r', 'r text a', 'r text b', 'r complete finished', 'first text do first', 'first complete finished', 'second text do second', 'second complete finished'
    ])
    assert.deepEqual([(await sessionOf(one)).isProcessing, (await sessionOf(one)).runId], [false, null])
  })

  test('a message that waited carries the time of its turn, and else what was said', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    const { message } = newRun('next')
    await accept(store, 'next', { message: { ...message, timestamp: '2001-01-01T00:00:00.000Z' } })
    const { message: event } = claimedOf(await run.end(), 'next')
    assert.ok(event.json.endsWith(`,${message.fields.slice(1)}`))
    const { timestamp } = JSON.parse(event.json) as { timestamp: string }
    assert.ok(timestamp > '2002', `${timestamp} is when it was accepted`)
  })

  test('no more may wait than the queue holds; what does not fit leaves nothing', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r')
    await rejects('QUEUE_FULL', store.startRun(newRun('none', { maxQueued: 0 })))
    await accept(store, 'a', { maxQueued: 2 })
    await accept(store, 'b', { maxQueued: 2 })
    for (const more of [{}, { admit: 'queue' }, { onBusy: 'interrupt', admit: 'queue' }] as const) {
      await rejects('QUEUE_FULL', store.startRun(newRun('c', { maxQueued: 2, ...more })))
    }
    assert.equal(await store.getRun('c', null), null)
    assert.deepEqual([(await sessionOf(store)).runId, (await sessionOf(store)).queue, (await sessionOf(store)).lastSeq], ['r', ['a', 'b'], 1])
    await accept(store, 'c', { maxQueued: 3 })
  })

  test('a cancelled run keeps its place: its message and its end come in its turn', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    for (const runId of ['a', 'b', 'c', 'd']) await accept(one, runId)
    assert.equal(await other.cancelQueuedRun('a'), true)
    assert.equal(await other.cancelQueuedRun('c'), true)
    const waiting = await one.getRun('a', OWNER)
    assert.deepEqual([waiting?.status, waiting?.aborted, waiting?.completeSeq], ['queued', true, null])
    assert.deepEqual((await sessionOf(one)).queue, ['a', 'b', 'c', 'd'])
    assert.deepEqual(inShort((await logOf(one)).events), ['r text do r'], 'nothing of it comes before its turn')

    const promotion = await run.end()
    assert.deepEqual(inShort(promotion!.events), ['a text do a', 'a complete aborted', 'b text do b'])
    const b = new DrivenRun(one, claimedOf(promotion, 'b'))
    const state = await other.getRun('a', OWNER)
    assert.deepEqual(
      [state?.status, state?.cursor, state?.completeSeq, state?.exitCode, state?.success, state?.aborted, state?.reason], ['completed', 2, 4, 1, false, true, 'aborted']
    )
    assert.equal(await one.cancelQueuedRun('d'), true)
    const last = await b.end()
    assert.equal(last?.claimed ?? null, null)
    assert.deepEqual(inShort(last!.events), ['c text do c', 'c complete aborted', 'd text do d', 'd complete aborted'])
    assert.deepEqual([(await sessionOf(one)).isProcessing, (await sessionOf(one)).queue, (await sessionOf(one)).lastSeq], [false, [], 10])
    assert.equal((await one.closeRun('d', FINISHED, { promote: true }))?.complete.reason, 'aborted')
  })

  test('what waits is shown until it has its turn or is stopped, and every run has its message', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const shown = async (store: Store): Promise<unknown[]> => (await sessionOf(store)).waiting.map(({ runId, messageId, preview }) => [runId, messageId, preview])
    const run = await drive(one, 'r')
    assert.deepEqual(await shown(one), [])
    let { cursor } = await other.changedSessions(null)
    const revised = async (): Promise<boolean> => {
      const changes = await other.changedSessions(cursor)
      cursor = changes.cursor
      return changes.revised!.includes('s')
    }
    const waiting = ['first', 'second', 'third']
    for (const runId of waiting) {
      const { run: { createdAt } } = await accept(one, runId)
      assert.equal((await sessionOf(one)).waiting.at(-1)!.createdAt, createdAt)
      assert.ok(await revised(), 'a message waits')
    }
    const all = waiting.map((runId) => [runId, `message-${runId}`, `do ${runId}`])
    for (const store of [one, other]) assert.deepEqual(await shown(store), all)
    await one.cancelQueuedRun('second')
    assert.ok(await revised(), 'one was stopped')
    assert.deepEqual(await shown(other), [all[0], all[2]])
    assert.deepEqual((await sessionOf(other)).queue, waiting, 'it keeps its turn')
    await run.end()
    assert.ok(await revised(), 'one has its turn')
    assert.deepEqual(await shown(other), [all[2]])
    for (const runId of ['r', ...waiting]) {
      assert.deepEqual(await other.getMessage(runId, OWNER), { messageId: `message-${runId}`, content: `do ${runId}` })
    }
    assert.deepEqual([await one.getMessage('r', STRANGER), await one.getMessage('none', OWNER)], [null, null])
    await other.deleteSession('s', OWNER)
    assert.equal(await one.getMessage('third', OWNER), null, 'of a deleted session there is nothing')
  })

  test('the view shows a hundred messages at most', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r')
    for (let number = 1; number <= 102; number++) await accept(store, `run-${number}`, { maxQueued: 200 })
    const { waiting, queue } = await sessionOf(store)
    assert.deepEqual([waiting.length, waiting.at(-1)?.runId, queue.length], [100, 'run-100', 102])
  })

  test('only a run that waits can be cancelled', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await accept(store, 'next')
    assert.equal(await store.cancelQueuedRun('r'), false)
    assert.equal(await store.cancelQueuedRun('nobody'), false)
    await run.end()
    assert.equal(await store.cancelQueuedRun('next'), false)
    assert.equal(await store.cancelQueuedRun('r'), false)
    assert.equal((await store.getRun('next', OWNER))?.aborted, null)
  })

  test('an end that does not promote leaves the queue as it is', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await accept(store, 'a')
    assertStandstill(await run.end(ABORTED, { promote: false }))
    assert.deepEqual([(await sessionOf(store)).isProcessing, (await sessionOf(store)).runId, (await sessionOf(store)).queue], [true, null, ['a']])
    assert.equal((await sessionOf(store)).lastSeq, 2)
    assert.deepEqual(await store.listRunningRuns(null, { limit: 100, after: null }), [])
  })

  test('a message to a session whose slot is free wakes those that wait, in order', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await accept(store, 'a')
    await run.end(FINISHED, { promote: false })
    const queued = await accept(store, 'b', { admit: 'queue' })
    assertStandstill(queued.promotion)
    assert.equal((await sessionOf(store)).runId, null, 'but not one that itself may only wait')
    const { run: state, promotion } = await accept(store, 'c')
    claimedOf(promotion, 'a')
    assert.deepEqual(inShort(promotion.events), ['a text do a'])
    assert.equal(state.status, 'queued')
    assert.deepEqual((await sessionOf(store)).queue, ['b', 'c'])
  })

  test('a message passes over cancelled runs to its own turn', async (bench) => {
    const store = await bench.open()
    await accept(store, 'a', { admit: 'queue' })
    await store.cancelQueuedRun('a')
    const { run, cursor, promotion } = await accept(store, 'b')
    claimedOf(promotion, 'b')
    assert.deepEqual(inShort(promotion.events), ['a text do a', 'a complete aborted', 'b text do b'])
    assert.deepEqual([run.status, run.cursor], ['running', 2])
    assert.ok(cursor <= 2, 'nothing of it is missed from there')
  })
}

/* Messages that interrupt: the running run ends for them, and they are next. */
import assert from 'node:assert/strict'
import { ABORTED, FINISHED } from '../../lib/protocol/run-ending.ts'
import type { StoreTest } from './bench.ts'
import { accept, claimedOf, delta, drive, DrivenRun, inShort, logOf, outcome, OWNER, sessionOf, text } from './driven-run.ts'

export function interrupting (test: StoreTest): void {
  test('a message that interrupts ends the running run and runs at once, before those that wait', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(delta('m', 'so '), delta('m', 'far'))
    await accept(one, 'waiting')
    const { run: state, cursor, promotion } = await accept(other, 'now', { onBusy: 'interrupt', maxQueued: 0 })
    assert.deepEqual(inShort(promotion.events), ['r text so far', 'r complete aborted', 'now text do now'])
    assert.deepEqual((await logOf(one)).events.slice(-3), promotion.events)
    const now = new DrivenRun(other, claimedOf(promotion, 'now'))
    assert.deepEqual([state.status, state.cursor, now.seq], ['running', 5, 6])
    assert.ok(cursor <= 5)
    const ended = await one.getRun('r', OWNER)
    assert.deepEqual([ended?.status, ended?.completeSeq, ended?.aborted, ended?.reason, ended?.exitCode], ['completed', 5, true, 'aborted', 1])
    assert.equal(await outcome(one, run.group([text('zombie')])), 'stale')
    assert.deepEqual([(await sessionOf(one)).runId, (await sessionOf(one)).queue], ['now', ['waiting']])
    await now.append(text('mine'))
    claimedOf(await now.end(), 'waiting')
  })

  test('a message that would interrupt a free session just runs', async (bench) => {
    const store = await bench.open()
    const { promotion } = await accept(store, 'r', { onBusy: 'interrupt', maxQueued: 0 })
    assert.deepEqual(inShort(promotion.events), ['r text do r'])
    claimedOf(promotion, 'r')
  })

  test('a message that interrupts goes before those that wait, if none is running', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await accept(store, 'a')
    await run.end(FINISHED, { promote: false })
    const { promotion } = await accept(store, 'now', { onBusy: 'interrupt' })
    assert.deepEqual(inShort(promotion.events), ['now text do now'])
    claimedOf(promotion, 'now')
    assert.deepEqual((await sessionOf(store)).queue, ['a'])
  })

  test('a message that interrupts and may only wait ends the running run, and is next', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(text('a'))
    await accept(store, 'waiting')
    const { run: state, cursor, promotion } = await accept(store, 'now', { onBusy: 'interrupt', admit: 'queue', maxQueued: 2 })
    assert.deepEqual(inShort(promotion.events), ['r complete aborted'])
    assert.equal(promotion.claimed, null)
    assert.equal(state.status, 'queued')
    assert.ok(cursor >= 2 && cursor <= 3)
    assert.deepEqual([(await sessionOf(store)).runId, (await sessionOf(store)).queue], [null, ['now', 'waiting']])
    claimedOf(await store.claimQueuedRun(), 'now')
  })

  test('of two that interrupt, the later one has the session', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r')
    await accept(store, 'waiting')
    claimedOf((await accept(store, 'first', { onBusy: 'interrupt' })).promotion, 'first')
    claimedOf((await accept(store, 'second', { onBusy: 'interrupt' })).promotion, 'second')
    assert.deepEqual(inShort((await logOf(store)).events), ['r text do r', 'r complete aborted', 'first text do first', 'first complete aborted', 'second text do second'])
    const closed = await store.closeRun('second', ABORTED, { promote: true })
    claimedOf(closed!.promotion, 'waiting')
  })

  test('many interruptions at once leave one run, and an end for each of the others', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    const accepted = await Promise.all(Array.from({ length: 20 }, (_, i) => accept(stores[i % 2]!, `r${i}`, { onBusy: 'interrupt' })))
    assert.ok(accepted.every(({ promotion }, i) => promotion.claimed?.run.runId === `r${i}`))
    const { events, session } = await logOf(stores[0]!)
    const ended = events.filter(({ kind }) => kind === 'complete').map(({ runId }) => runId)
    assert.equal(new Set(ended).size, 19)
    assert.ok(!ended.includes(session.runId!))
    assert.deepEqual(session.queue, [])
  })
}

/* Repeats: the same message under the same key is one run, whatever has become of it since. */
import assert from 'node:assert/strict'
import type { StoreTest } from './bench.ts'
import { accept, assertStandstill, claimedOf, drive, DrivenRun, inShort, logOf, newRun, OWNER, rejects, sessionOf, STRANGER, text } from './driven-run.ts'

const KEYED = { names: [{ name: 'k', hash: 'h' }] }
const OTHER_HASH = { names: [{ name: 'k', hash: 'other' }] }

export function idempotency (test: StoreTest): void {
  test('of many repeats at once one is the run, and all are answered with it', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    const accepted = await Promise.all(Array.from({ length: 20 }, (_, i) => accept(stores[i % 2]!, `r${i}`, KEYED)))
    const claims = accepted.filter(({ promotion }) => promotion.claimed !== null)
    assert.equal(claims.length, 1)
    const { runId } = claims[0]!.run
    assert.deepEqual(accepted.map(({ run, cursor }) => [run.runId, cursor]), Array(20).fill([runId, 0]))
    assert.deepEqual(inShort((await logOf(stores[0]!)).events), [`${runId} text do ${runId}`])
    assert.deepEqual((await sessionOf(stores[0]!)).queue, [])
    assert.equal((await stores[0]!.listRuns('s', null, { limit: 10, before: null })).length, 1)
  })

  test('a repeat is answered as the run is now, whatever the message could become now', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r', KEYED)
    const requests = [{}, { onBusy: 'reject' }, { onBusy: 'interrupt' }, { admit: 'queue', maxQueued: 0 }, { admit: 'nothing' }, { createSession: false }, { owner: null }] as const
    const repeat = async (): Promise<void> => {
      const now = await one.getRun('r', OWNER)
      const before = await logOf(one)
      for (const more of requests) {
        const { run, cursor, promotion } = await accept(other, 'again', { ...KEYED, ...more })
        assert.deepEqual([run, cursor], [now, 0])
        assertStandstill(promotion)
      }
      assert.deepEqual(await logOf(one), before)
    }
    await repeat()
    await run.end()
    await repeat()
    assert.equal((await one.getRun('r', OWNER))?.status, 'completed')
    assert.equal(await one.getRun('again', null), null)
  })

  test('the key of another message is refused, and nothing happens', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r', KEYED)
    for (const more of [{}, { onBusy: 'reject' }, { onBusy: 'interrupt' }, { admit: 'nothing' }, { maxQueued: 0 }] as const) {
      await rejects('IDEMPOTENCY_KEY_REUSED', store.startRun(newRun('r2', { ...OTHER_HASH, ...more })))
    }
    assert.deepEqual([(await sessionOf(store)).runId, (await sessionOf(store)).queue, (await sessionOf(store)).lastSeq], ['r', [], 1])
    await rejects('SESSION_NOT_FOUND', store.startRun(newRun('r2', { ...KEYED, owner: STRANGER })))
  })

  test('a run that is started again under its own id is accepted as it was, whatever the message could become now', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const first = await accept(one, 'r')
    const requests = [{}, { onBusy: 'reject' }, { onBusy: 'interrupt' }, { admit: 'queue', maxQueued: 0 }, { admit: 'nothing' }, { createSession: false }, OTHER_HASH] as const
    for (const more of requests) {
      const again = await accept(one, 'r', more)
      assert.deepEqual([again.run, again.cursor, again.promotion.events], [first.run, 0, first.promotion.events])
      claimedOf(again.promotion, 'r')
      assertStandstill((await accept(other, 'r', more)).promotion)
    }
    await new DrivenRun(one, claimedOf(first.promotion, 'r')).append(text('begun'))
    assertStandstill((await accept(one, 'r')).promotion)
    const waiting = await accept(one, 'waiting', KEYED)
    for (const more of [KEYED, OTHER_HASH]) assert.deepEqual(await accept(one, 'waiting', more), waiting, 'the id goes before the key')
    assert.deepEqual((await sessionOf(one)).queue, ['waiting'])
    assert.equal((await sessionOf(one)).runId, 'r')
  })

  test('a message that interrupts and is sent again interrupts nothing again', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r')
    const first = await accept(store, 'urgent', { onBusy: 'interrupt' })
    const again = await accept(store, 'urgent', { onBusy: 'interrupt' })
    assert.equal(again.cursor, first.cursor)
    assert.deepEqual(again.promotion.events, first.promotion.events.slice(-1))
    assert.equal(claimedOf(again.promotion, 'urgent').message.seq, 3)
    assert.deepEqual(inShort((await logOf(store)).events), ['r text do r', 'r complete aborted', 'urgent text do urgent'])
  })

  test('keys are those of one session; without a key nothing is a repeat', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r', KEYED)
    claimedOf((await accept(store, 'elsewhere', { ...OTHER_HASH, sessionId: 'other' })).promotion, 'elsewhere')
    await accept(store, 'second', { names: [{ name: 'K', hash: 'h' }] })
    for (const runId of ['a', 'b']) await accept(store, runId)
    assert.deepEqual((await sessionOf(store)).queue, ['second', 'a', 'b'])
  })

  test('a repeat of a message that waited says from where to follow as the first answer did', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const first = await accept(one, 'next', KEYED)
    await accept(one, 'behind')
    const cursorNow = async () => (await accept(other, 'again', { ...KEYED, maxQueued: 0 })).cursor
    assert.equal(first.cursor, 1)
    assert.equal(await cursorNow(), 1)
    const next = new DrivenRun(one, claimedOf(await run.end(), 'next'))
    assert.equal((await one.getRun('next', OWNER))?.cursor, 2)
    assert.equal(await cursorNow(), 1)
    await next.end()
    assert.equal(await cursorNow(), 1)
    assert.deepEqual((await sessionOf(one)).queue, [])
  })

  test('a cancelled message is still the one that its repeats ask for', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await accept(store, 'next', KEYED)
    await store.cancelQueuedRun('next')
    const waiting = await accept(store, 'again', KEYED)
    assert.deepEqual([waiting.run.runId, waiting.run.aborted], ['next', true])
    await run.end()
    const over = await accept(store, 'again', KEYED)
    assert.deepEqual([over.run.runId, over.run.status, over.run.reason], ['next', 'completed', 'aborted'])
  })

  test('a message that was not accepted leaves its key free', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    assert.equal((await store.startRun(newRun('a', { ...KEYED, onBusy: 'reject' }))).outcome, 'busy')
    assert.equal((await store.startRun(newRun('a', { ...KEYED, admit: 'nothing' }))).outcome, 'refused')
    await rejects('QUEUE_FULL', store.startRun(newRun('a', { ...KEYED, maxQueued: 0 })))
    await run.end()
    claimedOf((await accept(store, 'b', OTHER_HASH)).promotion, 'b')
  })
}

/* Waiting runs whose session is free: an instance with room takes the one that waits longest, and no two take the same. */
import assert from 'node:assert/strict'
import type { Promotion } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, claimedOf, drive, DrivenRun, inShort, logOf, sessionOf, text, upTo } from './driven-run.ts'

export function claiming (test: StoreTest): void {
  test('the run that waits longest is claimed first, across sessions', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    assert.equal(await one.claimQueuedRun(), null)
    for (const [runId, sessionId] of [['b1', 'b'], ['a1', 'a'], ['b2', 'b'], ['c1', 'c'], ['a2', 'a']] as const) {
      await accept(one, runId, { sessionId, admit: 'queue', options: { of: runId } })
    }
    const first = await other.claimQueuedRun()
    const b1 = new DrivenRun(other, claimedOf(first, 'b1'))
    assert.equal(first?.sessionId, 'b')
    assert.deepEqual(first?.events, [b1.claimed.message])
    assert.deepEqual([b1.claimed.session.id, b1.claimed.options, b1.seq], ['b', { of: 'b1' }, 1])
    claimedOf(await other.claimQueuedRun(), 'a1')
    claimedOf(await one.claimQueuedRun(), 'c1')
    assert.equal(await one.claimQueuedRun(), null, 'sessions with a running run have to wait for it')
    await b1.append(text('driven by who claimed it'))
    await b1.end(undefined, { promote: false })
    claimedOf(await one.claimQueuedRun(), 'b2')
    assert.deepEqual((await sessionOf(one, 'a')).queue, ['a2'])
  })

  test('the head of a queue is what counts: one that interrupts came later than those behind it', async (bench) => {
    const store = await bench.open()
    await accept(store, 'a1', { sessionId: 'a', admit: 'queue' })
    await accept(store, 'b1', { sessionId: 'b', admit: 'queue' })
    await accept(store, 'a2', { sessionId: 'a', admit: 'queue', onBusy: 'interrupt' })
    assert.deepEqual((await sessionOf(store, 'a')).queue, ['a2', 'a1'])
    claimedOf(await store.claimQueuedRun(), 'b1')
    claimedOf(await store.claimQueuedRun(), 'a2')
  })

  test('cancelled runs end when their session is free, and the next is claimed', async (bench) => {
    const store = await bench.open()
    for (const runId of ['a', 'b', 'c']) await accept(store, runId, { admit: 'queue' })
    await store.cancelQueuedRun('a')
    await store.cancelQueuedRun('b')
    const promotion = await store.claimQueuedRun()
    assert.deepEqual(inShort(promotion!.events), ['a text do a', 'a complete aborted', 'b text do b', 'b complete aborted', 'c text do c'])
    const c = new DrivenRun(store, claimedOf(promotion, 'c'))
    await accept(store, 'd')
    await store.cancelQueuedRun('d')
    await c.end(undefined, { promote: false })
    const last = await store.claimQueuedRun()
    assert.equal(last?.claimed, null)
    assert.deepEqual(inShort(last!.events), ['d text do d', 'd complete aborted'])
    assert.equal(await store.claimQueuedRun(), null)
    assert.equal((await sessionOf(store)).isProcessing, false)
  })

  test('however many claim at once, each waiting run is claimed by one, and each session has one running', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    for (const n of upTo(20)) {
      await accept(stores[n % 2]!, `first-${n}`, { sessionId: `s${n}`, admit: 'queue' })
      await accept(stores[n % 2]!, `second-${n}`, { sessionId: `s${n}`, admit: 'queue' })
    }
    const claimAll = async (): Promise<Array<{ promotion: Promotion, by: number }>> => {
      const claims = await Promise.all(upTo(40).map(async (i) => ({ promotion: await stores[i % 2]!.claimQueuedRun(), by: i % 2 })))
      return claims.flatMap(({ promotion, by }) => promotion === null ? [] : [{ promotion, by }])
    }
    for (const turn of ['first', 'second']) {
      const claims = await claimAll()
      assert.deepEqual(claims.map(({ promotion }) => promotion.claimed?.run.runId).sort(), upTo(20).map((n) => `${turn}-${n}`).sort())
      for (const { promotion, by } of claims) await new DrivenRun(stores[by]!, promotion.claimed!).end(undefined, { promote: false })
    }
    assert.deepEqual(await claimAll(), [])
  })

  test('a claim and an end that promotes do not both take the next run', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    for (let i = 0; i < 10; i++) {
      const run = await drive(one, `r${i}`)
      await accept(one, `a${i}`)
      const [ended, claimed] = await Promise.all([run.end(), other.claimQueuedRun()])
      assert.deepEqual([ended?.claimed?.run.runId, claimed], [`a${i}`, null])
      await other.closeRun(`a${i}`, { exitCode: 0, aborted: false, reason: 'finished' }, { promote: true })
    }
    assert.equal((await logOf(one)).events.length, 40)
  })
}

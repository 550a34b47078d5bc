/* Several instances: who is dead, who hears of what, what a later one finds. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import type { ClaimedRun, Store } from '../../lib/store/store.ts'
import { within } from '../harness.ts'
import type { Bench, StoreTest } from './bench.ts'
import { accept, asks, claimedOf, drive, DrivenRun, inShort, logOf, newSession, outcome, sessionOf, text } from './driven-run.ts'

const LEASE_MS = 60

export function instances (test: StoreTest): void {
  test('instances have ids of their own', async (bench) => {
    const stores = [await bench.open(), await bench.open(), await bench.open()]
    assert.equal(new Set(stores.map(({ instanceId }) => instanceId)).size, 3)
    await stores[0]!.open()
    await stores[0]!.createSession(newSession('s'))
    await stores[1]!.close()
    await stores[1]!.close()
    assert.ok(await stores[2]!.getSession('s', null), 'opening twice and closing twice harms nobody')
  })

  test('the claim of a run can be asked for again until something follows its message, by the instance that has it', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    await one.createSession(newSession('a'))
    await one.setProviderSessionId('a', 'echo', 'native-1')
    const started = claimedOf((await accept(one, 'started', { sessionId: 'a', options: { model: 'm' } })).promotion, 'started')
    // When the session was touched may be told as of before the claim, or behind it.
    const said = (claim: ClaimedRun | null) => claim && { ...claim, session: { ...claim.session, updatedAt: '' } }
    assert.deepEqual(said(await one.getClaim('started')), said(started))
    assert.equal(await other.getClaim('started'), null)
    await accept(one, 'waiting', { sessionId: 'a' })
    assert.equal(await one.getClaim('waiting'), null)
    const closed = await one.closeRun('started', INTERRUPTED, { promote: true })
    assert.equal(await one.getClaim('started'), null)
    assert.deepEqual(said(await one.getClaim('waiting')), said(claimedOf(closed!.promotion, 'waiting')))
    const run = await drive(one, 'begun', { sessionId: 'b' })
    await run.append(text('said'))
    assert.equal(await one.getClaim('begun'), null)
    assert.equal(await one.getClaim('unknown'), null)
  })

  test('an instance is told of all runs that it has to drive, however it came by them', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const own = async (store: Store) => (await store.listOwnRuns()).map(({ runId, sessionId }) => `${runId} ${sessionId}`).sort()
    assert.deepEqual(await own(one), [])
    const run = await drive(one, 'started', { sessionId: 'a' })
    await accept(other, 'claimed', { sessionId: 'b', admit: 'queue' })
    await one.claimQueuedRun()
    await drive(other, 'theirs', { sessionId: 'c' })
    await accept(other, 'taken', { sessionId: 'c' })
    await one.closeRun('theirs', INTERRUPTED, { promote: true })
    await accept(other, 'next', { sessionId: 'a' })
    await accept(other, 'waiting', { sessionId: 'a' })
    assert.deepEqual([await own(one), await own(other)], [['claimed b', 'started a', 'taken c'], []])
    await run.end()
    assert.deepEqual(await own(one), ['claimed b', 'next a', 'taken c'])
    await other.deleteSession('c', null)
    await other.closeRun('next', INTERRUPTED, { promote: true })
    assert.deepEqual([await own(one), await own(other)], [['claimed b'], ['waiting a']])
  })

  test('an instance whose lease stands still is dead, one that renews it is not', async (bench) => {
    const [still, alive, observer] = [await bench.open({ leaseMs: LEASE_MS }), await bench.open({ leaseMs: LEASE_MS }), await bench.open({ leaseMs: LEASE_MS })]
    const { leaseMs } = observer
    const run = await drive(still, 'of-still', { sessionId: 'a' })
    await drive(alive, 'of-alive', { sessionId: 'b' })
    await drive(observer, 'own', { sessionId: 'c' })
    await accept(still, 'waiting', { sessionId: 'a' })
    const from = performance.now()
    assert.deepEqual(await observer.listOrphanedRuns(), [], 'it was not seen to stand still yet')
    const dead = await until(bench, leaseMs, async () => {
      // Right before each look, so that a slow machine cannot make it look dead.
      await alive.renewLease()
      const orphans = await observer.listOrphanedRuns()
      return orphans.length > 0 ? orphans : null
    })
    assert.ok(performance.now() - from >= leaseMs, 'it has the time of its lease')
    assert.deepEqual(dead, [{ runId: 'of-still', sessionId: 'a' }], 'not a run that waits, and never an own one')
    await alive.renewLease()
    assert.deepEqual(await observer.listOrphanedRuns(), dead, 'until somebody ends them')

    const closed = await observer.closeRun('of-still', INTERRUPTED, { promote: true })
    claimedOf(closed!.promotion, 'waiting')
    await alive.renewLease()
    assert.deepEqual(await observer.listOrphanedRuns(), [])
    assert.equal(await outcome(still, run.group([text('zombie')])), 'stale')
  })

  test('an instance that renews its lease again is alive again', async (bench) => {
    const [late, observer] = [await bench.open({ leaseMs: LEASE_MS }), await bench.open({ leaseMs: LEASE_MS })]
    const run = await drive(late, 'r')
    await until(bench, observer.leaseMs, async () => (await observer.listOrphanedRuns()).length > 0 ? true : null)
    await late.renewLease()
    assert.deepEqual(await observer.listOrphanedRuns(), [])
    await run.append(text('still mine'))
  })

  test('the runs of an instance that died are orphans; what it stored is there', async (bench) => {
    const [dying, observer] = [await bench.open({ leaseMs: LEASE_MS }), await bench.open({ leaseMs: LEASE_MS })]
    const run = await drive(dying, 'r')
    await run.append(text('last words'))
    const over = await drive(dying, 'over', { sessionId: 'other' })
    await over.end()
    await bench.crash(dying)
    const orphans = await until(bench, observer.leaseMs, async () => {
      const orphans = await observer.listOrphanedRuns()
      return orphans.length > 0 ? orphans : null
    })
    assert.deepEqual(orphans, [{ runId: 'r', sessionId: 's' }])
    await observer.closeRun('r', INTERRUPTED, { promote: false })
    assert.deepEqual(inShort((await logOf(observer)).events), ['r text do r', 'r text last words', 'r complete interrupted'])
    assert.deepEqual(await observer.listOrphanedRuns(), [])
  })

  test('instances hear of each other\'s commits, and of what they missed', async (bench) => {
    const [writer, reader] = [await bench.open(), await bench.open()]
    const heard = new Listener(reader, bench.soonMs)
    const gone = new Listener(reader, bench.soonMs)
    await writer.createSession(newSession('s'))
    await heard.calls(1)
    await gone.calls(1)
    gone.stop()
    const [was] = [gone.count]

    heard.answer = async () => { throw new Error('not now') }
    const run = await drive(writer, 'r')
    const from = heard.count
    await heard.calls(from + 2)
    heard.answer = async () => {}
    await heard.calls(heard.count + 1)
    assert.equal(heard.most, 1, 'it is called again when it rejects, but never twice at a time')

    let finish = (): void => {}
    heard.answer = () => new Promise((resolve) => { finish = resolve })
    const before = heard.count
    await run.append(text('a'))
    await heard.calls(before + 1)
    await run.append(text('b'))
    const seen = heard.count
    heard.answer = async () => {}
    finish()
    await heard.calls(seen + 1)
    assert.equal(heard.most, 1, 'what is committed while it is at it has a call of its own')
    assert.equal(gone.count, was, 'nobody hears who does not want to any more')
    heard.stop()
  })

  test('an instance that comes later finds everything', async (bench) => {
    const one = await bench.open()
    const run = await drive(one, 'r')
    await run.append(text('a'))
    await accept(one, 'waiting', { names: [{ name: 'k', hash: 'h' }] })
    await accept(one, 'later', { sessionId: 'other', admit: 'queue' })
    const [log, state] = [await logOf(one), await one.getRun('waiting', null)]
    const two = await bench.open()
    assert.deepEqual(await logOf(two), log)
    assert.deepEqual(await two.getRun('waiting', null), state)
    assert.deepEqual(await two.lastSeqs(['other', 's', 'nowhere', 's']), [0, 2, 0, 2])
    claimedOf(await two.claimQueuedRun(), 'later')
  })
}

/** What is committed outlives the last instance. */
export function durability (test: StoreTest): void {
  test('what was stored is there after the last instance has closed', async (bench) => {
    const one = await bench.open()
    const run = await drive(one, 'r')
    await run.append(text('a'), asks('answered'))
    await one.answerPermission('s', null, 'answered', { allow: true })
    await accept(one, 'waiting', { options: { of: 'waiting' }, names: [{ name: 'k', hash: 'h' }] })
    await accept(one, 'cancelled')
    await one.cancelQueuedRun('cancelled')
    await one.setProviderSessionId('s', 'echo', 'native')
    const gone = await one.createSession(newSession('gone'))
    await one.deleteSession(gone!.id, null)
    const [session, log] = [await sessionOf(one), await logOf(one)]
    const [runs, permission] = [await one.listRuns('s', null, { limit: 10, before: null }), await one.getPermission('s', null, 'answered')]
    await bench.closeStores()

    const later = await bench.open()
    assert.deepEqual([await sessionOf(later), await logOf(later), await later.listRuns('s', null, { limit: 10, before: null })], [session, log, runs])
    assert.deepEqual([await later.getPermission('s', null, 'answered'), permission?.status], [permission, 'answered'])
    assert.deepEqual(await later.listAnswers(100), [], 'nobody drives that run')
    assert.deepEqual(await later.lastSeqs(['gone']), [null])
    assert.equal((await accept(later, 'again', { names: [{ name: 'k', hash: 'h' }] })).run.runId, 'waiting')
    const orphans = await until(bench, later.leaseMs, async () => {
      const orphans = await later.listOrphanedRuns()
      return orphans.length > 0 ? orphans : null
    })
    assert.deepEqual(orphans, [{ runId: 'r', sessionId: 's' }])
    const closed = await later.closeRun('r', INTERRUPTED, { promote: true })
    const waiting = claimedOf(closed!.promotion, 'waiting')
    assert.deepEqual([waiting.options, waiting.providerSessionId], [{ of: 'waiting' }, 'native'])
    const last = await new DrivenRun(later, waiting).end()
    assert.deepEqual(inShort(last!.events), ['cancelled text do cancelled', 'cancelled complete aborted'])
  })
}

/** Looks again and again until there is an answer, for a few leases. */
async function until<T> ({ soonMs }: Bench, leaseMs: number, look: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + 2 * leaseMs + soonMs
  for (;;) {
    const answer = await look()
    if (answer !== null) return answer
    assert.ok(performance.now() < deadline, `nothing after several leases of ${leaseMs} ms`)
    await delay(leaseMs / 10)
  }
}

/** A listener that counts its calls, and how many of them there are at a time. */
class Listener {
  count = 0
  most = 0
  answer: () => Promise<void> = async () => {}
  readonly stop: () => void
  readonly #soonMs: number
  #now = 0
  #waiting: Array<{ count: number, resolve: () => void }> = []

  constructor (store: Store, soonMs: number) {
    this.#soonMs = soonMs
    this.stop = store.watch(async () => {
      this.count++
      this.most = Math.max(this.most, ++this.#now)
      for (const { count, resolve } of this.#waiting) if (this.count >= count) resolve()
      try {
        await this.answer()
      } finally {
        this.#now--
      }
    })
  }

  /** Resolves when it has been called `count` times in all. */
  async calls (count: number): Promise<void> {
    if (this.count >= count) return
    await within(this.#soonMs, `the ${count}. call of the listener`, new Promise<void>((resolve) => { this.#waiting.push({ count, resolve }) }))
  }
}

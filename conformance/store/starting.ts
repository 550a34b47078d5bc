/* One running run per session, for any number of starts at once. */
import assert from 'node:assert/strict'
import type { RunStart } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, type Accepted, assertStandstill, claimedOf, drive, inShort, logOf, newRun, newSession, OWNER, rejects, sessionOf, STRANGER, upTo } from './driven-run.ts'

const isAccepted = (start: RunStart): start is Accepted => start.outcome === 'accepted'

export function starting (test: StoreTest): void {
  test('a message to a free session is a run at once', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    await one.createSession(newSession('s', { title: 'Tea', metadata: { sugar: 1 } }))
    const { run, cursor, promotion } = await accept(one, 'r', { options: { model: ['big', { fast: true }] } })
    const claimed = claimedOf(promotion, 'r')
    assert.equal(promotion.sessionId, 's')
    assert.deepEqual(promotion.events, [claimed.message])
    assert.deepEqual(claimed.run, { sessionId: 's', runId: 'r', provider: 'echo' })
    assert.deepEqual(claimed.options, { model: ['big', { fast: true }] })
    assert.deepEqual([claimed.session.id, claimed.session.owner, claimed.session.title, claimed.session.metadata], ['s', OWNER, 'Tea', { sugar: 1 }])
    assert.deepEqual([claimed.providerSessionId, claimed.providerSessionIds], [null, []])
    assert.deepEqual([claimed.message.seq, claimed.message.kind, claimed.message.runId, claimed.message.transient], [1, 'text', 'r', false])
    assert.equal(cursor, 0)

    const { createdAt, startedAt, ...state } = run
    assert.deepEqual(state, {
      runId: 'r', sessionId: 's', provider: 'echo', status: 'running', cursor: 0, completeSeq: null, completedAt: null, exitCode: null, success: null, aborted: null, reason: null
    })
    for (const time of [createdAt, startedAt!]) assert.equal(new Date(time).toISOString(), time)
    for (const store of [one, other]) {
      assert.deepEqual(await store.getRun('r', OWNER), run)
      assert.deepEqual(await store.listRuns('s', OWNER, { limit: 10, before: null }), [run])
      assert.deepEqual(await store.listRunningRuns(OWNER, { limit: 100, after: null }), [{ runId: 'r', sessionId: 's', provider: 'echo', startedAt, lastSeq: 1 }])
      const { session, events, through } = await logOf(store)
      assert.deepEqual([session.isProcessing, session.runId, session.queue, session.lastSeq, through], [true, 'r', [], 1, 1])
      assert.deepEqual(events, [claimed.message])
    }
  })

  test('the first event of a run is its message, in the one encoding', async (bench) => {
    const store = await bench.open()
    const request = newRun('r')
    const start = await store.startRun(request)
    assert.ok(isAccepted(start))
    const event = JSON.parse(start.promotion.events[0]!.json) as Record<string, unknown>
    const timestamp = event['timestamp'] as string
    assert.equal(new Date(timestamp).toISOString(), timestamp)
    assert.deepEqual(Object.entries(event), Object.entries({
      kind: 'text', sessionId: 's', runId: 'r', seq: 1, provider: 'echo', timestamp, ...JSON.parse(request.message.fields) as object
    }))
  })

  for (const instances of [1, 2]) {
    test(`of 100 starters on ${instances === 1 ? 'one instance' : 'two instances'} one gets the session, the others are told by which run it is taken`, async (bench) => {
      const stores = [await bench.open()]
      if (instances === 2) stores.push(await bench.open())
      const storeOf = (i: number) => stores[i % instances]!
      const starts = await Promise.all(Array.from({ length: 100 }, (_, i) => storeOf(i).startRun(newRun(`r${i}`, { onBusy: 'reject' }))))
      const winner = starts.findIndex(isAccepted)
      assert.deepEqual(starts.filter((_, i) => i !== winner), Array(99).fill({ outcome: 'busy', runId: `r${winner}`, cursor: 0, instanceId: storeOf(winner).instanceId }))
      assert.deepEqual(inShort((await logOf(stores[0]!)).events), [`r${winner} text do r${winner}`])
      assert.equal((await stores[0]!.listRuns('s', null, { limit: 1_000, before: null })).length, 1)
    })

    test(`of 100 who would wait on ${instances === 1 ? 'one instance' : 'two instances'} one runs, and each of the others has its turn`, async (bench) => {
      const stores = [await bench.open()]
      if (instances === 2) stores.push(await bench.open())
      const starts = await Promise.all(Array.from({ length: 100 }, (_, i) => stores[i % instances]!.startRun(newRun(`r${i}`, { maxQueued: 99 }))))
      assert.ok(starts.every(isAccepted))
      const claims = starts.flatMap((start, i) => isAccepted(start) && start.promotion.claimed !== null ? [i] : [])
      assert.equal(claims.length, 1)
      const { queue } = await sessionOf(stores[0]!)
      assert.deepEqual([`r${claims[0]}`, ...queue].sort(), Array.from({ length: 100 }, (_, i) => `r${i}`).sort())
      await rejects('QUEUE_FULL', stores[0]!.startRun(newRun('one-too-many', { maxQueued: 99 })))

      let runId: string | null = `r${claims[0]}`
      const turns: string[] = []
      while (runId !== null) {
        turns.push(runId)
        const closed = await stores[turns.length % instances]!.closeRun(runId, { exitCode: 0, aborted: false, reason: 'finished' }, { promote: true })
        runId = closed!.promotion.claimed?.run.runId ?? null
      }
      assert.deepEqual(turns, [`r${claims[0]}`, ...queue])
      const { events } = await logOf(stores[0]!)
      assert.deepEqual(events.map(({ seq }) => seq), upTo(200))
      assert.deepEqual(events.map(({ runId }) => runId), turns.flatMap((id) => [id, id]))
    })
  }

  test('runs of different sessions do not get in each other\'s way', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    const starts = await Promise.all(Array.from({ length: 20 }, (_, i) => stores[i % 2]!.startRun(newRun(`r${i}`, { sessionId: `s${i}`, onBusy: 'reject' }))))
    assert.ok(starts.every((start) => isAccepted(start) && start.promotion.claimed !== null))
    const listed = await stores[0]!.listRunningRuns(OWNER, { limit: 100, after: null })
    assert.deepEqual(listed.map(({ runId }) => runId).sort(), Array.from({ length: 20 }, (_, i) => `r${i}`).sort())
    const first = await stores[1]!.listRunningRuns(null, { limit: 12, after: null })
    assert.deepEqual([...first, ...await stores[1]!.listRunningRuns(null, { limit: 12, after: first.at(-1)!.runId })], listed, 'in pages, too')
    assert.equal(first.length, 12)
  })

  test('a busy session that is to refuse says which run is in the way', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const first = await drive(one, 'first')
    await first.end()
    const run = await drive(one, 'r')
    await run.end(undefined, { promote: false })
    const second = await drive(one, 'second')
    const start = await other.startRun(newRun('r2', { onBusy: 'reject' }))
    assert.deepEqual(start, { outcome: 'busy', runId: 'second', cursor: second.claimed.message.seq - 1, instanceId: one.instanceId })

    const { cursor } = await accept(other, 'waiting')
    await accept(other, 'behind')
    await second.end(undefined, { promote: false })
    assert.deepEqual(await one.startRun(newRun('r3', { onBusy: 'reject' })), { outcome: 'busy', runId: 'waiting', cursor, instanceId: null }, 'the one that waits first, if none is running')
    assert.equal(await one.getRun('r3', null), null)
  })

  test('what a message may become decides what becomes of it', async (bench) => {
    const store = await bench.open()
    for (const onBusy of ['reject', 'queue', 'interrupt'] as const) {
      assert.deepEqual(await store.startRun(newRun('r', { onBusy, admit: 'nothing' })), { outcome: 'refused' })
    }
    assert.deepEqual(await store.startRun(newRun('r', { onBusy: 'reject', admit: 'queue' })), { outcome: 'refused' })
    await rejects('QUEUE_FULL', store.startRun(newRun('r', { admit: 'queue', maxQueued: 0 })))
    await rejects('SESSION_NOT_FOUND', store.startRun(newRun('r', { createSession: false, admit: 'nothing' })))
    assert.equal(await store.getSession('s', null), null, 'a session is not created for a message that is not accepted')
    assert.equal(await store.getRun('r', null), null)

    const { run, promotion } = await accept(store, 'r', { admit: 'queue', maxQueued: 1 })
    assertStandstill(promotion)
    assert.equal(run.status, 'queued')
    assert.deepEqual((await sessionOf(store)).queue, ['r'], 'a free session can have a run that waits')
    await store.claimQueuedRun()
    for (const onBusy of ['reject', 'queue', 'interrupt'] as const) {
      assert.deepEqual(await store.startRun(newRun('r2', { onBusy, admit: 'nothing' })), { outcome: 'refused' })
    }
    assert.equal((await store.startRun(newRun('r2', { onBusy: 'reject', admit: 'queue' }))).outcome, 'busy')
    assert.deepEqual([(await sessionOf(store)).runId, (await sessionOf(store)).queue], ['r', []])
    await accept(store, 'r2', { admit: 'queue' })
    await rejects('SESSION_NOT_FOUND', store.startRun(newRun('r3', { owner: STRANGER })))
    assert.deepEqual((await sessionOf(store)).queue, ['r2'])
  })

  test('runs are listed as they were accepted, last first', async (bench) => {
    const store = await bench.open()
    await accept(store, 'a')
    await accept(store, 'b')
    await accept(store, 'c', { onBusy: 'interrupt' })
    await accept(store, 'elsewhere', { sessionId: 'other' })
    const states = async (limit: number) => (await store.listRuns('s', OWNER, { limit, before: null })).map(({ runId, status }) => `${runId} ${status}`)
    assert.deepEqual(await states(10), ['c running', 'b queued', 'a completed'])
    assert.deepEqual(await states(2), ['c running', 'b queued'])
    const before = async (runId: string) => (await store.listRuns('s', OWNER, { limit: 1, before: runId })).map((run) => run.runId)
    assert.deepEqual([await before('c'), await before('b'), await before('a')], [['b'], ['a'], []])
    assert.deepEqual([await before('nowhere'), await before('elsewhere')], [[], []], 'a page tells nobody which runs others have')
    assert.deepEqual(await store.listRuns('nowhere', OWNER, { limit: 10, before: null }), [])
  })
}

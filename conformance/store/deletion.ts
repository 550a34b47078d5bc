/* Deletion: for good, whatever was going on. */
import assert from 'node:assert/strict'
import { INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import { hasCode } from '../../lib/protocol/errors.ts'
import type { StoreTest } from './bench.ts'
import { accept, ALL, delta, drive, laterThan, logOf, newRun, newSession, only, outcome, OWNER, rejects, sessionOf, STRANGER, text } from './driven-run.ts'

export function deletion (test: StoreTest): void {
  test('a session is deleted once; to its owner it was deleted, to others it never was', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.end()
    assert.equal(await one.deleteSession('nowhere', OWNER), false)
    assert.equal(await one.deleteSession('s', STRANGER), false)
    assert.equal(await one.deleteSession('s', OWNER), true)
    for (const store of [one, other]) {
      for (const owner of [OWNER, null]) {
        await rejects('SESSION_DELETED', store.getSession('s', owner))
        await rejects('SESSION_DELETED', store.updateSession('s', owner, { title: 'x' }))
        await rejects('SESSION_DELETED', store.deleteSession('s', owner))
        await rejects('SESSION_DELETED', store.read('s', owner, 0, ALL))
        await rejects('SESSION_DELETED', store.readEvents('s', owner, 0, ALL))
        await rejects('SESSION_DELETED', store.readHistory('s', owner, { before: null, limit: 10 }))
        await rejects('SESSION_DELETED', store.startRun(newRun('r2', { owner })))
        await rejects('SESSION_DELETED', store.startRun(newRun('r2', { owner, createSession: false, admit: 'nothing' })))
      }
      assert.equal(await store.getSession('s', STRANGER), null)
      assert.equal(await store.updateSession('s', STRANGER, { title: 'x' }), null)
      assert.equal(await store.deleteSession('s', STRANGER), false)
      assert.equal(await store.read('s', STRANGER, 0, ALL), null)
      assert.equal(await store.readHistory('s', STRANGER, { before: null, limit: 10 }), null)
      await rejects('SESSION_NOT_FOUND', store.startRun(newRun('r2', { owner: STRANGER })))
      assert.deepEqual(await store.lastSeqs(['s', 'nowhere']), [null, 0])
    }
  })

  test('the id of a deleted session is never used again', async (bench) => {
    const store = await bench.open()
    await store.createSession(newSession('s'))
    await store.deleteSession('s', null)
    for (const owner of [OWNER, STRANGER]) assert.equal(await store.createSession(newSession('s', { owner })), null)
    await rejects('SESSION_DELETED', store.startRun(newRun('r')))
    assert.deepEqual(await store.listSessions(null, { rows: 10, bytes: 1e6, before: null }), { sessions: [], hasMore: false })
    assert.deepEqual(await store.listIdleSessions(Date.now() + 60_000, 10), [])
  })

  test('the runs of a deleted session end without a word', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const done = await drive(one, 'done')
    const end = done.group([], { ending: INTERRUPTED })
    await done.send(end)
    const run = await drive(one, 'r')
    const sent = run.group([delta('m', 'half a')])
    await run.send(sent)
    await accept(one, 'waiting', { names: [{ name: 'k', hash: 'h' }] })
    assert.equal(await other.deleteSession('s', OWNER), true)

    assert.equal(await outcome(one, run.group([text('late')])), 'stale')
    assert.equal(await outcome(one, run.group([], { ending: INTERRUPTED })), 'stale')
    for (const group of [sent, end]) assert.deepEqual(await only(one, group), { outcome: 'stale', promotion: null }, 'also what was stored once')
    assert.equal(await one.claimQueuedRun(), null)
    assert.equal(await one.cancelQueuedRun('waiting'), false)
    for (const runId of ['done', 'r', 'waiting']) {
      assert.equal(await one.closeRun(runId, INTERRUPTED, { promote: true }), null)
      assert.equal(await one.getRun(runId, OWNER), null)
      assert.equal(await one.compactRun(runId, 0), 0)
    }
    assert.deepEqual(await one.listRuns('s', OWNER, { limit: 10, before: null }), [])
    assert.deepEqual(await one.listRunningRuns(null, { limit: 100, after: null }), [])
    assert.deepEqual(await one.listCompactableRuns(Date.now() + 60_000, 10), [])
    await one.setProviderSessionId('s', 'echo', 'native')
    await rejects('SESSION_DELETED', one.startRun(newRun('again', { names: [{ name: 'k', hash: 'h' }] })))
    await bench.crash(one)
    assert.deepEqual(await other.listOrphanedRuns(), [])
  })

  test('a purge ends, by whichever instance, and takes nothing of what is there', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const kept = await drive(one, 'kept', { sessionId: 'kept' })
    for (const sessionId of ['a', 'b']) await (await drive(one, `of-${sessionId}`, { sessionId })).append(...Array.from({ length: 1_500 }, () => text('gone')))
    const [session, log] = [await sessionOf(one, 'kept'), await logOf(one, 'kept')]
    for (const sessionId of ['a', 'b']) await one.deleteSession(sessionId, OWNER)
    while (await other.purge()) assert.deepEqual(await one.getRun('of-a', null), null)
    assert.equal(await one.purge(), false)
    assert.deepEqual([await sessionOf(one, 'kept'), await logOf(one, 'kept')], [session, log])
    await kept.append(text('still here'))
    for (const sessionId of ['a', 'b']) await rejects('SESSION_DELETED', one.getSession(sessionId, OWNER))
  })

  test('a deletion touches no other session', async (bench) => {
    const store = await bench.open()
    const kept = await drive(store, 'kept', { sessionId: 'kept' })
    await drive(store, 'r')
    await store.deleteSession('s', OWNER)
    await kept.append(text('still here'))
    assert.equal((await sessionOf(store, 'kept')).lastSeq, 2)
  })

  test('a deletion of what is idle spares what is busy or was touched', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    const later = Date.now() + 60_000
    assert.equal(await store.deleteSession('s', null, { idleSince: later }), false, 'a run is running')
    await accept(store, 'waiting')
    await run.end(undefined, { promote: false })
    assert.equal(await store.deleteSession('s', null, { idleSince: later }), false, 'a run waits')
    await store.cancelQueuedRun('waiting')
    await store.claimQueuedRun()
    const touched = Date.parse((await sessionOf(store)).updatedAt)
    assert.equal(await store.deleteSession('s', null, { idleSince: touched - 1 }), false, 'touched since')
    await laterThan(new Date(touched).toISOString())
    assert.equal(await store.deleteSession('s', STRANGER, { idleSince: later }), false)
    assert.equal(await store.deleteSession('s', OWNER, { idleSince: touched + 1 }), true)
    await rejects('SESSION_DELETED', store.deleteSession('s', OWNER, { idleSince: later }))
  })

  test('of many who delete a session at once, one does', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    await stores[0]!.createSession(newSession('s'))
    const deletions = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => stores[i % 2]!.deleteSession('s', OWNER)))
    assert.deepEqual(deletions.flatMap((deleted) => deleted.status === 'fulfilled' ? [deleted.value] : []), [true])
    const refused = deletions.filter((deleted) => deleted.status === 'rejected')
    assert.deepEqual(refused.map(({ reason }) => hasCode(reason, 'SESSION_DELETED')), Array(9).fill(true))
  })

  test('a message and a deletion at once leave no run behind', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    for (let i = 0; i < 20; i++) {
      const sessionId = `s${i}`
      await one.createSession(newSession(sessionId))
      const [start, deleted] = await Promise.allSettled([one.startRun(newRun(`r${i}`, { sessionId })), other.deleteSession(sessionId, OWNER)])
      assert.deepEqual(deleted, { status: 'fulfilled', value: true })
      if (start.status === 'rejected') assert.ok(hasCode(start.reason, 'SESSION_DELETED'))
    }
    assert.deepEqual(await one.listRunningRuns(null, { limit: 100, after: null }), [])
  })
}

/* What becomes of approvals: resolved or cancelled by their run, or cancelled when that is ended from outside. */
import assert from 'node:assert/strict'
import { parseEvent, pendingEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { ABORTED, FINISHED, INTERRUPTED, TIMED_OUT } from '../../lib/protocol/run-ending.ts'
import type { Store } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, asks, delta, drive, inShort, logOf, only, OWNER, resolves, sessionOf, text, upTo, withdraws } from './driven-run.ts'

export function settling (test: StoreTest): void {
  test('an approval that has its outcome is answered no more', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const requests = await run.append(...['resolved', 'withdrawn', 'unasked'].map(asks))
    await other.answerPermission('s', OWNER, 'resolved', { allow: true })
    const outcomes = await run.append(resolves('resolved'), withdraws('withdrawn'), resolves('unasked'))
    for (const [index, requestId] of ['resolved', 'withdrawn', 'unasked'].entries()) {
      assert.equal(await other.answerPermission('s', OWNER, requestId, { allow: false }), false)
      assert.deepEqual(await other.getPermission('s', OWNER, requestId), {
        status: requestId === 'withdrawn' ? 'cancelled' : 'resolved', request: requests[index], outcome: outcomes[index]
      })
    }
    assert.deepEqual(await one.listAnswers(100), [])
  })

  test('an approval may have its outcome in the group that asks, and in the one that ends the run', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(asks('p'), resolves('p'), asks('q'))
    await run.send(run.group([text('bye'), pendingEvent('permission_cancelled', { requestId: 'q', reason: 'finished' })], { ending: FINISHED }))
    assert.deepEqual([await statusOf(store, 'p'), await statusOf(store, 'q')], ['resolved', 'cancelled'])
    assert.deepEqual((await sessionOf(store)).pendingPermissions, [])
  })

  test('an end from outside cancels what has no outcome, after the last words and before the terminal', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const earlier = await drive(one, 'earlier')
    await earlier.append(asks('of-another-run'))
    await earlier.end()
    const run = await drive(one, 'r')
    await run.append(delta('m', 'half'), asks('z'), asks('resolved'), asks('withdrawn'), asks('answered'), asks('a'), resolves('resolved'), withdraws('withdrawn'))
    await one.answerPermission('s', OWNER, 'answered', { allow: true })
    const settled = await Promise.all(['resolved', 'withdrawn'].map((id) => one.getPermission('s', OWNER, id)))
    const { events } = (await other.closeRun('r', TIMED_OUT, { promote: true }))!.promotion
    assert.deepEqual(inShort(events), [
      'r text half', 'r permission_cancelled z timeout', 'r permission_cancelled answered timeout', 'r permission_cancelled a timeout', 'r complete timeout'
    ])
    assert.deepEqual((await logOf(one)).events.slice(-5), events)
    assert.ok(events.every(({ transient }) => !transient))
    for (const store of [one, other]) {
      for (const [index, requestId] of ['z', 'answered', 'a'].entries()) {
        const { status, outcome } = (await store.getPermission('s', OWNER, requestId))!
        assert.deepEqual([status, outcome], ['cancelled', events[index + 1]])
        assert.equal(await store.answerPermission('s', OWNER, requestId, { allow: true }), false)
      }
      assert.deepEqual(await store.listAnswers(100), [])
    }
    assert.deepEqual(await Promise.all(['resolved', 'withdrawn'].map((id) => one.getPermission('s', OWNER, id))), settled)
    assert.deepEqual([await statusOf(one, 'of-another-run'), await pendingIds(one)], ['pending', ['of-another-run']])
  })

  test('a message that interrupts cancels what the running run has asked for', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(delta('m', 'half'), asks('answered'), asks('pending'))
    await store.answerPermission('s', OWNER, 'answered', { allow: true })
    const { promotion } = await accept(store, 'now', { onBusy: 'interrupt' })
    assert.deepEqual(inShort(promotion.events), [
      'r text half', 'r permission_cancelled answered aborted', 'r permission_cancelled pending aborted', 'r complete aborted', 'now text do now'
    ])
    assert.deepEqual([await statusOf(store, 'answered'), await statusOf(store, 'pending'), await pendingIds(store)], ['cancelled', 'cancelled', []])
    assert.deepEqual(await store.listAnswers(100), [])
  })

  test('a run that was ended from outside settles nothing any more', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(asks('p'))
    await other.answerPermission('s', OWNER, 'p', { allow: true })
    await other.closeRun('r', INTERRUPTED, { promote: true })
    assert.equal((await only(one, run.group([resolves('p')]))).outcome, 'stale')
    assert.equal((await only(one, run.group([resolves('p')], { firstSeq: 5 }))).outcome, 'stale')
    assert.equal(await statusOf(one, 'p'), 'cancelled')
    await other.closeRun('r', ABORTED, { promote: true })
    assert.deepEqual(inShort((await logOf(one)).events), ['r text do r', 'r permission_request p', 'r permission_cancelled p interrupted', 'r complete interrupted'])
  })

  test('of an outcome and an end from outside at once, one holds, for all', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    for (const i of upTo(10)) {
      const sessionId = `s${i}`
      const run = await drive(one, `r${i}`, { sessionId })
      await run.append(asks(`p${i}`))
      const [held, answer] = await Promise.all([
        other.answerPermission(sessionId, OWNER, `p${i}`, { allow: true }), only(one, run.group([resolves(`p${i}`)])), other.closeRun(`r${i}`, INTERRUPTED, { promote: true })
      ])
      assert.notEqual(held, null)
      const outcomes = (await logOf(one, sessionId)).events.filter(({ kind }) => /^permission_(resolved|cancelled)$/.test(kind))
      assert.deepEqual(outcomes.map(({ kind }) => kind), [answer.outcome === 'ok' ? 'permission_resolved' : 'permission_cancelled'])
      assert.deepEqual((await one.getPermission(sessionId, OWNER, `p${i}`))?.outcome, outcomes[0])
      assert.deepEqual((await sessionOf(one, sessionId)).pendingPermissions, [])
    }
    assert.deepEqual(await one.listAnswers(100), [])
  })

  test('a reader sees as pending what the log has without an outcome', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const write = async (): Promise<void> => {
      for (const i of upTo(30)) {
        await run.append(asks(`a${i}`), asks(`b${i}`), asks(`c${i}`))
        await one.answerPermission('s', OWNER, `b${i}`, { allow: true })
        await run.append(resolves(`b${i}`), withdraws(`a${i}`))
        if (i % 10 === 0) await run.append(...upTo(10).map((n) => resolves(`c${i - 10 + n}`)))
      }
      await run.append(asks('last'))
      await one.closeRun('r', INTERRUPTED, { promote: true })
    }
    const writing = new AbortController()
    const look = async (): Promise<void> => {
      do {
        const { events, session } = await logOf(other)
        assert.deepEqual(session.pendingPermissions, pendingIn(events))
      } while (!writing.signal.aborted)
    }
    await Promise.all([write().finally(() => writing.abort()), look()])
    assert.deepEqual(await pendingIds(other), [])
  })

  test('compaction leaves approvals as they are', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(delta('m', 'a'), asks('pending'), delta('m', 'b'), asks('resolved'), delta('m', 'c'), asks('answered'))
    await run.append(resolves('resolved'), pendingEvent('text', { role: 'assistant', messageId: 'm', content: 'abc' }), delta('n', 'd'))
    await store.answerPermission('s', OWNER, 'answered', { allow: true })
    const look = async () => [
      await Promise.all(['pending', 'resolved', 'answered'].map((id) => store.getPermission('s', OWNER, id))), (await sessionOf(store)).pendingPermissions, await store.listAnswers(100)
    ]
    const before = await look()
    await store.compactRun('r', 1)
    assert.ok((await sessionOf(store)).compactedThrough > 0)
    assert.deepEqual(await look(), before)
    const closed = await store.closeRun('r', ABORTED, { promote: true })
    assert.deepEqual(inShort(closed!.promotion.events).slice(-3), ['r permission_cancelled pending aborted', 'r permission_cancelled answered aborted', 'r complete aborted'])
    const settled = await look()
    await store.compactRun('r', 0)
    assert.deepEqual(await look(), settled)
  })
}

/** The requests among events that are neither resolved nor cancelled there. */
function pendingIn (events: StoredEvent[]): unknown[] {
  const pending = new Map<string, unknown>()
  for (const event of events.map(parseEvent)) {
    if (event.kind === 'permission_request') pending.set(event.requestId, event)
    if (event.kind === 'permission_resolved' || event.kind === 'permission_cancelled') pending.delete(event.requestId)
  }
  return [...pending.values()]
}

async function statusOf (store: Store, requestId: string): Promise<string | undefined> {
  return (await store.getPermission('s', OWNER, requestId))?.status
}

async function pendingIds (store: Store): Promise<string[]> {
  return (await sessionOf(store)).pendingPermissions.map(({ requestId }) => requestId)
}

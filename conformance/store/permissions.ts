/* Approvals: asked for in the log, told with the session, answered once, by whom it may concern. */
import assert from 'node:assert/strict'
import { parseEvent } from '../../lib/protocol/event.ts'
import { FINISHED } from '../../lib/protocol/run-ending.ts'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import type { Store } from '../../lib/store/store.ts'
import { within } from '../harness.ts'
import type { StoreTest } from './bench.ts'
import { asks, asksLong, delta, drive, logOf, newSession, only, OWNER, rejects, resolves, sessionOf, STRANGER, text, withdraws } from './driven-run.ts'

const YES: PermissionDecision = { allow: true }
const NO: PermissionDecision = { allow: false, message: 'not on my machine' }

export function permissions (test: StoreTest): void {
  test('of approvals that take many bytes a session shows the oldest, and of the others the ids', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(asksLong('a', 100_000), asksLong('b', 100_000), asksLong('c', 100_000), asks('d'))
    const shown = async (): Promise<[string[], string[]]> => {
      const { pendingPermissions, morePendingPermissions } = await sessionOf(store)
      return [pendingPermissions.map(({ requestId }) => requestId), morePendingPermissions]
    }
    assert.deepEqual(await shown(), [['a', 'b'], ['c', 'd']])
    await run.append(resolves('a'))
    assert.deepEqual(await shown(), [['b', 'c', 'd'], []])
    assert.deepEqual((await store.listSessions(OWNER, { rows: 10, bytes: 1e6, before: null })).sessions, [await sessionOf(store)])
  })

  test('decisions that were not taken yet are listed as many as were asked for', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(asks('a'), asks('b'), asks('c'))
    for (const requestId of ['a', 'b', 'c']) await store.answerPermission('s', OWNER, requestId, { allow: true })
    assert.deepEqual((await store.listAnswers(2)).map(({ requestId }) => requestId), ['a', 'b'])
  })

  test('a permission request is pending from there on', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const [, first, , second] = await run.append(text('may I?'), asks('first'), delta('m', 'a'), asks('second'))
    for (const store of [one, other]) {
      assert.deepEqual(await store.getPermission('s', OWNER, 'first'), { status: 'pending', request: first, outcome: null })
      assert.deepEqual(await store.getPermission('s', null, 'second'), { status: 'pending', request: second, outcome: null })
    }
    assert.deepEqual(await one.listAnswers(100), [])
  })

  test('events that were not taken ask for nothing', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    assert.equal((await only(store, run.group([asks('hole')], { firstSeq: 9 }))).outcome, 'conflict')
    await run.end()
    assert.equal((await only(store, run.group([asks('late')]))).outcome, 'stale')
    for (const requestId of ['hole', 'late']) assert.equal(await store.getPermission('s', null, requestId), null)
    assert.deepEqual((await sessionOf(store)).pendingPermissions, [])
  })

  test('a session is told with what waits for an outcome, answered or not, oldest first', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    await one.createSession(newSession('other'))
    const run = await drive(one, 'r')
    const requests = await run.append(asks('z'), asks('b'), asks('c'), asks('a'))
    await other.answerPermission('s', OWNER, 'z', YES)
    await other.answerPermission('s', OWNER, 'c', NO)
    const expectEverywhere = async (...indices: number[]): Promise<void> => {
      const pending = indices.map((index) => parseEvent(requests[index]!))
      for (const store of [one, other]) {
        assert.deepEqual((await sessionOf(store)).pendingPermissions, pending)
        assert.deepEqual((await store.listSessions(OWNER, { rows: 10, bytes: 1e6, before: null })).sessions.map((session) => session.pendingPermissions), [pending, []])
        assert.deepEqual((await store.updateSession('s', OWNER, {}))?.pendingPermissions, pending)
        assert.deepEqual((await logOf(store)).session.pendingPermissions, pending)
        assert.deepEqual((await store.read('s', OWNER, run.seq, { rows: 1, bytes: 1 }))?.session.pendingPermissions, pending, 'whatever the page holds')
        assert.deepEqual((await store.readHistory('s', OWNER, { before: 2, limit: 1 }))?.session.pendingPermissions, pending)
        assert.deepEqual((await sessionOf(store, 'other')).pendingPermissions, [])
      }
    }
    await expectEverywhere(0, 1, 2, 3)
    await run.append(resolves('c'), withdraws('b'))
    await expectEverywhere(0, 3)
    await run.append(resolves('z'), resolves('a'))
    await expectEverywhere()
  })

  test('an approval is answered once, and the log does not hear of it', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const [request] = await run.append(asks('p'))
    const log = await logOf(one)
    assert.equal(await other.answerPermission('s', OWNER, 'p', NO), true)
    for (const store of [one, other]) {
      for (const owner of [OWNER, null]) assert.equal(await store.answerPermission('s', owner, 'p', YES), false)
      assert.equal(await store.answerPermission('s', OWNER, 'p', NO), true, 'the same again is answered as the first time')
      assert.deepEqual(await store.getPermission('s', OWNER, 'p'), { status: 'answered', request, outcome: null })
    }
    assert.deepEqual(await one.listAnswers(100), [{ runId: 'r', requestId: 'p', decision: NO }], 'the first one holds')
    assert.deepEqual(await logOf(one), log)
    await run.append(resolves('p'))
    assert.deepEqual([await other.answerPermission('s', OWNER, 'p', NO), await other.answerPermission('s', OWNER, 'p', YES)], [true, false], 'also behind its outcome')
  })

  test('of many answers at once one holds: the one that was told so', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    const run = await drive(stores[0]!, 'r')
    await run.append(asks('p'))
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => stores[i % 2]!.answerPermission('s', OWNER, 'p', { allow: i % 3 === 0, message: `${i}` })))
    assert.deepEqual([answers.filter((held) => held === true).length, answers.filter((held) => held === false).length], [1, 19])
    const winner = answers.indexOf(true)
    assert.deepEqual(await stores[0]!.listAnswers(100), [{ runId: 'r', requestId: 'p', decision: { allow: winner % 3 === 0, message: `${winner}` } }])
  })

  test('an approval is there for nobody else, and in no other session', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(asks('p'))
    await drive(one, 'elsewhere', { sessionId: 'other' })
    for (const store of [one, other]) {
      for (const [sessionId, owner, requestId] of [['s', STRANGER, 'p'], ['other', OWNER, 'p'], ['other', null, 'p'], ['nowhere', OWNER, 'p'], ['s', OWNER, 'q']] as const) {
        assert.equal(await store.answerPermission(sessionId, owner, requestId, YES), null)
        assert.equal(await store.getPermission(sessionId, owner, requestId), null)
      }
    }
    assert.equal((await one.getPermission('s', OWNER, 'p'))?.status, 'pending')
    assert.deepEqual(await one.listAnswers(100), [])
    assert.equal(await one.getSession('nowhere', null), null)
  })

  test('a decision is, as JSON, what was given', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(asks('p'))
    const updatedInput = { command: 'NUL\0 LS\u2028 \ud800 💥 "\\"', nothing: [null, '', {}, false, 0], numbers: [5e-324, 2 ** 53] }
    const decision: PermissionDecision = { allow: true, optionId: 'once', updatedInput, message: '' }
    const json = JSON.stringify(decision)
    await other.answerPermission('s', OWNER, 'p', decision)
    updatedInput.nothing.pop()
    const [first] = await one.listAnswers(100)
    assert.equal(JSON.stringify(first?.decision), json)
    first!.decision.allow = false
    assert.equal(JSON.stringify((await one.listAnswers(100))[0]?.decision), json)
  })

  test('an instance is told of the decisions that its running runs have yet to take, in the order in which they were asked for', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const [a, b, c] = [await drive(one, 'a', { sessionId: 'a' }), await drive(one, 'b', { sessionId: 'b' }), await drive(other, 'c', { sessionId: 'c' })]
    await b.append(asks('9'))
    await a.append(asks('8'), asks('never-answered'))
    await c.append(asks('7'))
    await b.append(asks('6'))
    for (const [sessionId, requestId] of [['c', '7'], ['b', '6'], ['a', '8'], ['b', '9']] as const) await other.answerPermission(sessionId, OWNER, requestId, YES)
    assert.deepEqual([await listed(one), await listed(other)], [['b 9', 'a 8', 'b 6'], ['c 7']])
    await b.append(resolves('9'))
    await a.append(withdraws('8'))
    await c.send(c.group([], { ending: FINISHED }))
    assert.deepEqual([await listed(one), await listed(other)], [['b 6'], []], 'not what is settled, nor what its run has not waited for')
  })

  test('the instance that drives a run hears of answers that others took', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(asks('p'))
    let stop = (): void => {}
    const heard = new Promise<void>((resolve) => {
      stop = one.watch(async () => { if ((await one.listAnswers(100)).length > 0) resolve() })
    })
    try {
      await other.answerPermission('s', OWNER, 'p', YES)
      await within(bench.soonMs, 'hearing of an answer', heard)
    } finally {
      stop()
    }
  })

  test('a group that is sent again asks and settles nothing again', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    const [asking, settling] = [run.group([asks('p'), asks('q')]), run.group([resolves('p'), withdraws('q')], { firstSeq: 4 })]
    const states = async () => (await Promise.all(['p', 'q'].map((id) => store.getPermission('s', OWNER, id)))).map((state) => [state?.status, state?.request.seq, state?.outcome?.seq])
    await run.send(asking)
    await store.answerPermission('s', OWNER, 'p', NO)
    assert.equal((await only(store, asking)).outcome, 'ok')
    assert.deepEqual(await states(), [['answered', 2, undefined], ['pending', 3, undefined]])
    assert.deepEqual((await store.listAnswers(100)).map(({ decision }) => decision), [NO])
    await run.send(settling)
    for (const group of [asking, settling]) assert.equal((await only(store, group)).outcome, 'ok')
    assert.deepEqual(await states(), [['resolved', 2, 4], ['cancelled', 3, 5]])
    assert.deepEqual((await sessionOf(store)).pendingPermissions, [])
  })

  test('of the approvals of a deleted session there is nothing', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(asks('answered'), asks('pending'))
    await one.answerPermission('s', OWNER, 'answered', YES)
    const kept = await drive(one, 'kept', { sessionId: 'kept' })
    await kept.append(asks('kept'))
    await other.deleteSession('s', OWNER)
    for (const store of [one, other]) {
      for (const requestId of ['answered', 'pending', 'never']) {
        for (const owner of [OWNER, null]) {
          await rejects('SESSION_DELETED', store.answerPermission('s', owner, requestId, NO))
          await rejects('SESSION_DELETED', store.getPermission('s', owner, requestId))
        }
        assert.equal(await store.answerPermission('s', STRANGER, requestId, NO), null)
        assert.equal(await store.getPermission('s', STRANGER, requestId), null)
        assert.equal(await store.getPermission('kept', OWNER, requestId), null)
      }
      assert.deepEqual(await listed(store), [])
    }
    assert.equal(await other.answerPermission('kept', OWNER, 'kept', YES), true, 'no other session is touched')
    assert.deepEqual(await listed(one), ['kept kept'])
  })
}

/** The decisions that an instance is told of, in short. */
async function listed (store: Store): Promise<string[]> {
  return (await store.listAnswers(100)).map(({ runId, requestId }) => `${runId} ${requestId}`)
}

/* The log: contiguous, written only by the instance that drives the run, each group once and whole, one terminal. */
import assert from 'node:assert/strict'
import { FINISHED, INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import type { StoreTest } from './bench.ts'
import { assertStandstill, accept, claimedOf, delta, drive, DrivenRun, inShort, logOf, only, outcome, OWNER, seqs, sessionOf, status, text, upTo } from './driven-run.ts'

export function appending (test: StoreTest): void {
  test('seqs are contiguous, however many append at once', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    const ids = upTo(8).map(String)
    await Promise.all(ids.map(async (id, i) => {
      for (let n = 0; n < 3; n++) {
        const run = await drive(stores[i % 2]!, `${id}-${n}`, { sessionId: id })
        for (let j = 0; j < 5; j++) await run.append(delta('m', 'a'), status('b'), text(`${j}`))
        await run.end()
      }
    }))
    for (const id of ids) {
      const { events, session } = await logOf(stores[0]!, id)
      assert.deepEqual(seqs(events), upTo(3 * 17))
      assert.deepEqual([session.lastSeq, session.isProcessing], [3 * 17, false])
    }
  })

  test('events that do not follow the newest are refused, and leave nothing', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(text('two'))
    for (const firstSeq of [1, 2, 4, 100]) {
      assert.deepEqual(await only(store, run.group([text('x'), text('y')], { firstSeq })), { outcome: 'conflict', promotion: null }, `from ${firstSeq}`)
    }
    assert.deepEqual(await only(store, run.group([text('x')], { firstSeq: 4, ending: FINISHED })), { outcome: 'conflict', promotion: null })
    assert.deepEqual(inShort((await logOf(store)).events), ['r text do r', 'r text two'])
    assert.equal((await sessionOf(store)).runId, 'r')
    await run.append(text('three'))
  })

  test('only the instance that drives a run appends to it, and only while it runs', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await accept(one, 'waiting')
    const stale = { outcome: 'stale', promotion: null }
    assert.deepEqual(await only(other, run.group([text('zombie')])), stale)
    assert.deepEqual(await only(other, run.group([], { ending: FINISHED })), stale)
    assert.deepEqual(await only(one, { ...run.group([text('x')]), runId: 'nobody' }), stale)
    assert.deepEqual(await only(one, { ...run.group([text('x')]), runId: 'waiting' }), stale, 'one that waits is driven by nobody')
    await run.end(FINISHED, { promote: false })
    assert.deepEqual(await only(one, run.group([text('late')])), stale)
    assert.deepEqual(await only(one, run.group([], { ending: INTERRUPTED })), stale)
    assert.deepEqual(inShort((await logOf(one)).events), ['r text do r', 'r complete finished'])
  })

  test('a run that was ended from outside is out of its instance\'s hands', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await accept(one, 'next')
    await run.append(text('a'))
    const closed = await other.closeRun('r', INTERRUPTED, { promote: true })
    const next = new DrivenRun(other, claimedOf(closed!.promotion, 'next'))
    assert.equal(await outcome(one, run.group([text('zombie')])), 'stale')
    assert.equal(await outcome(one, run.group([text('zombie')], { firstSeq: next.seq + 1 })), 'stale')
    assert.equal(await outcome(one, next.group([text('not yours')])), 'stale', 'the next is driven by who ended the first')
    await next.append(text('mine'))
    assert.deepEqual(inShort((await logOf(one)).events), ['r text do r', 'r text a', 'r complete interrupted', 'next text do next', 'next text mine'])
  })

  test('a group that is sent again is stored once', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    const first = run.group([delta('m', 'a'), text('a')])
    await run.send(first)
    assert.deepEqual(await only(store, first), { outcome: 'ok', promotion: null })
    await run.append(text('b'))
    assert.deepEqual(await only(store, first), { outcome: 'ok', promotion: null }, 'also when more has come since')
    const last = run.group([], { ending: FINISHED })
    await run.send(last)
    for (const group of [last, first]) assert.equal(await outcome(store, group), 'ok', 'also after the end')
    assert.deepEqual(inShort((await logOf(store)).events), ['r text do r', 'r stream_delta a', 'r text a', 'r text b', 'r complete finished'])
    for (const events of [first.events, [...first.events, last.events[0]!]]) {
      assert.equal(await outcome(store, { ...first, events, ending: events === first.events ? FINISHED : null }), 'stale', 'no end of its run, and no group that the end belongs to')
    }
  })

  test('an end that is sent again sets the same in motion, once', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    for (const runId of ['cancelled', 'next', 'last']) await accept(store, runId)
    await store.cancelQueuedRun('cancelled')
    const end = run.group([text('bye')], { ending: FINISHED })
    const first = await only(store, end)
    assert.equal(claimedOf(first.promotion, 'next').message.seq, 6)
    const again = await only(store, end)
    assert.equal(again.outcome, 'ok')
    const [{ session: { id }, ...claimed }, { session: { id: firstId }, ...firstClaimed }] = [claimedOf(again.promotion, 'next'), claimedOf(first.promotion, 'next')]
    assert.deepEqual([id, claimed], [firstId, firstClaimed])
    assert.deepEqual(again.promotion!.events, first.promotion!.events.slice(-1), 'what came before it is in the log')
    assert.deepEqual([(await sessionOf(store)).runId, (await sessionOf(store)).queue, (await sessionOf(store)).lastSeq], ['next', ['last'], 6])
  })

  test('an end that is sent again claims no run that was started since', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    const end = run.group([], { ending: FINISHED })
    assertStandstill((await only(store, end)).promotion)
    await drive(store, 'next')
    const again = await only(store, end)
    assert.equal(again.outcome, 'ok')
    assertStandstill(again.promotion)
  })

  test('the groups of one append are independent', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const [a, b, c] = [await drive(one, 'a', { sessionId: 'a' }), await drive(one, 'b', { sessionId: 'b' }), await drive(one, 'c', { sessionId: 'c' })]
    await other.closeRun('b', INTERRUPTED, { promote: false })
    const answers = await one.append([
      a.group([text('hole')], { firstSeq: 9 }), b.group([text('stale')]), c.group([text('fine')]), a.group([text('fine')]), c.group([], { firstSeq: 3, ending: FINISHED })
    ])
    assert.deepEqual(answers.map((answer) => answer.outcome), ['conflict', 'stale', 'ok', 'ok', 'ok'])
    assert.deepEqual(inShort((await logOf(one, 'a')).events), ['a text do a', 'a text fine'])
    assert.deepEqual(inShort((await logOf(one, 'b')).events), ['b text do b', 'b complete interrupted'])
    assert.deepEqual(inShort((await logOf(one, 'c')).events), ['c text do c', 'c text fine', 'c complete finished'])
    assert.deepEqual(await one.append([]), [])
  })

  test('the terminal and the end of the run are one step, with the events before it', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    const before = await sessionOf(store)
    await run.send(run.group([text('half')], { ending: { exitCode: 3, aborted: false, reason: 'failed', usage: { tokens: 1 }, error: { code: 'NO', message: 'no' } } }))
    const { createdAt, startedAt, completedAt, ...state } = (await store.getRun('r', OWNER))!
    assert.deepEqual(state, {
      runId: 'r', sessionId: 's', provider: 'echo', status: 'completed', cursor: 0, completeSeq: 3, exitCode: 3, success: false, aborted: false, reason: 'failed'
    })
    assert.ok(createdAt <= startedAt! && startedAt! <= completedAt!)
    const after = await sessionOf(store)
    assert.deepEqual([after.isProcessing, after.runId, after.lastSeq], [false, null, 3])
    assert.ok(after.updatedAt >= before.updatedAt)
    assert.deepEqual(await store.listRunningRuns(null, { limit: 100, after: null }), [])
    await (await drive(store, 'good')).end()
    assert.deepEqual([(await store.getRun('good', OWNER))?.success, (await store.getRun('good', OWNER))?.exitCode], [true, 0])
  })

  test('a reader sees each group whole or not at all, and a session that fits it', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const write = async (): Promise<void> => {
      for (let i = 0; i < 30; i++) await run.append(...upTo(5).map((n) => text(`${i}.${n}`)))
      await run.send(run.group(upTo(4).map((n) => text(`${n}`)), { ending: FINISHED }))
    }
    const writing = new AbortController()
    const look = async (): Promise<void> => {
      do {
        const { events, session, through } = await logOf(other)
        assert.deepEqual(seqs(events), upTo(session.lastSeq), 'the page is of the same moment as the session')
        assert.equal(through, session.lastSeq)
        assert.equal((session.lastSeq - 1) % 5, 0, 'no group is cut')
        const over = events.at(-1)!.kind === 'complete'
        assert.deepEqual([session.isProcessing, session.runId], over ? [false, null] : [true, 'r'])
        const listed = await other.listRunningRuns(null, { limit: 100, after: null })
        if (over) assert.deepEqual(listed, [])
      } while (!writing.signal.aborted)
    }
    await Promise.all([write().finally(() => writing.abort()), look()])
    assert.equal((await sessionOf(other)).lastSeq, 156)
  })

  test('of an end from inside and many from outside at once, one holds, for all', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    for (let i = 0; i < 10; i++) {
      const run = await drive(one, `r${i}`)
      const [answer, ...closed] = await Promise.all([
        only(one, run.group([], { ending: FINISHED })), ...upTo(4).map((n) => (n % 2 === 0 ? one : other).closeRun(`r${i}`, INTERRUPTED, { promote: true }))
      ])
      const terminals = (await logOf(one)).events.filter(({ runId, kind }) => runId === `r${i}` && kind === 'complete')
      assert.equal(terminals.length, 1)
      const holds = JSON.parse(terminals[0]!.json) as unknown
      for (const close of closed) assert.deepEqual(close?.complete, holds)
      assert.equal(closed.filter((close) => close!.promotion.events.length > 0).length, answer.outcome === 'ok' ? 0 : 1)
    }
  })
}

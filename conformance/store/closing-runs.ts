/* Ends from outside: what was said is kept, the first terminal holds. */
import assert from 'node:assert/strict'
import { pendingEvent } from '../../lib/protocol/event.ts'
import { ABORTED, FINISHED, INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import type { Store } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, assertStandstill, claimedOf, delta, drive, DrivenRun, inShort, logOf, OWNER, sessionOf, text } from './driven-run.ts'

export function closingRuns (test: StoreTest): void {
  test('a run that is ended from outside keeps what was seen as deltas', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const first = await drive(one, 'first')
    await first.append(delta('left', 'of another run'))
    await first.end()
    const run = await drive(one, 'r')
    await run.append(
      delta('m1', 'Hel'), pendingEvent('thinking_delta', { messageId: 'm1', content: 'hm' }), delta('m1', 'lo'),
      delta('m2', 'whole'), pendingEvent('text', { role: 'assistant', messageId: 'm2', content: 'whole!' }),
      delta('m3', 'x'), pendingEvent('stream_delta', { messageId: 'm3', content: 'snap', snapshot: true, fromSeq: 9 }), delta('m3', '!')
    )
    const closed = await other.closeRun('r', { ...INTERRUPTED, usage: { tokens: 3 } }, { promote: false })
    assert.deepEqual(closed!.promotion.events.map(({ seq, runId, transient, json }) => {
      const { kind, role, messageId, content, reason } = JSON.parse(json) as Record<string, unknown>
      return [seq, runId, transient, kind, role, messageId, content ?? reason]
    }), [
      [13, 'r', false, 'text', 'assistant', 'm1', 'Hello'],
      [14, 'r', false, 'thinking', undefined, 'm1', 'hm'],
      [15, 'r', false, 'text', 'assistant', 'm3', 'snap!'],
      [16, 'r', false, 'complete', undefined, undefined, 'interrupted']
    ])
    const { timestamp, ...complete } = closed!.complete
    assert.equal(new Date(timestamp).toISOString(), timestamp)
    assert.deepEqual(complete, {
      kind: 'complete', sessionId: 's', runId: 'r', seq: 16, provider: 'echo', exitCode: 1, success: false, aborted: false, reason: 'interrupted', actualSessionId: 's', usage: { tokens: 3 }, error: INTERRUPTED.error
    })
    assert.deepEqual((await logOf(one)).events.slice(-4), closed!.promotion.events)
    const state = await one.getRun('r', OWNER)
    assert.deepEqual([state?.status, state?.completeSeq, state?.exitCode, state?.success, state?.aborted, state?.reason], ['completed', 16, 1, false, false, 'interrupted'])
    assert.equal((await sessionOf(one)).isProcessing, false)
  })

  test('a run ends once: the terminal that came first holds', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(delta('m', 'a'))
    const closed = await other.closeRun('r', ABORTED, { promote: true })
    await accept(one, 'next')
    await accept(one, 'waiting')
    const again = await one.closeRun('r', FINISHED, { promote: true })
    assert.deepEqual(again?.complete, closed?.complete)
    assertStandstill(again!.promotion)
    assert.deepEqual([(await sessionOf(one)).runId, (await sessionOf(one)).queue], ['next', ['waiting']])

    const ended = await drive(one, 'ended', { sessionId: 'other' })
    await ended.end()
    const late = await other.closeRun('ended', ABORTED, { promote: true })
    assert.deepEqual([late?.complete.seq, late?.complete.reason], [2, 'finished'], 'also the one that the run brought itself')
    assert.equal((await sessionOf(one, 'other')).lastSeq, 2)
  })

  test('an end from outside that is asked for again claims the same run, until something follows its message', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    await drive(one, 'r')
    await accept(one, 'next')
    await accept(one, 'last')
    const closed = await other.closeRun('r', ABORTED, { promote: true })
    const close = async (store: Store, promote: boolean) => (await store.closeRun('r', FINISHED, { promote }))!
    const again = await close(other, true)
    assert.deepEqual(again.complete, closed!.complete)
    assert.deepEqual(again.promotion.events, closed!.promotion.events.slice(-1), 'the end is in the log')
    const next = new DrivenRun(other, claimedOf(again.promotion, 'next'))
    for (const [store, promote] of [[one, true], [other, false]] as const) assertStandstill((await close(store, promote)).promotion)
    await next.append(text('begun'))
    assertStandstill((await close(other, true)).promotion)
  })

  test('a group of a run that was ended from outside is stale, whether or not it was stored', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const stored = run.group([text('a')])
    await run.send(stored)
    const end = run.group([], { ending: ABORTED })
    await other.closeRun('r', ABORTED, { promote: true })
    for (const group of [stored, end]) assert.equal((await one.append([group]))[0]!.outcome, 'stale')
  })

  test('there is nothing to end of a run that waits, or is not there', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r')
    await accept(store, 'waiting')
    assert.equal(await store.closeRun('waiting', ABORTED, { promote: true }), null)
    assert.equal(await store.closeRun('nobody', ABORTED, { promote: true }), null)
    assert.equal((await store.getRun('waiting', OWNER))?.status, 'queued')
    assert.deepEqual(inShort((await logOf(store)).events), ['r text do r'])
  })

  test('an end from outside promotes the next run if it is asked to', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    await drive(one, 'r')
    for (const runId of ['a', 'b']) await accept(one, runId)
    const closed = await other.closeRun('r', INTERRUPTED, { promote: true })
    claimedOf(closed!.promotion, 'a')
    assert.equal(closed!.promotion.sessionId, 's')
    assert.deepEqual(inShort(closed!.promotion.events), ['r complete interrupted', 'a text do a'])
    const last = await other.closeRun('a', INTERRUPTED, { promote: false })
    assert.deepEqual(inShort(last!.promotion.events), ['a complete interrupted'])
    assert.equal(last!.promotion.claimed, null)
    assert.deepEqual([(await sessionOf(one)).isProcessing, (await sessionOf(one)).runId, (await sessionOf(one)).queue], [true, null, ['b']])
  })

  test('deltas whose whole has come by then are not said twice', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(delta('m', 'a'), pendingEvent('stream_end', { messageId: 'm' }), text('x'))
    await run.append(pendingEvent('text', { role: 'assistant', messageId: 'm', content: 'a' }))
    const closed = await store.closeRun('r', ABORTED, { promote: true })
    assert.deepEqual(inShort(closed!.promotion.events), ['r complete aborted'])
  })
}

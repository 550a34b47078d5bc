/* Compaction: transient events go, and every reader knows how far. */
import assert from 'node:assert/strict'
import { pendingEvent } from '../../lib/protocol/event.ts'
import { FINISHED, INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import type { StoreTest } from './bench.ts'
import { delta, drive, inShort, laterThan, logOf, OWNER, outcome, seqs, sessionOf, status, text } from './driven-run.ts'

const whole = (messageId: string, content: string) => pendingEvent('text', { role: 'assistant' as const, messageId, content })

export function compaction (test: StoreTest): void {
  test('a compaction takes transient events but the newest, and moves compactedThrough with them', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(delta('m', 'a'), status('b'), delta('m', 'c'), whole('m', 'ac'), status('d'), status('e'))
    await run.end()
    assert.equal(await one.compactRun('r', 10), 5, 'there are no more than may stay')
    assert.equal((await logOf(one)).session.compactedThrough, 0)
    assert.equal(await other.compactRun('r', 2), 2)
    for (const store of [one, other]) {
      const { events, session, through } = await logOf(store)
      assert.deepEqual(seqs(events), [1, 5, 6, 7, 8])
      assert.deepEqual([session.compactedThrough, session.lastSeq, through], [4, 8, 8])
      assert.deepEqual((await store.read('s', OWNER, 1, { rows: 2, bytes: 1e6 }))!.through, 6)
    }
    assert.equal(await one.compactRun('r', 0), 0)
    assert.deepEqual(seqs((await logOf(other)).events), [1, 5, 8])
    assert.equal((await sessionOf(one)).compactedThrough, 7)
    assert.equal(await one.compactRun('nobody', 0), 0)
  })

  test('deltas without their whole become one snapshot, from which a run can still be ended', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(...'a fairly long sentence in short pieces'.split('').map((letter) => delta('m', letter)))
    assert.equal(await one.compactRun('r', 1), 2)
    const { events, session } = await logOf(other)
    assert.deepEqual(seqs(events), [1, run.seq - 1, run.seq])
    const { content, snapshot, fromSeq } = JSON.parse(events[1]!.json) as Record<string, unknown>
    assert.deepEqual({ content, snapshot, fromSeq }, { content: 'a fairly long sentence in short piece', snapshot: true, fromSeq: 2 })
    assert.deepEqual([session.compactedThrough, session.lastSeq], [run.seq - 1, run.seq])
    await run.append(delta('m', '!'))
    const closed = await other.closeRun('r', INTERRUPTED, { promote: true })
    assert.deepEqual(inShort(closed!.promotion.events), ['r text a fairly long sentence in short pieces!', 'r complete interrupted'])
  })

  test('a running run goes on after a compaction as before', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await run.append(text('a'), status('b'), status('c'))
    assert.equal(await other.compactRun('r', 1), 1)
    for (const store of [one, other]) {
      const { events, session, through } = await logOf(store)
      assert.deepEqual(seqs(events), [1, 2, 4])
      assert.deepEqual([session.lastSeq, session.compactedThrough, through], [4, 3, 4])
      assert.deepEqual(await store.lastSeqs(['s']), [4])
      assert.equal((await store.listRunningRuns(null, { limit: 100, after: null }))[0]?.lastSeq, 4)
    }
    await run.append(text('five'))
    assert.deepEqual(seqs((await logOf(other)).events), [1, 2, 4, 5])
  })

  test('a compaction touches no other run, and a run that ended is known as compacted', async (bench) => {
    const store = await bench.open()
    for (const runId of ['a', 'b', 'c']) {
      const run = await drive(store, runId)
      await run.append(status('x'), status('y'))
      if (runId === 'c') continue
      await run.end()
      await laterThan((await store.getRun(runId, null))!.completedAt!)
    }
    const later = Date.now() + 60_000
    assert.deepEqual(await store.listCompactableRuns(later, 10), ['a', 'b'], 'oldest first; one that runs is not listed')
    assert.deepEqual(await store.listCompactableRuns(later, 1), ['a'])
    const end = Date.parse((await store.getRun('b', null))!.completedAt!)
    assert.deepEqual(await store.listCompactableRuns(end - 1, 10), ['a'])
    await store.compactRun('b', 0)
    assert.deepEqual(seqs((await logOf(store)).events), [1, 2, 3, 4, 5, 8, 9, 10, 11])
    assert.deepEqual(await store.listCompactableRuns(later, 10), ['a'])
    await store.compactRun('a', 0)
    assert.deepEqual(await store.listCompactableRuns(later, 10), [])
    assert.equal((await sessionOf(store)).compactedThrough, 7, 'it does not go back')
  })

  test('a group that is sent again is known though a compaction went over it', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    const group = run.group([status('x'), status('y'), text('a')])
    await run.send(group)
    await store.compactRun('r', 1)
    assert.equal(await outcome(store, group), 'ok')
    await run.end(FINISHED)
    assert.deepEqual(inShort((await logOf(store)).events), ['r text do r', 'r status', 'r text a', 'r complete finished'])
  })

  test('a group that comes too late is stale though a compaction went over its seqs', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const late = run.group([status('late')])
    await other.closeRun('r', INTERRUPTED, { promote: false })
    const next = await drive(other, 'next')
    await next.append(status('x'), text('a'))
    await other.compactRun('next', 0)
    assert.equal(await outcome(one, late), 'stale')
  })
}

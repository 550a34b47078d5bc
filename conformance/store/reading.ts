/* Reads: pages that leave nothing out, and the history that clients start from. */
import assert from 'node:assert/strict'
import type { Store } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, ALL, delta, drive, logOf, newSession, OWNER, seqs, status, text } from './driven-run.ts'

export function reading (test: StoreTest): void {
  test('a page is cut by rows, and says how far it is complete', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(...'23456789'.split('').map(text), text('10'))
    const page = async (after: number, rows: number) => {
      const { session, ...page } = (await store.read('s', OWNER, after, { ...ALL, rows }))!
      const { events, through } = page
      assert.deepEqual(await store.readEvents('s', OWNER, after, { ...ALL, rows }), page, 'the same without the view')
      assert.deepEqual([page.lastSeq, page.compactedThrough], [session.lastSeq, session.compactedThrough])
      assert.equal(session.lastSeq, 10)
      return [seqs(events), through]
    }
    assert.deepEqual(await page(0, 3), [[1, 2, 3], 3])
    assert.deepEqual(await page(3, 6), [[4, 5, 6, 7, 8, 9], 9])
    assert.deepEqual(await page(3, 7), [[4, 5, 6, 7, 8, 9, 10], 10])
    assert.deepEqual(await page(0, 100), [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10])
    assert.deepEqual(await page(10, 5), [[], 10])
    assert.deepEqual(await page(11, 5), [[], 10], 'a cursor that is ahead')
    assert.deepEqual(await page(Number.MAX_SAFE_INTEGER, 5), [[], 10])
    assert.equal(await store.read('nowhere', OWNER, 0, ALL), null)
    await store.createSession(newSession('empty'))
    assert.deepEqual([(await logOf(store, 'empty')).events, (await logOf(store, 'empty')).through], [[], 0])
  })

  test('a page is cut by bytes, but has one event at least', async (bench) => {
    const store = await bench.open()
    const run = await drive(store, 'r')
    await run.append(...Array.from({ length: 9 }, (_, i) => delta('m', `${i}`.repeat(1_000))))
    const size = (await logOf(store)).events.at(-1)!.json.length
    for (const [bytes, most] of [[1, 1], [3 * size, 4]] as const) {
      let after = 1
      const all: number[] = []
      while (after < 10) {
        const { events, through } = (await store.read('s', OWNER, after, { rows: 100, bytes }))!
        assert.ok(events.length >= 1 && events.length <= most, `${events.length} events of ${size} bytes for a limit of ${bytes}`)
        assert.equal(through, events.at(-1)!.seq)
        all.push(...seqs(events))
        after = through
      }
      assert.deepEqual(all, [2, 3, 4, 5, 6, 7, 8, 9, 10])
    }
  })

  test('the history is the durable events, oldest first, in pages from the newest', async (bench) => {
    const store = await bench.open()
    const first = await drive(store, 'first')
    await first.append(delta('m', 'a'), status('b'), text('four'), delta('n', 'c'), text('six'))
    await first.end()
    assert.deepEqual(await history(store, null, 10), [[1, 4, 6, 7], false, 7])
    assert.deepEqual(await history(store, null, 4), [[1, 4, 6, 7], false, 7])
    assert.deepEqual(await history(store, null, 3), [[4, 6, 7], true, 7])
    assert.deepEqual(await history(store, 4, 3), [[1], false, 7])
    assert.deepEqual(await history(store, 7, 2), [[4, 6], true, 7])
    assert.deepEqual(await history(store, 1, 2), [[], false, 7])
    const { session, events } = (await store.readHistory('s', OWNER, { before: null, limit: 1 }))!
    assert.deepEqual([session.lastSeq, session.isProcessing], [7, false])
    assert.deepEqual(events, (await logOf(store)).events.slice(-1))
    assert.equal(await store.readHistory('nowhere', OWNER, { before: null, limit: 1 }), null)
    await store.createSession(newSession('empty'))
    assert.deepEqual(await history(store, null, 10, 'empty'), [[], false, 0])
  })

  test('while a run is running its latest page stops before it; the stream from there on is the rest', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const first = await drive(one, 'first')
    await first.end()
    assert.deepEqual(await history(one, null, 10), [[1, 2], false, 2])
    const run = await drive(one, 'r')
    await run.append(text('a'), delta('m', 'b'))
    await accept(one, 'waiting')
    for (const store of [one, other]) {
      assert.deepEqual(await history(store, null, 10), [[1, 2], false, 2])
      assert.deepEqual(await history(store, null, 1), [[2], true, 2])
      assert.deepEqual(seqs((await store.read('s', OWNER, 2, ALL))!.events), [3, 4, 5])
    }
    await run.end(undefined, { promote: false })
    assert.deepEqual(await history(other, null, 10), [[1, 2, 3, 4, 6], false, 6], 'a run that waits hides nothing')
  })
}

async function history (store: Store, before: number | null, limit: number, sessionId = 's') {
  const { events, hasMore, cursor } = (await store.readHistory(sessionId, OWNER, { before, limit }))!
  return [seqs(events), hasMore, cursor]
}

/* The tail and transactions: what was rolled back, given back, interrupted or called at once; and what is read in the middle of rows. */
import Database from 'better-sqlite3'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { accept, ALL, delta, drive, logOf, only, seqs, text, upTo } from '../../conformance/store/driven-run.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { AppendGroup } from '../../lib/store/store.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** A group that makes its transaction fail once the groups before it were appended. */
const BROKEN = (runId: string): AppendGroup => ({ runId, get events (): never { throw new Error('broken') }, ending: null, promote: true })

async function open (t: Test) {
  const path = join(tempDir(t), 'x.db')
  const store = sqliteStore({ path })
  t.teardown(() => store.close())
  await store.open()
  return { store, path }
}

test('what was appended by a transaction that was rolled back is not seen, and nothing that was there is lost', async (t) => {
  const { store } = await open(t)
  const run = await drive(store, 'r')
  for (const n of upTo(70)) {
    await t.rejects(store.append([run.group([delta('m', String(n))]), BROKEN('r')]))
    const { events, lastSeq } = await logOf(store)
    t.strictSame([seqs(events), lastSeq], [upTo(n), n])
    if (n % 20 === 0) while (await store.purge());
    await run.append(delta('m', String(n)))
  }
  // Of one that would have put the tail into the log.
  for (const n of upTo(40)) await run.append(delta('m', String(n)))
  await t.rejects(store.append([run.group(upTo(31).map((n) => delta('m', String(n)))), BROKEN('r')]))
  while (await store.purge());
  t.strictSame(seqs((await logOf(store)).events), upTo(111))
})

test('a key that a rollback gave back is the row of the session that gets it next, and of no other', async (t) => {
  const { store } = await open(t)
  const [a, b] = [await drive(store, 'a', { sessionId: 'a' }), await drive(store, 'b', { sessionId: 'b' })]
  await a.append(delta('m', 'a'))
  await t.rejects(store.append([a.group([delta('m', 'a')]), BROKEN('a')]))
  for (const n of upTo(3)) await b.append(delta('m', `b${n}`))
  t.strictSame((await logOf(store, 'a')).events.map(({ runId }) => runId), ['a', 'a'])
})

test('after a purge the tail holds nothing of a run that is over, and the file nothing of a deleted session', async (t) => {
  const { store, path } = await open(t)
  const run = await drive(store, 'r')
  for (const n of upTo(200)) await run.append(delta('m', `the-words ${n}`))
  await run.end()
  while (await store.purge());
  const database = new Database(path, { readonly: true })
  t.equal(database.prepare('SELECT count(*) FROM agent_runs_tail').pluck().get(), 0)
  database.close()
  await store.deleteSession('s', null)
  while (await store.purge());
  t.notOk(readFileSync(path, 'latin1').includes('the-words'))
})

test('a purge leaves the tails of runs that go on', async (t) => {
  const { store } = await open(t)
  const runs = [await drive(store, 'a', { sessionId: 'a' }), await drive(store, 'b', { sessionId: 'b' })]
  for (const n of upTo(40)) for (const run of runs) await run.append(delta('m', String(n)))
  await runs[0]!.end()
  while (await store.purge());
  t.strictSame(seqs((await logOf(store, 'b')).events), upTo(41))
})

test('a call sees what the calls before it have committed, though none was awaited', async (t) => {
  const { store } = await open(t)
  const run = await drive(store, 'r')
  const [one, two, page] = await Promise.all([store.append([run.group([delta('m', 'a')])]), store.append([run.group([delta('m', 'b')], { firstSeq: 3 })]), store.read('s', null, 0, ALL)])
  t.strictSame([one[0]!.outcome, two[0]!.outcome, page!.lastSeq], ['ok', 'ok', 3])
})

test('a run that its own store has interrupted takes no more events', async (t) => {
  const { store } = await open(t)
  const run = await drive(store, 'r')
  for (const n of upTo(2)) await run.append(delta('m', String(n)))
  await accept(store, 'next', { onBusy: 'interrupt', admit: 'queue' })
  t.equal((await only(store, run.group([delta('m', 'late')]))).outcome, 'stale')
})

test('an event that does not begin like the others of its run is kept as it is', async (t) => {
  const { store } = await open(t)
  const run = await drive(store, 'r')
  const group = run.group([delta('m', 'a')])
  const [event] = group.events
  const events = [{ ...event!, json: event!.json.replace('"provider":"echo"', '"provider":"ohce"') }]
  await store.append([{ ...group, events }])
  t.strictSame((await logOf(store)).events.slice(1), events)
})

test('a page of the history ends where it should, also inside a row of many events', async (t) => {
  const { store } = await open(t)
  const run = await drive(store, 'r')
  await run.append(...upTo(40).map((n) => text(String(n))))
  for (const before of upTo(42)) t.strictSame(seqs((await store.readHistory('s', null, { before, limit: 5 }))!.events), upTo(before - 1).slice(-5))
})

test('the history and the list of sessions show what is in the tail', async (t) => {
  const { store } = await open(t)
  const run = await drive(store, 'r')
  for (const n of upTo(3)) await run.append(text(String(n)))
  t.strictSame(seqs((await store.readHistory('s', null, { before: 4, limit: 5 }))!.events), [1, 2, 3])
  t.equal((await store.listSessions(null, { rows: 9, bytes: 1e6, before: null })).sessions[0]!.lastSeq, 4)
})

/* The tail: what is newest of running runs is read, repeated, compacted, deleted and taken over as if it were in the log. */
import Database from 'better-sqlite3'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { delta, drive, type DrivenRun, logOf, only, OWNER, status, text, upTo } from '../../conformance/store/driven-run.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { ABORTED, FINISHED } from '../../lib/protocol/run-ending.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** Two stores on one file, as of two processes, and a look at its tables. */
async function openTwo (t: Test) {
  const path = join(tempDir(t), 'runs.db')
  const stores = [sqliteStore({ path }), sqliteStore({ path })] as const
  for (const store of stores) await store.open()
  const database = new Database(path)
  t.teardown(async () => {
    database.close()
    for (const store of stores) await store.close()
  })
  const count = (table: 'tail' | 'events'): number => database.prepare<[], number>(`SELECT count(*) FROM agent_runs_${table}`).pluck().get()!
  return { one: stores[0], other: stores[1], database, count }
}

const seqsIn = async (store: Parameters<typeof logOf>[0]): Promise<number[]> => (await logOf(store)).events.map(({ seq }) => seq)
const say = (run: DrivenRun, times: number) => run.append(...upTo(times).map((n) => delta('m', String(n))))

test('both stores read what is in the tail, and where the log goes on from it', async (t) => {
  const { one, other, count } = await openTwo(t)
  const run = await drive(one, 'r')
  const appended = [run.claimed.message]
  for (const n of upTo(200)) {
    appended.push(...await run.append(delta('m', `${n}`), ...n % 10 === 0 ? [text(`${n}`)] : []))
    if (n % 7 === 0) t.strictSame((await logOf(other)).events, appended, `${n}`)
  }
  t.ok(count('tail') > 0)
  t.ok(count('events') < 100)
  for (const store of [one, other]) {
    t.strictSame((await logOf(store)).events, appended)
    for (const after of upTo(appended.length)) {
      const { events, through, lastSeq } = (await store.readEvents('s', OWNER, after, { rows: 3, bytes: 1e6 }))!
      t.strictSame(events, appended.slice(after, after + 3))
      t.strictSame([through, lastSeq], [Math.min(after + 3, appended.length), appended.length])
      const history = (await store.readHistory('s', OWNER, { before: after, limit: 4 }))!
      t.strictSame(history.events, appended.slice(0, after - 1).filter(({ transient }) => !transient).slice(-4))
    }
  }
})

test('a group that is sent again, also behind the end of its run, changes nothing of the run that follows', async (t) => {
  const { one, other } = await openTwo(t)
  const run = await drive(one, 'r')
  const group = run.group([delta('m', 'a')], { ending: FINISHED })
  await run.send(group)
  const next = await drive(one, 'next')
  await say(next, 2)
  t.equal((await only(one, group)).outcome, 'ok')
  for (const store of [one, other]) t.strictSame(await seqsIn(store), upTo(6))
  await say(next, 1)
  for (const store of [one, other]) t.strictSame(await seqsIn(store), upTo(7))
})

test('within one call a repeat of a group is known, and what comes behind an end is stale', async (t) => {
  const { one } = await openTwo(t)
  const run = await drive(one, 'r')
  const first = run.group([delta('m', 'a')])
  t.strictSame((await one.append([first, first])).map(({ outcome }) => outcome), ['ok', 'ok'])
  const end = run.group([], { ending: ABORTED, firstSeq: 3 })
  const behind = run.group([delta('m', 'b')], { firstSeq: 4 })
  t.strictSame((await one.append([end, behind])).map(({ outcome }) => outcome), ['ok', 'stale'])
  t.strictSame(await seqsIn(one), upTo(3))
})

test('a transaction that was rolled back leaves nothing behind: not in the tail, and not in what the store knows', async (t) => {
  const { one, other, database } = await openTwo(t)
  const run = await drive(one, 'r')
  await say(run, 3)
  // The log refuses the rows that the end would put there.
  database.exec("CREATE TRIGGER refuse BEFORE INSERT ON agent_runs_events BEGIN SELECT raise(ABORT, 'no'); END")
  await t.rejects(one.append([run.group([delta('m', 'x')]), run.group([], { ending: FINISHED, firstSeq: 6 })]))
  for (const store of [one, other]) t.strictSame(await seqsIn(store), upTo(4))
  database.exec('DROP TRIGGER refuse')
  await say(run, 1)
  await run.end()
  for (const store of [one, other]) t.strictSame(await seqsIn(store), upTo(6))
})

test('any store may compact a running run between two appends of its driver', async (t) => {
  const { one, other, count } = await openTwo(t)
  const run = await drive(one, 'r')
  await run.append(...upTo(30).map((n) => status(String(n))))
  for (const store of [one, other]) {
    await store.compactRun('r', 2)
    t.equal(count('tail'), 0, 'all of it is in the log')
    await say(run, 3)
  }
  for (const store of [one, other]) t.strictSame((await seqsIn(store)).slice(-3), [35, 36, 37])
  await other.compactRun('r', 2)
  await run.end()
  t.equal((await logOf(other)).lastSeq, 38)
})

test('a compaction that comes late leaves the tail of the next run alone', async (t) => {
  const { one, other, database } = await openTwo(t)
  const run = await drive(one, 'r')
  await say(run, 3)
  // It has read that the run is running, and waits for its turn to write.
  database.exec('BEGIN IMMEDIATE')
  const compaction = other.compactRun('r', 0)
  await nextTurn()
  database.exec('COMMIT')
  await run.end()
  const next = await drive(one, 'next')
  await say(next, 3)
  await compaction
  await say(next, 1)
  await next.end()
  t.strictSame((await logOf(other)).events.filter(({ runId }) => runId === 'next').map(({ seq }) => seq), upTo(11).slice(5))
})

test('garbage of the tail is deleted with its session, and when its store closes', async (t) => {
  const { one, other, count } = await openTwo(t)
  for (const sessionId of ['s', 'kept']) {
    const run = await drive(one, `run of ${sessionId}`, { sessionId })
    for (let n = 0; n < 10; n++) await say(run, 1)
    await run.end()
  }
  t.equal(count('tail'), 20)
  await other.deleteSession('s', OWNER)
  while (await other.purge());
  t.equal(count('tail'), 10)
  await one.close()
  t.equal(count('tail'), 0)
})

test('garbage that a dead store has left is deleted by the next store that opens the file', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const dead = sqliteStore({ path })
  await dead.open()
  const run = await drive(dead, 'r')
  for (let n = 0; n < 10; n++) await say(run, 1)
  await run.end()
  const next = sqliteStore({ path })
  t.teardown(() => next.close())
  await next.open()
  const database = new Database(path, { readonly: true })
  t.teardown(() => database.close())
  t.equal(database.prepare('SELECT count(*) FROM agent_runs_tail').pluck().get(), 0)
  t.strictSame(await seqsIn(next), upTo(12))
  await dead.close()
})

test('garbage is deleted while runs append, and no event with it', async (t) => {
  const { one, other, count } = await openTwo(t)
  const runs = await Promise.all(upTo(10).map((n) => drive(one, `r${n}`, { sessionId: `s${n}` })))
  for (let n = 0; n < 1_000; n++) {
    const groups = runs.map((run) => run.group([delta('m', String(n))]))
    await one.append(groups)
    for (const run of runs) run.seq++
  }
  t.ok(count('tail') < 10_000, `${count('tail')} rows of 10,000`)
  for (const n of upTo(10)) t.strictSame((await logOf(other, `s${n}`)).events.map(({ seq }) => seq), upTo(1_001))
})

test('an event is, to the byte, what was appended, whatever its kind and however its JSON is written', async (t) => {
  const { one, other } = await openTwo(t)
  const run = await drive(one, 'r')
  const kinds = ['"', '\\', 'a\nb', '{', '{"kind":"', '5"', '", "sessionId":"', '\u2028', ' ']
  const appended = [run.claimed.message]
  for (const kind of kinds) {
    for (const fields of ['{}', '{"a":1}', '{"a":"\\n\\"5\\""}', '{\n  "a": 1\n}']) {
      appended.push(...await run.append(delta('m', 'x'), { kind, transient: true, timestamp: '2026-01-01T00:00:00.000Z', fields }, delta('m', 'y')))
    }
  }
  for (const store of [one, other]) t.strictSame((await logOf(store)).events, appended)
  await run.end()
  t.strictSame((await logOf(other)).events.slice(0, -1), appended)
})

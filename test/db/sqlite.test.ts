import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite.ts'
import { eventEncoder, pendingEvent, type PendingEvent, type StoredEvent } from '../../lib/event.ts'
import type { AppendGroup, RunStart, Store } from '../../lib/store.ts'
import type { RunEnding } from '../../lib/types.ts'
import { newRun } from '../helpers/new-run.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const PAGE = { rows: 100, bytes: 1_000_000 }
const FINISHED: RunEnding = { exitCode: 0, aborted: false, reason: 'finished' }
const INTERRUPTED: RunEnding = { exitCode: 1, aborted: false, reason: 'interrupted' }

async function openStore (t: Test, path = join(tempDir(t), 'runs.db')): Promise<Store> {
  const store = sqliteStore({ path })
  await store.open()
  t.teardown(() => store.close())
  return store
}

function start (store: Store, runId: string, { sessionId = 's', owner = '', createSession = true } = {}): Promise<RunStart> {
  return store.startRun(newRun(runId, { sessionId, owner, createSession }))
}

function group (runId: string, firstSeq: number, pending: PendingEvent[], ending: RunEnding | null = null) {
  const encode = eventEncoder({ sessionId: 's', runId, provider: 'echo' })
  return { runId, events: pending.map((event, index): StoredEvent => encode(event, firstSeq + index)), ending, promote: false }
}

async function append (store: Store, ...groups: AppendGroup[]): Promise<string[]> {
  return (await store.append(groups)).map(({ outcome }) => outcome)
}

const text = (content: string): PendingEvent => pendingEvent('text', { role: 'assistant', messageId: content, content })
const delta = (messageId: string, content: string): PendingEvent => pendingEvent('stream_delta', { messageId, content })
const complete = pendingEvent('complete', { exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 's' })

test('of 100 starters in two instances one gets the session, the others are told by which run it is taken', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const stores = [await openStore(t, path), await openStore(t, path)]
  const starts = await Promise.all(Array.from({ length: 100 }, (_, i) => start(stores[i % 2]!, `run-${i}`)))

  const winners = starts.filter(({ outcome }) => outcome === 'accepted')
  t.equal(winners.length, 1)
  const winner = starts.findIndex(({ outcome }) => outcome === 'accepted')
  const { instanceId } = stores[winner % 2]!
  const others = starts.filter((_, i) => i !== winner)
  t.strictSame(others, others.map(() => ({ outcome: 'busy', runId: `run-${winner}`, cursor: 0, instanceId })))
})

test('a session belongs to the owner who created it; to others it does not exist', async (t) => {
  const store = await openStore(t)
  await start(store, 'r', { owner: 'ada' })
  await t.rejects(start(store, 'r2', { owner: 'bob' }), { code: 'SESSION_NOT_FOUND' })
  t.equal(await store.getSession('s', 'bob'), null)
  t.equal(await store.read('s', 'bob', 0, PAGE), null)
  t.equal(await store.readHistory('s', 'bob', { before: null, limit: 10 }), null)
  t.equal(await store.updateSession('s', 'bob', { title: 'mine' }), null)
  t.equal(await store.getRun('r', 'bob'), null)
  t.strictSame(await store.listRuns('s', 'bob', { limit: 10 }), [])
  t.strictSame(await store.listSessions('bob', { limit: 10, before: null }), [])
  t.strictSame(await store.listRunningRuns('bob'), [])
  t.equal((await store.getSession('s', 'ada'))?.runId, 'r')
  t.equal((await store.getSession('s', null))?.runId, 'r', 'the app itself may see everything')
})

test('a session that does not exist is not created unless that is asked', async (t) => {
  const store = await openStore(t)
  await t.rejects(start(store, 'r', { createSession: false }), { code: 'SESSION_NOT_FOUND' })
  t.equal(await store.getSession('s', null), null)
})

test('append gives back ok for what is new and for what is sent again, and stores it once', async (t) => {
  const store = await openStore(t)
  await start(store, 'r')
  const first = group('r', 2, [text('a'), text('b')])
  t.strictSame(await append(store, first), ['ok'])
  t.strictSame(await append(store, first), ['ok'])
  const last = group('r', 4, [complete], FINISHED)
  t.strictSame(await append(store, last), ['ok'])
  t.strictSame(await append(store, last), ['ok'], 'also the terminal, after which the run does not run any more')
  const page = await store.read('s', null, 0, PAGE)
  t.strictSame(page?.events.map(({ seq, kind }) => [seq, kind]), [[1, 'text'], [2, 'text'], [3, 'text'], [4, 'complete']])
})

test('append refuses seqs that do not follow, and runs that are over or not ours', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = await openStore(t, path)
  const other = await openStore(t, path)
  await start(store, 'r')
  t.strictSame(await append(store, group('r', 3, [text('hole')])), ['conflict'])
  t.strictSame(await append(store, group('r', 1, [text('again')])), ['conflict'])
  t.strictSame(await append(other, group('r', 2, [text('zombie')])), ['stale'], 'another instance is fenced')
  await store.append([group('r', 2, [complete], FINISHED)])
  t.strictSame(await append(store, group('r', 3, [text('late')])), ['stale'])
  t.strictSame(await append(store, group('nobody', 1, [text('x')])), ['stale'])
  t.equal((await store.getSession('s', null))?.lastSeq, 2)
})

test('groups of one append are independent: a refused one costs the others nothing', async (t) => {
  const store = await openStore(t)
  await start(store, 'r')
  await start(store, 'q', { sessionId: 'other' })
  t.strictSame(await append(store, group('r', 9, [text('no')]), group('q', 2, [text('yes')])), ['conflict', 'ok'])
  t.equal((await store.read('s', null, 0, PAGE))?.session.lastSeq, 1)
  t.equal((await store.read('other', null, 0, PAGE))?.session.lastSeq, 2)
})

test('the terminal and the run\'s completion are one write', async (t) => {
  const store = await openStore(t)
  await start(store, 'r')
  await store.append([group('r', 2, [complete], { exitCode: 3, aborted: false, reason: 'failed' })])
  const run = await store.getRun('r', null)
  t.match(run, { status: 'completed', exitCode: 3, success: false, aborted: false, reason: 'failed', cursor: 0, completeSeq: 2 })
  t.match(await store.getSession('s', null), { isProcessing: false, runId: null, lastSeq: 2 })
  t.equal((await start(store, 'r2')).outcome, 'accepted')
})

test('closeRun keeps the text that was seen as deltas, ends the run once, and fences its owner', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const owner = await openStore(t, path)
  const other = await openStore(t, path)
  await start(owner, 'r')
  await owner.append([group('r', 2, [
    delta('m1', 'Hel'), pendingEvent('thinking_delta', { messageId: 'm1', content: 'hm' }), delta('m1', 'lo'),
    delta('m2', 'whole'), text('m2'), delta('m3', 'x'), pendingEvent('stream_delta', { messageId: 'm3', content: 'snap', snapshot: true, fromSeq: 7 }), delta('m3', '!')
  ])])

  const closed = await other.closeRun('r', INTERRUPTED, { promote: false })
  t.strictSame(closed?.promotion.events.map(({ seq, json }) => {
    const { kind, messageId, content, reason } = JSON.parse(json) as Record<string, unknown>
    return [seq, kind, messageId ?? reason, content]
  }), [
    [10, 'text', 'm1', 'Hello'],
    [11, 'thinking', 'm1', 'hm'],
    [12, 'text', 'm3', 'snap!'],
    [13, 'complete', 'interrupted', undefined]
  ])
  t.match(closed?.complete, { kind: 'complete', seq: 13, exitCode: 1, success: false, aborted: false, actualSessionId: 's' })
  t.strictSame(await append(owner, group('r', 10, [text('zombie')])), ['stale'])
  const again = await owner.closeRun('r', FINISHED, { promote: false })
  t.strictSame(again, { promotion: { sessionId: 's', events: [], claimed: null }, complete: closed?.complete }, 'whoever comes second gets the terminal that holds')
  t.equal(await owner.closeRun('nobody', FINISHED, { promote: false }), null)
})

test('read pages by rows and by bytes, with the session of the same snapshot', async (t) => {
  const store = await openStore(t)
  await start(store, 'r')
  await store.append([group('r', 2, Array.from({ length: 9 }, (_, i) => text('x'.repeat(1_000) + i)))])
  const seqs = async (after: number, rows: number, bytes: number) => {
    const page = await store.read('s', null, after, { rows, bytes })
    return [page?.events.map(({ seq }) => seq), page?.through, page?.session.lastSeq]
  }
  t.strictSame(await seqs(0, 3, 1e6), [[1, 2, 3], 3, 10])
  t.strictSame(await seqs(3, 7, 1e6), [[4, 5, 6, 7, 8, 9, 10], 10, 10], 'a page that ends with the log is known to be complete')
  t.strictSame(await seqs(1, 100, 5_000), [[2, 3, 4], 4, 10])
  t.strictSame(await seqs(1, 100, 1), [[2], 2, 10], 'at least one event, however large')
  t.strictSame(await seqs(10, 5, 1e6), [[], 10, 10])
  t.strictSame(await seqs(Number.MAX_SAFE_INTEGER, 5, 1e6), [[], 10, 10])
})

test('the history is the durable events; its latest page stops before the running run', async (t) => {
  const store = await openStore(t)
  await start(store, 'r')
  await store.append([group('r', 2, [delta('m', 'a'), text('m'), complete], FINISHED)])
  await start(store, 'r2')
  await store.append([group('r2', 6, [delta('n', 'b')])])
  const history = async (before: number | null, limit: number) => {
    const page = await store.readHistory('s', null, { before, limit })
    return [page?.events.map(({ seq }) => seq), page?.hasMore, page?.cursor]
  }
  t.strictSame(await history(null, 10), [[1, 3, 4], false, 4])
  t.strictSame(await history(null, 2), [[3, 4], true, 4])
  t.strictSame(await history(3, 2), [[1], false, 4])
  await store.append([group('r2', 7, [complete], FINISHED)])
  t.strictSame(await history(null, 10), [[1, 3, 4, 5, 7], false, 7])
})

test('what is stored is, to the byte, what was given, also after reopening', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = await openStore(t, path)
  const started = await start(store, 'r')
  const weird = group('r', 2, [text('CR\r LF\n NUL\0 LS\u2028 lone\ud800 quote" back\\ ü 💥 </script>'), pendingEvent('custom', { name: 'deep', data: { a: [[[{ b: null }]]], n: 1e21, z: -0 } })])
  await store.append([weird])
  await store.close()
  const reopened = await openStore(t, path)
  const page = await reopened.read('s', null, 0, PAGE)
  t.equal(started.outcome, 'accepted')
  t.strictSame(page?.events, [...started.outcome === 'accepted' ? started.promotion.events : [], ...weird.events])
})

test('the native id last announced is the one to resume, and all are remembered', async (t) => {
  const store = await openStore(t)
  await start(store, 'r')
  await store.setProviderSessionId('s', 'echo', 'first')
  await store.setProviderSessionId('s', 'echo', 'second')
  await store.setProviderSessionId('s', 'other', 'third')
  await store.setProviderSessionId('s', 'echo', 'first')
  await store.setProviderSessionId('s', 'echo', 'first')
  await store.setProviderSessionId('nowhere', 'echo', 'x')
  await store.append([group('r', 2, [complete], FINISHED)])
  const next = await start(store, 'r2')
  const claimed = next.outcome === 'accepted' ? next.promotion.claimed : null
  t.equal(claimed?.providerSessionId, 'first')
  t.strictSame(claimed?.providerSessionIds, ['second', 'third', 'first'])
})

test('sessions are listed newest first, in pages', async (t) => {
  const store = await openStore(t)
  for (const id of ['a', 'b', 'c']) {
    t.match(await store.createSession({ id, owner: '', provider: null, title: id, metadata: { id } }), { id, title: id, metadata: { id }, lastSeq: 0 })
  }
  t.equal(await store.createSession({ id: 'a', owner: 'else', provider: null, title: null, metadata: {} }), null, 'a taken id')
  const ids = async (limit: number, before: string | null) => (await store.listSessions('', { limit, before })).map(({ id }) => id)
  t.strictSame(await ids(2, null), ['c', 'b'])
  t.strictSame(await ids(2, 'b'), ['a'])
  t.match(await store.updateSession('a', '', { title: null }), { title: null, metadata: { id: 'a' } })
  t.match(await store.updateSession('a', '', { metadata: { x: 1 } }), { title: null, metadata: { x: 1 } })
})

test('the database itself refuses a second running run of a session, whoever writes it', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const store = await openStore(t, path)
  await start(store, 'r')
  const database = new Database(path)
  t.teardown(() => database.close())
  const insert = database.prepare(`INSERT INTO agent_runs_runs (id, session_key, provider, status, instance_id, cursor, created_at)
    SELECT ?, session_key, provider, ?, instance_id, cursor, created_at FROM agent_runs_runs WHERE id = 'r'`)
  t.throws(() => insert.run('r2', 'running'), { code: 'SQLITE_CONSTRAINT_UNIQUE' })
  t.equal(insert.run('r3', 'completed').changes, 1)
})

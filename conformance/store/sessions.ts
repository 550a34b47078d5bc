/* Sessions: made once, listed in pages, changed by their owner, idle when nobody touches them. */
import assert from 'node:assert/strict'
import type { Owner } from '../../lib/protocol/session.ts'
import type { Store } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, drive, laterThan, newRun, newSession, OWNER, rejects, sessionOf, STRANGER } from './driven-run.ts'

const PAGE = { rows: 10, bytes: 1_000_000 }

export function sessions (test: StoreTest): void {
  test('a session is as it was created, once', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const created = await one.createSession(newSession('s', { provider: 'echo', title: 'Tea', metadata: { sugar: [1, { two: null }] } }))
    assert.ok(created)
    const { createdAt, updatedAt, ...rest } = created
    assert.deepEqual(rest, {
      id: 's', owner: OWNER, provider: 'echo', title: 'Tea', metadata: { sugar: [1, { two: null }] }, isProcessing: false, runId: null, queue: [], waiting: [], lastSeq: 0, compactedThrough: 0, pendingPermissions: [], morePendingPermissions: []
    })
    for (const time of [createdAt, updatedAt]) assert.equal(new Date(time).toISOString(), time)
    assert.deepEqual(await other.getSession('s', OWNER), created)
    assert.equal(await other.createSession(newSession('s', { title: 'mine now' })), null)
    assert.equal(await other.createSession(newSession('s', { owner: STRANGER })), null, 'for any owner')
    assert.deepEqual(await one.getSession('s', OWNER), created)
  })

  test('a page of sessions is bounded in rows and bytes, holds one at least, and says whether there are more', async (bench) => {
    const store = await bench.open()
    for (const id of ['a', 'b', 'c']) await store.createSession(newSession(id, { metadata: { filler: 'x'.repeat(10_000) } }))
    const page = async (rows: number, bytes: number, before: string | null = null): Promise<[string, boolean]> => {
      const { sessions, hasMore } = await store.listSessions(OWNER, { rows, bytes, before })
      return [sessions.map(({ id }) => id).join(), hasMore]
    }
    assert.deepEqual(await page(10, 1e6), ['c,b,a', false])
    assert.deepEqual(await page(3, 1e6), ['c,b,a', false])
    assert.deepEqual(await page(2, 1e6), ['c,b', true])
    assert.deepEqual(await page(10, 15_000), ['c,b', true])
    assert.deepEqual(await page(10, 1), ['c', true])
    assert.deepEqual(await page(10, 1, 'b'), ['a', false])
  })

  test('of many who create one session, one does', async (bench) => {
    const stores = [await bench.open(), await bench.open()]
    const created = await Promise.all(Array.from({ length: 20 }, (_, i) => stores[i % 2]!.createSession(newSession('s', { title: String(i) }))))
    const winners = created.filter((session) => session !== null)
    assert.equal(winners.length, 1)
    assert.deepEqual(await sessionOf(stores[0]!), winners[0])
  })

  test('a session goes on with a native one that no session has or had, of many who want it one', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const adopting = (id: string, providerSessionId: string, provider = 'echo') => newSession(id, { provider, providerSessionId })
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? one : other).createSession(adopting(`s${i}`, 'native-1'))))
    const winners = outcomes.flatMap((outcome) => outcome.status === 'fulfilled' && outcome.value !== null ? outcome.value.id : [])
    assert.equal(winners.length, 1)
    await rejects('PROVIDER_SESSION_TAKEN', other.createSession(adopting('late', 'native-1')))
    assert.equal(await one.getSession('late', null), null, 'nothing of a refused session is kept')
    assert.ok(await one.createSession(adopting('elsewhere', 'native-1', 'other')), 'another provider has sessions of its own')
    assert.deepEqual(await other.knownProviderSessions('echo', ['native-0', 'native-1', 'native-2']), ['native-1'])
    const { claimed } = await drive(one, 'r', { sessionId: winners[0]!, provider: 'echo' })
    assert.deepEqual([claimed.providerSessionId, claimed.providerSessionIds], ['native-1', ['native-1']])
  })

  test('a message creates the session only if it may, and for its owner', async (bench) => {
    const store = await bench.open()
    await rejects('SESSION_NOT_FOUND', store.startRun(newRun('r', { createSession: false })))
    assert.equal(await store.getSession('s', null), null)
    await accept(store, 'r')
    assert.equal((await sessionOf(store)).owner, OWNER)
    await accept(store, 'app', { sessionId: 'app', owner: null })
    assert.equal((await sessionOf(store, 'app')).owner, '', 'the app itself creates sessions of nobody')
  })

  test('sessions are listed newest first, in pages, to their owner', async (bench) => {
    const store = await bench.open()
    await store.createSession(newSession('theirs', { owner: STRANGER }))
    for (const id of ['a', 'b', 'c', 'd']) await store.createSession(newSession(id))
    const ids = async (owner: Owner, limit: number, before: string | null) => (await store.listSessions(owner, { rows: limit, bytes: 1e6, before })).sessions.map(({ id }) => id)
    assert.deepEqual(await ids(OWNER, 10, null), ['d', 'c', 'b', 'a'])
    assert.deepEqual(await ids(OWNER, 3, null), ['d', 'c', 'b'])
    assert.deepEqual(await ids(OWNER, 3, 'b'), ['a'])
    assert.deepEqual(await ids(OWNER, 3, 'a'), [])
    assert.deepEqual(await ids(STRANGER, 10, null), ['theirs'])
    assert.deepEqual(await ids(null, 10, 'c'), ['b', 'a', 'theirs'])
    assert.deepEqual((await store.listSessions(OWNER, { rows: 1, bytes: 1e6, before: null })).sessions[0], await sessionOf(store, 'd'))
    assert.deepEqual(await ids(STRANGER, 10, 'd'), await ids(STRANGER, 10, 'nowhere'), 'a page tells nobody which ids others have taken')
    await store.deleteSession('c', OWNER)
    assert.deepEqual(await ids(OWNER, 10, null), ['d', 'b', 'a'], 'without deleted ones')
    assert.deepEqual(await ids(OWNER, 10, 'c'), ['b', 'a'], 'a page goes on behind a session that is gone')
  })

  test('a patch changes what it names, and when the session was touched', async (bench) => {
    const store = await bench.open()
    const created = await store.createSession(newSession('s', { title: 'Tea', metadata: { a: 1 } }))
    await laterThan(created!.updatedAt)
    const titled = await store.updateSession('s', OWNER, { title: 'Coffee' })
    assert.ok(titled!.updatedAt > created!.updatedAt)
    assert.deepEqual({ ...titled, updatedAt: '' }, { ...created, title: 'Coffee', updatedAt: '' })
    const changed = await store.updateSession('s', null, { title: null, metadata: { b: [2] } })
    assert.deepEqual([changed?.title, changed?.metadata], [null, { b: [2] }], 'metadata is replaced as a whole')
    assert.deepEqual(await sessionOf(store), changed)
    assert.equal(await store.updateSession('nowhere', OWNER, { title: 'x' }), null)
  })

  test('to anyone but its owner a session does not exist, whatever is asked of it', async (bench) => {
    const store = await bench.open()
    await drive(store, 'r')
    await accept(store, 'waiting')
    const before = await sessionOf(store)
    const asked: Record<string, (owner: Owner) => Promise<unknown>> = {
      getSession: (owner) => store.getSession('s', owner),
      updateSession: (owner) => store.updateSession('s', owner, { metadata: before.metadata }),
      getRun: (owner) => store.getRun('r', owner),
      'getRun of one that waits': (owner) => store.getRun('waiting', owner),
      listRuns: async (owner) => (await store.listRuns('s', owner, { limit: 10, before: null }))[0] ?? null,
      listRunningRuns: async (owner) => (await store.listRunningRuns(owner, { limit: 100, after: null }))[0] ?? null,
      listSessions: async (owner) => (await store.listSessions(owner, { rows: 10, bytes: 1e6, before: null })).sessions[0] ?? null,
      read: (owner) => store.read('s', owner, 0, PAGE),
      readEvents: (owner) => store.readEvents('s', owner, 0, PAGE),
      readHistory: (owner) => store.readHistory('s', owner, { before: null, limit: 10 })
    }
    for (const [method, ask] of Object.entries(asked)) {
      assert.equal(await ask(STRANGER), null, method)
      assert.equal(await ask(''), null, `${method} by nobody`)
      assert.notEqual(await ask(OWNER), null, method)
      assert.notEqual(await ask(null), null, `${method} by the app itself`)
    }
    for (const createSession of [true, false]) {
      await rejects('SESSION_NOT_FOUND', store.startRun(newRun('r2', { owner: STRANGER, createSession })))
      await rejects('SESSION_NOT_FOUND', store.startRun(newRun('r3', { owner: STRANGER, createSession, admit: 'nothing' })))
    }
    assert.equal(await store.deleteSession('s', STRANGER), false)
    assert.deepEqual({ ...await sessionOf(store), updatedAt: '' }, { ...before, updatedAt: '' })
    await accept(store, 'by-the-app', { owner: null })
    assert.equal((await sessionOf(store)).owner, OWNER, 'the app itself may speak in anyone\'s session')
  })

  test('a session is idle when it is not busy and nobody has touched it since', async (bench) => {
    const store = await bench.open()
    for (const id of ['a', 'b', 'c']) {
      const created = await store.createSession(newSession(id))
      await laterThan(created!.updatedAt)
    }
    const all = await timeAfter(store, ['a', 'b', 'c'])
    assert.deepEqual(await store.listIdleSessions(all, 10), ['a', 'b', 'c'], 'longest ago first')
    assert.deepEqual(await store.listIdleSessions(all, 2), ['a', 'b'])
    const since = Date.parse((await sessionOf(store, 'b')).updatedAt)
    assert.deepEqual((await store.listIdleSessions(since + 1, 10)).filter((id) => id !== 'c'), ['a', 'b'])
    assert.deepEqual(await store.listIdleSessions(Date.parse((await sessionOf(store, 'a')).updatedAt) - 1, 10), [])

    await store.updateSession('a', OWNER, { title: 'touched' })
    assert.deepEqual(await store.listIdleSessions(await timeAfter(store, ['a']), 10), ['b', 'c', 'a'])
    const run = await drive(store, 'r', { sessionId: 'b' })
    await accept(store, 'waiting', { sessionId: 'c', admit: 'queue' })
    assert.deepEqual(await store.listIdleSessions(Date.now() + 60_000, 10), ['a'], 'neither with a run that is running nor with one that waits')
    await laterThan((await sessionOf(store, 'b')).updatedAt)
    await run.end()
    assert.deepEqual(await store.listIdleSessions(Date.now() + 60_000, 10), ['a', 'b'], 'the end of a run touches')
  })
}

/** A time after sessions were touched. */
async function timeAfter (store: Store, ids: string[]): Promise<number> {
  const times = await Promise.all(ids.map(async (id) => Date.parse((await sessionOf(store, id)).updatedAt)))
  return Math.max(...times) + 1
}

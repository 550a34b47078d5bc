/* Which sessions SQLite names as changed: those alone, also where it gives the keys of rows again. */
import { test, type Test } from 'tap'
import { ABORTED } from '../../lib/protocol/run-ending.ts'
import { drive, newSession, status, upTo } from '../../conformance/store/driven-run.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'

async function open (t: Test) {
  const store = sqliteStore({ path: ':memory:' })
  t.teardown(() => store.close())
  await store.open()
  let cursor: string | null = null
  const changed = async (): Promise<string[] | null> => {
    const changes = await store.changedSessions(cursor)
    cursor = changes.cursor
    return changes.sessionIds
  }
  return { store, changed }
}

test('only what has changed is named, once', async (t) => {
  const { store, changed } = await open(t)
  const run = await drive(store, 'a', { sessionId: 'a' })
  await drive(store, 'b', { sessionId: 'b' })
  t.equal(await changed(), null)
  t.strictSame(await changed(), [])
  await run.append(status('x'), status('y'))
  await drive(store, 'c', { sessionId: 'c' })
  await store.createSession(newSession('d'))
  t.strictSame((await changed())?.sort(), ['a', 'c', 'd'])
  await store.deleteSession('b', null)
  t.strictSame(await changed(), ['b'])
  while (await store.purge());
  t.strictSame(await changed(), [], 'the purge changes nothing that is seen')
})

test('when the newest rows were removed and their keys given again, any session may have changed', async (t) => {
  const { store, changed } = await open(t)
  await drive(store, 'other', { sessionId: 'other' })
  const run = await drive(store, 'gone', { sessionId: 'gone' })
  await run.append(status('x'))
  await changed()
  await store.deleteSession('gone', null)
  while (await store.purge());
  await drive(store, 'new', { sessionId: 'new' })
  const again = await drive(store, 'next', { sessionId: 'next' })
  t.equal(await changed(), null)
  t.strictSame(await changed(), [])
  await again.append(status('x'))
  t.strictSame(await changed(), ['next'])
})

test('far behind, any session may have changed', async (t) => {
  const { store, changed } = await open(t)
  const run = await drive(store, 'r')
  await changed()
  for (const word of upTo(5_001)) await run.append(status(String(word)))
  t.equal(await changed(), null)
  await store.closeRun('r', ABORTED, { promote: true })
  t.strictSame(await changed(), ['s'])
})

import Database from 'better-sqlite3'
import { test } from 'tap'
import { asks, drive, OWNER, resolves } from '../../conformance/store/driven-run.ts'
import { migrate } from '../../db/sqlite/migrate.ts'
import { prepareQueries } from '../../db/sqlite/queries.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'

test('looking for approvals, of which there are mostly none, reads no index but the one of those', async (t) => {
  const database = new Database(':memory:')
  t.teardown(() => database.close())
  migrate(database, () => false)
  const queries = prepareQueries(database, () => 0)
  const plan = (query: { getQuery: () => { sql: string, params: unknown[] } }): string => {
    const { sql, params } = query.getQuery()
    return database.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...params.map(() => null)).map(({ detail }) => detail).join('\n')
  }
  for (const query of [queries.session, queries.unsettledPermissions]) t.match(plan(query), 'USING INDEX agent_runs_permissions_open (session_key=?)')
  t.match(plan(queries.ownAnswers), 'SCAN agent_runs_permissions USING INDEX agent_runs_permissions_answered\n')
  t.notMatch(plan(queries.ownAnswers), 'TEMP B-TREE', 'they lie in the order in which they were asked for')
})

test('a deleted session leaves no approvals behind, and no others go', async (t) => {
  const database = new Database(':memory:')
  const store = sqliteStore({ database })
  t.teardown(async () => {
    await store.close()
    database.close()
  })
  await store.open()
  const run = await drive(store, 'r')
  await run.append(asks('pending'), asks('answered'), asks('resolved'), resolves('resolved'))
  await store.answerPermission('s', OWNER, 'answered', { allow: true })
  await (await drive(store, 'kept', { sessionId: 'kept' })).append(asks('kept'))
  await store.deleteSession('s', OWNER)
  while (await store.purge());
  t.strictSame(database.prepare('SELECT id FROM agent_runs_permissions').pluck().all(), ['kept'])
})

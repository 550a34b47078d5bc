/* Which indexes the lists walk: a million tombstones, or the sessions of others, must cost them nothing. */
import Database from 'better-sqlite3'
import { test } from 'tap'
import { newSession, OWNER } from '../../conformance/store/driven-run.ts'
import { migrate } from '../../db/sqlite/migrate.ts'
import { prepareQueries } from '../../db/sqlite/queries.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Store } from '../../index.ts'

const PAGE = { rows: 10, bytes: 1_000_000, before: null }
const LISTS: Record<string, { list: (store: Store) => Promise<unknown>, index: RegExp }> = {
  'the sessions of an owner': { list: (store) => store.listSessions(OWNER, PAGE), index: /agent_runs_sessions USING INDEX agent_runs_sessions_owned \(owner=\?\)/ },
  'all sessions': { list: (store) => store.listSessions(null, PAGE), index: /agent_runs_sessions USING INDEX agent_runs_sessions_open/ },
  'idle sessions': { list: (store) => store.listIdleSessions(Date.now() + 1_000, 10), index: /agent_runs_sessions USING INDEX agent_runs_sessions_touched \(updated_at<\?\)/ },
  'what is to be purged': { list: (store) => store.purge(), index: /agent_runs_message_keys USING INDEX agent_runs_message_keys_stopped/ },
  'sessions that have changed': { list: async (store) => store.changedSessions((await store.changedSessions(null)).cursor), index: /e USING INTEGER PRIMARY KEY \(rowid>\?\)[^]*s USING COVERING INDEX agent_runs_sessions_revision \(revision>\?\)/ },
  'running runs': { list: (store) => store.listRunningRuns(null, { limit: 10, after: null }), index: /agent_runs_runs USING INDEX agent_runs_runs_running/ },
  'running runs of an owner': { list: (store) => store.listRunningRuns(OWNER, { limit: 10, after: null }), index: /agent_runs_runs USING INDEX agent_runs_runs_running/ },
  'runs of this instance': { list: (store) => store.listOwnRuns(), index: /agent_runs_runs USING INDEX agent_runs_runs_running/ },
  'runs of other instances': { list: (store) => store.listOrphanedRuns(), index: /agent_runs_runs USING INDEX agent_runs_runs_running/ },
  'a session whose turn it is': { list: (store) => store.claimQueuedRun(), index: /agent_runs_runs USING COVERING INDEX agent_runs_runs_queue/ },
  'runs to be compacted': { list: (store) => store.listCompactableRuns(Date.now(), 10), index: /agent_runs_runs USING INDEX agent_runs_runs_compactable/ }
}

for (const [name, { list, index }] of Object.entries(LISTS)) {
  test(`${name}: no tombstone and no run of the past is walked`, async (t) => {
    const asked: string[] = []
    const database = new Database(':memory:', { verbose: (sql) => asked.push(String(sql)) })
    const store = sqliteStore({ database })
    t.teardown(async () => {
      await store.close()
      database.close()
    })
    await store.open()
    await store.createSession(newSession('s'))
    asked.length = 0
    await list(store)
    const sql = asked.findLast((text) => /^select/i.test(text))
    const plan = database.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all().map(({ detail }) => detail)
    t.match(plan.join('\n'), index)
    t.notMatch(plan.join('\n'), /SCAN agent_runs_\w+($|\n)/)
  })
}

test('no statement is planned anew for each value that is bound: none is bare in a comparison or LIMIT', (t) => {
  const database = new Database(':memory:')
  t.teardown(() => database.close())
  migrate(database, () => false)
  const texts: string[] = []
  const prepare = database.prepare.bind(database)
  // As better-sqlite3 has it, but for the text that is written down.
  database.prepare = ((text: string) => {
    texts.push(text)
    return prepare(text)
  }) as typeof database.prepare
  prepareQueries(database, () => 0)
  t.ok(texts.length > 50)
  // Tables with partial indexes; what an UPDATE sets is no comparison.
  const planned = texts.filter((text) => /agent_runs_(runs|sessions|permissions|message_keys)\b/.test(text)).map((text) => text.replace(/\bset .*?( where |$)/is, ' where '))
  t.strictSame(planned.filter((text) => /(=|<|>|\blimit) \?/i.test(text)), [])
  t.end()
})

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { eventEncoder, pendingEvent } from '../../lib/protocol/event.ts'
import { latch } from '../helpers/latch.ts'
import { newRun } from '../helpers/new-run.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const session = { id: 's', owner: '', provider: null, title: null, metadata: {} }

test('the log lives beside the tables of an app, whose database stays as it was set up, and open', async (t) => {
  const database = new Database(join(tempDir(t), 'app.db'), { timeout: 77 })
  t.teardown(() => database.close())
  database.pragma('journal_mode = WAL')
  database.exec('CREATE TABLE users (name TEXT); INSERT INTO users VALUES (\'ada\')')
  const pragmas = (): unknown[] => ['journal_mode', 'synchronous', 'cache_size', 'busy_timeout', 'foreign_keys'].map((name) => database.pragma(name, { simple: true }))
  const before = pragmas()
  const store = sqliteStore({ database })
  await store.open()
  await store.createSession(session)
  await store.close()
  t.strictSame(pragmas(), before)
  t.equal(database.prepare('SELECT name FROM users').pluck().get(), 'ada')
  t.equal(database.prepare('SELECT id FROM agent_runs_sessions').pluck().get(), 's')
})

test('nothing of ours gets into a transaction of the app', async (t) => {
  const database = new Database(':memory:')
  t.teardown(() => database.close())
  const store = sqliteStore({ database })
  await store.open()
  database.exec('BEGIN')
  const refused = store.createSession(session)
  await t.rejects(refused, { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  database.exec('ROLLBACK')
  t.match(await store.createSession(session), { id: 's' })
})

test('a database that cannot be used is refused by name', async (t) => {
  const closed = new Database(':memory:')
  closed.close()
  await t.rejects(sqliteStore({ database: closed }).open(), { code: 'AGENT_RUNS_STORE_INVALID', message: /not open/ })
  const path = join(tempDir(t), 'app.db')
  new Database(path).close()
  const readonly = new Database(path, { readonly: true })
  t.teardown(() => readonly.close())
  await t.rejects(sqliteStore({ database: readonly }).open(), { code: 'AGENT_RUNS_STORE_INVALID', message: /read-only/ })
  const big = new Database(':memory:')
  t.teardown(() => big.close())
  big.defaultSafeIntegers(true)
  await t.rejects(sqliteStore({ database: big }).open(), { code: 'AGENT_RUNS_STORE_INVALID', message: /BigInt/ })
})

test('without a lock to ask, a run whose instance gives no sign of life is ended when its lease is over', async (t) => {
  const path = join(tempDir(t), 'app.db')
  const open = (): Database.Database => {
    const database = new Database(path)
    database.pragma('journal_mode = WAL')
    t.teardown(() => database.close())
    return database
  }
  // Looking after runs does not keep a process alive; a server does.
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const dead = sqliteStore({ database: open(), leaseMs: 60 })
  await dead.open()
  await dead.startRun(newRun('orphan', { sessionId: 'dead' }))

  const agent = scriptedProvider()
  const living = await openRegistry(t, agent, sqliteStore({ database: open(), leaseMs: 60 }))
  await living.startRun({ sessionId: 'alive', content: 'go' })
  const other = await openRegistry(t, scriptedProvider(), sqliteStore({ database: open(), leaseMs: 60 }))
  for await (const item of other.subscribe('dead')) {
    if (item.kind === 'complete') {
      t.match(item, { reason: 'interrupted', seq: 2 })
      break
    }
  }
  const event = eventEncoder({ sessionId: 'dead', runId: 'orphan', provider: 'echo' })(pendingEvent('status', { text: 'I am back' }), 2)
  t.match(await dead.append([{ runId: 'orphan', events: [event], ending: null, promote: false }]), [{ outcome: 'stale' }], 'one that wakes up is fenced')
  t.match(await living.getSession('alive'), { isProcessing: true }, 'one that renews its lease is left alone')
  ;(await agent.next()).end()
})

test('two stores on one database object hear of each other', async (t) => {
  const database = new Database(':memory:')
  t.teardown(() => database.close())
  const [one, other] = [sqliteStore({ database }), sqliteStore({ database })]
  await one.open()
  await other.open()
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const heard = latch()
  t.teardown(other.watch(async () => heard.open()))
  t.teardown(one.watch(async () => { t.fail('its own commits are no news') }))
  await one.createSession(session)
  await heard.promise
})

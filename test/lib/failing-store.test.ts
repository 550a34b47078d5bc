import { join } from 'node:path'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event, Provider } from '../../index.ts'
import { runsError } from '../../lib/protocol/errors.ts'
import { FailingStore } from '../helpers/failing-store.ts'
import { latch } from '../helpers/latch.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { repeatingAgent } from '../helpers/repeating-agent.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

async function build (t: Test) {
  const failing = new FailingStore(sqliteStore({ path: ':memory:', leaseMs: 30 }))
  const registry = await openRegistry(t, repeatingAgent, failing.store)
  failing.calls.length = 0
  return { failing, registry }
}

test('a run whose last events the store does not take has not succeeded', async (t) => {
  const refusing: Provider = { async * run () { yield { kind: 'text', content: 'said' } } }
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, refusing, store)
  const append = store.append.bind(store)
  store.append = async () => {
    store.append = append
    throw runsError('STORE_FAILED')
  }
  const complete = async (sessionId: string): Promise<Event | undefined> => {
    await registry.startRun({ sessionId, content: 'go' })
    for await (const item of registry.subscribe(sessionId)) if (item.kind === 'complete') return item
  }
  t.match(await complete('a'), { seq: 2, success: false, reason: 'failed', error: { code: 'STORE_REFUSED' } })
  t.match(await complete('b'), { seq: 3, success: true, reason: 'finished' })
})

test('a run of which the store has everything but the end has succeeded all the same', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, { async * run () {} }, store)
  store.append = async () => { throw runsError('STORE_FAILED') }
  await registry.startRun({ sessionId: 's', content: 'go' })
  for await (const item of registry.subscribe('s')) {
    if (item.kind !== 'complete') continue
    t.match(item, { seq: 2, success: true, reason: 'finished' })
    break
  }
})

test('a run whose message was refused, as only the answer was lost, is ended at once and stands in nobody\'s way', async (t) => {
  // Nobody looks for stray runs meanwhile.
  const failing = new FailingStore(sqliteStore({ path: ':memory:', leaseMs: 3_600_000 }))
  const registry = await openRegistry(t, repeatingAgent, failing.store)
  failing.fails = (_, method) => method === 'startRun' ? 'after' : null
  await t.rejects(registry.startRun({ sessionId: 's', content: 'hang' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  await t.rejects(registry.startRun({ sessionId: 'other', content: 'hang', onBusy: 'queue' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  failing.fails = () => null
  while (await registry.isProcessing('s') || await registry.isProcessing('other')) await turn()
  t.match((await registry.listRuns('s')).runs, [{ status: 'completed', reason: 'interrupted' }])
})

test('a client is shown what was committed, though its answer was lost and nothing more happens', async (t) => {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const { failing, registry } = await build(t)
  const kinds: string[] = []
  const following = (async () => {
    for await (const { kind } of registry.subscribe('s')) {
      kinds.push(kind)
      if (kind === 'complete') failing.fails = (_, method) => method === 'deleteSession' ? 'after' : null
      if (kind === 'complete') await t.rejects(registry.deleteSession('s'), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
    }
  })()
  failing.fails = (_, method) => method === 'startRun' || method === 'closeRun' ? 'after' : null
  await t.rejects(registry.startRun({ sessionId: 's', content: 'go' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  await following
  t.strictSame(kinds, ['chat_subscribed', 'text', 'complete', 'session_deleted'])
})

test('an agent whose run was ended elsewhere is stopped before the streams are looked after, and nothing is asked for it but its terminal', async (t) => {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const path = join(tempDir(t), 'runs.db')
  const agent = scriptedProvider()
  const inner = sqliteStore({ path })
  await inner.open()
  const failing = new FailingStore(inner)
  const driver = await openRegistry(t, agent, failing.store)
  const other = await openRegistry(t, scriptedProvider(), sqliteStore({ path }))
  await driver.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  const heads = latch()
  const lastSeqs = inner.lastSeqs.bind(inner)
  inner.lastSeqs = async (ids) => {
    await heads.promise
    return lastSeqs(ids)
  }
  failing.calls.length = 0
  const follower = driver.subscribe('s')
  await follower.next()
  const aborted = await other.abortRun({ sessionId: 's' })
  await run.stopped.promise
  heads.open()
  for await (const event of follower) {
    if (event.kind !== 'complete') continue
    t.strictSame(event, aborted)
    break
  }
  t.strictSame(failing.calls.filter((call) => call === 'append' || call === 'closeRun'), [])
  await driver.close()
})

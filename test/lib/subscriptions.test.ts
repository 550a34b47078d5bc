import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { LogPage } from '../../lib/store/store.ts'
import { collectGarbage } from '../helpers/collect-garbage.ts'
import { RecordingSink } from '../helpers/memory-log.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('a stream that has come to its end of the log holds nothing of what it has read', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const pages: Array<WeakRef<LogPage>> = []
  const read = store.read.bind(store)
  store.read = async (...args) => {
    const page = await read(...args)
    if (page !== null) pages.push(new WeakRef(page))
    return page
  }
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, store)
  await registry.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'words' })
  run.end()
  const sink = new RecordingSink()
  const subscriber = (await registry.openSubscription({ sessionId: 's', owner: null, after: 0, until: null })).start(sink)
  await sink.until(3)
  for (let turn = 0; turn < 3; turn++) await nextTurn()
  collectGarbage()
  t.not(pages.length, 0)
  t.strictSame(pages.filter((page) => page.deref() !== undefined), [])
  t.strictSame(sink.written, ['chat_subscribed', 1, 2, 3])
  subscriber.close()
})

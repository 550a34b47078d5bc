import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { latch } from '../helpers/latch.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('a run that is claimed while the others are being interrupted is interrupted too, and its provider never starts', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, store)
  await registry.startRun({ sessionId: 'a', content: 'go' })
  await agent.next()
  const [claiming, claim, appending, append] = [latch(), latch(), latch(), latch()]
  const original = { startRun: store.startRun, append: store.append }
  store.startRun = async (run) => {
    claiming.open()
    await claim.promise
    return original.startRun.call(store, run)
  }
  store.append = async (groups) => {
    appending.open()
    await append.promise
    return original.append.call(store, groups)
  }
  const starting = registry.startRun({ sessionId: 'b', content: 'go' })
  await claiming.promise
  const closed = registry.close()
  await appending.promise
  claim.open()
  const { runId } = await starting
  append.open()
  await closed
  t.match(await registry.getRun(runId), { status: 'completed', reason: 'interrupted' })
  let started = false
  void agent.next().then(() => { started = true })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(started, false)
})

test('what was there when a replay began is all in it, also if it is compacted meanwhile', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, store)
  const { runId } = await registry.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  const say = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) await run.emit({ kind: 'stream_delta', messageId: 'm', content: `${i} ` })
  }
  await say(0, 900)
  for await (const event of registry.subscribe('s')) if ('seq' in event && event.seq === 901) break
  const replay = registry.replayEvents('s')
  await replay.next()
  await say(900, 1_100)
  for await (const event of registry.subscribe('s')) if ('seq' in event && event.seq === 1_101) break
  await store.compactRun(runId, 10)
  let text = ''
  for await (const event of replay) {
    if (event.kind === 'stream_delta') text = event.snapshot === true ? event.content : text + event.content
  }
  const expected = Array.from({ length: 900 }, (_, i) => `${i} `).join('')
  t.equal(text.slice(0, expected.length), expected)
})

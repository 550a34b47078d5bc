import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event, Frame } from '../../index.ts'
import { latch } from '../helpers/latch.ts'
import { makeRegistry, openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

async function collect (items: AsyncIterable<Event | Frame>, last: (item: Event | Frame) => boolean): Promise<string[]> {
  const seen: string[] = []
  for await (const item of items) {
    seen.push('seq' in item ? `${item.seq} ${item.kind}` : item.kind)
    if (last(item)) break
  }
  return seen
}

test('who waits for a session that comes to be somebody else\'s is ended, and sees nothing of it', async (t) => {
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent)
  const stranger = collect(registry.subscribe('s', { owner: 'bob' }), () => false)
  const owner = collect(registry.subscribe('s', { owner: 'ada' }), ({ kind }) => kind === 'complete')
  const late = registry.subscribe('s', { owner: 'bob' })
  await late.next()
  await registry.startRun({ sessionId: 's', owner: 'ada', content: 'secret' })
  ;(await agent.next()).end()
  t.strictSame(await stranger, ['chat_subscribed'])
  t.strictSame(await collect(late, () => false), [])
  t.strictSame(await owner, ['chat_subscribed', '1 text', '2 complete'])
})

test('two registries on one store object are refused by name, also after the first was closed and opened anew', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const first = await openRegistry(t, scriptedProvider(), store)
  const second = makeRegistry(scriptedProvider(), store)
  await t.rejects(second.open(), { code: 'AGENT_RUNS_STORE_IN_USE' })
  await first.close()
  await second.open()
  await second.close()
})

test('instances that reach one database by different paths know of each other', async (t) => {
  const directory = tempDir(t)
  const agent = scriptedProvider()
  const first = await openRegistry(t, agent, sqliteStore({ path: join(directory, 'real.db') }))
  const { runId } = await first.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  symlinkSync(join(directory, 'real.db'), join(directory, 'link.db'))
  const second = await openRegistry(t, scriptedProvider(), sqliteStore({ path: join(directory, 'link.db') }))
  t.match(await second.getRun(runId), { status: 'running' }, 'its process lives')
  run.end()
})

test('a run whose events the store refuses is ended from outside, and not even then does a native id leave', async (t) => {
  const agent = scriptedProvider()
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, agent, store)
  const { runId } = await registry.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'session_created', newSessionId: 'native-0123456789' }, { kind: 'stream_delta', messageId: 'm', content: 'half' })
  const seen = collect(registry.subscribe('s'), ({ kind }) => kind === 'complete')
  await collect(registry.subscribe('s'), ({ kind }) => kind === 'stream_delta')
  const { append } = store
  store.append = (groups) => {
    store.append = append
    return Promise.reject(new Error(`no room for ${groups.length}`))
  }
  void run.emit({ kind: 'complete', exitCode: 2, usage: { 'native-0123456789': 1 }, error: { code: 'X', message: 'cannot resume native-0123456789' } })
  t.strictSame(await seen, ['chat_subscribed', '1 text', '2 stream_delta', '3 text', '4 complete'])
  const { events } = await registry.history('s')
  t.match(events.at(-1), { kind: 'complete', runId, exitCode: 2, usage: { s: 1 }, error: { code: 'X', message: 'cannot resume s' } })
})

test('what a provider yields after the end of its run does not even reach the store', async (t) => {
  const agent = scriptedProvider()
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, agent, store)
  const kinds: string[] = []
  const { append } = store
  store.append = (groups) => {
    kinds.push(...groups.flatMap(({ events }) => events.map(({ kind }) => kind)))
    return append.call(store, groups)
  }
  await registry.startRun({ sessionId: 's', content: 'one' })
  const deaf = await agent.next()
  await registry.abortRun({ sessionId: 's' })
  void deaf.emit({ kind: 'text', content: 'zombie' })
  await registry.startRun({ sessionId: 's', content: 'two' })
  const next = await agent.next()
  await next.emit({ kind: 'status', text: 'alive' })
  next.end()
  await collect(registry.subscribe('s', { after: 3 }), ({ kind }) => kind === 'complete')
  t.strictSame(kinds, ['complete', 'status', 'complete'])
})

test('content that is none is refused before anything is stored', async (t) => {
  const registry = await openRegistry(t, scriptedProvider())
  for (const content of [undefined, null, '', [], 5, [{ type: 'image', mimeType: 'image/png' }]]) {
    await t.rejects(registry.startRun({ sessionId: 's', content: content as string }), { code: 'AGENT_RUNS_INVALID_REQUEST' })
  }
  t.equal(await registry.getSession('s'), null)
})

test('a start that is on its way when the registry closes is either refused or ended', async (t) => {
  const agent = scriptedProvider()
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, agent, store, { closeGraceMs: 10_000 })
  const claiming = latch()
  const goOn = latch()
  const { startRun } = store
  store.startRun = async (run) => {
    claiming.open()
    await goOn.promise
    return startRun.call(store, run)
  }
  const starting = registry.startRun({ sessionId: 's', content: 'go' })
  await claiming.promise
  const closed = registry.close()
  await t.rejects(registry.startRun({ sessionId: 'other', content: 'x' }), { code: 'AGENT_RUNS_SHUTTING_DOWN' })
  goOn.open()
  const { runId } = await starting
  const run = await agent.next()
  run.end()
  await closed
  t.match(await registry.getRun(runId), { status: 'completed', reason: 'finished' })
})

test('what another instance did is looked for again if it could not be read', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const agent = scriptedProvider()
  // Looking does not keep a process alive; a server does.
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const first = await openRegistry(t, agent, sqliteStore({ path }))
  const store = sqliteStore({ path })
  const second = await openRegistry(t, scriptedProvider(), store)
  const following = collect(second.subscribe('s'), ({ kind }) => kind === 'complete')
  const { lastSeqs } = store
  let failures = 0
  store.lastSeqs = (ids) => {
    if (failures++ < 2) return Promise.reject(new Error('not now'))
    return lastSeqs.call(store, ids)
  }
  await first.startRun({ sessionId: 's', content: 'go' })
  ;(await agent.next()).end()
  t.strictSame(await following, ['chat_subscribed', '1 text', '2 complete'])
  t.ok(failures > 2)
})

test('a subscriber that fell back to the log goes on where it was, however it had started', async (t) => {
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent)
  await registry.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  const hot = collect(registry.subscribe('s'), ({ kind }) => kind === 'complete')
  for (let i = 0; i < 20; i++) await run.emit({ kind: 'text', content: `${i}` })
  const slow = registry.subscribe('s', { after: 1 })
  t.match((await slow.next()).value, { kind: 'chat_subscribed', cursor: 1 })
  // It takes nothing while more is written than a sink and the hot tail hold.
  for (let i = 0; i < 1_500; i++) await run.emit({ kind: 'text', content: `${i}` })
  run.end()
  const seqs: number[] = []
  for await (const item of slow) {
    if ('seq' in item) seqs.push(item.seq)
    if (item.kind === 'complete') break
  }
  t.strictSame(seqs, Array.from({ length: 1_521 }, (_, index) => index + 2))
  t.equal((await hot).length, 1_523)
})

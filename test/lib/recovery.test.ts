import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { latch } from '../helpers/latch.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('an instance that drives runs renews its lease, however long it takes to look after others', async (t) => {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const store = sqliteStore({ path: ':memory:', leaseMs: 30 })
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, store)
  const [looking, looked, renewed] = [latch(), latch(), latch()]
  let renewals = 0
  store.listOrphanedRuns = async () => {
    looking.open()
    await looked.promise
    return []
  }
  await registry.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  await looking.promise
  store.renewLease = async () => {
    if (++renewals === 3) renewed.open()
  }
  await renewed.promise
  looked.open()
  run.end()
})

test('a lease of any length is looked after now and then, and not without end', async (t) => {
  for (const leaseMs of [3_000, 2 ** 40, Infinity]) {
    const intervals = t.capture(globalThis, 'setInterval', setInterval)
    await openRegistry(t, scriptedProvider(), sqliteStore({ path: ':memory:', leaseMs }))
    const delays = intervals().map(({ args }) => args[1])
    intervals.restore()
    t.ok(delays.includes(Math.min(leaseMs / 3, 2 ** 31 - 1)), `a lease of ${leaseMs} ms: ${delays.join()}`)
    t.ok(delays.every((delay) => delay! < 2 ** 31))
  }
})

test('the lease is renewed behind each run, also one that began and ended between two looks', async (t) => {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const store = sqliteStore({ path: ':memory:', leaseMs: 300 })
  const registry = await openRegistry(t, { async * run () {} }, store)
  const renewed = latch()
  store.renewLease = async () => { renewed.open() }
  await registry.startRun({ sessionId: 's', content: 'go' })
  for await (const { kind } of registry.subscribe('s')) if (kind === 'complete') break
  await renewed.promise
})

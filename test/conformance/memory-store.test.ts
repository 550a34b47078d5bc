import { test } from 'tap'
import { MemoryDatabase, memoryStore, storeSuite } from '../../conformance/index.ts'
import { newRun, newSession } from '../../conformance/store/driven-run.ts'
import { memoryHarness } from '../helpers/store-harnesses.ts'

storeSuite(test, memoryHarness())

test('a killed instance is unavailable, heard no more, and known to be dead', async (t) => {
  const database = new MemoryDatabase()
  const [killed, other] = [memoryStore(database), memoryStore(database)]
  await killed.open()
  await other.open()
  let heard = 0
  killed.watch(async () => { heard++ })
  await killed.startRun(newRun('r'))
  t.strictSame(await other.listOrphanedRuns(), [])
  database.kill(killed.instanceId)
  await t.rejects(killed.getSession('s', null), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  t.throws(() => killed.watch(async () => {}), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  t.strictSame(await other.listOrphanedRuns(), [{ runId: 'r', sessionId: 's' }])
  await other.createSession(newSession('unheard'))
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(heard, 0)
})

test('a lease is measured by the clock that is given', async (t) => {
  const database = new MemoryDatabase()
  let now = 0
  const [one, other] = [memoryStore(database), memoryStore(database, { leaseMs: 900, now: () => now })]
  t.equal(one.leaseMs, 30_000)
  await one.open()
  await other.open()
  await one.startRun(newRun('r'))
  const dead = async (at: number) => {
    now = at
    return (await other.listOrphanedRuns()).length
  }
  t.equal(await dead(5_000), 0, 'first seen')
  t.equal(await dead(5_300), 0)
  t.equal(await dead(5_600), 0)
  t.equal(await dead(5_900), 1)
  await one.renewLease()
  t.equal(await dead(6_000), 0)
  t.equal(await dead(9_000), 0, 'a gap counts as a third of the lease')
  t.equal(await dead(9_300), 0)
  t.equal(await dead(9_600), 1)
})

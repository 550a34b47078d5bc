import { test } from 'tap'
import { type StoreHarness, storeSuite } from '../../conformance/index.ts'
import { overriding } from '../conformance/broken/breakage.ts'
import { BROKEN_LOGS, BROKEN_READS } from '../conformance/broken/logs.ts'
import { BROKEN_PERMISSIONS } from '../conformance/broken/permissions.ts'
import { BROKEN_SESSIONS } from '../conformance/broken/sessions.ts'
import { BROKEN_SETTLING } from '../conformance/broken/settling.ts'
import { BROKEN_STARTS } from '../conformance/broken/starts.ts'
import { memoryHarness } from '../helpers/store-harnesses.ts'

/** The name of the first test that a store does not pass; null if it passes all. */
async function firstFailure (harness: StoreHarness): Promise<string | null> {
  const tests: Array<{ name: string, work: () => Promise<void> }> = []
  storeSuite((name, work) => tests.push({ name, work }), harness)
  for (const { name, work } of tests) {
    try {
      await work()
    } catch {
      return name
    }
  }
  return null
}

test('the suite passes a store that is only wrapped', async (t) => {
  t.equal(await firstFailure(memoryHarness((store) => overriding(store, {}))), null)
})

const BROKEN = { ...BROKEN_STARTS, ...BROKEN_LOGS, ...BROKEN_READS, ...BROKEN_SESSIONS, ...BROKEN_PERMISSIONS, ...BROKEN_SETTLING }

for (const [how, breakage] of Object.entries(BROKEN)) {
  test(`the suite notices when ${how}`, async (t) => {
    const failure = await firstFailure({ ...memoryHarness((store, database) => overriding(store, breakage(store, database))), soonMs: 500 })
    t.not(failure, null)
    t.comment(failure)
  })
}

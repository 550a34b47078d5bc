/* The store contract (`lib/store/store.ts`) as tests that any store can be put through. */
import type { StoreHarness, TestRunner } from './harness.ts'
import { appending } from './store/appending.ts'
import { storeTest } from './store/bench.ts'
import { changes } from './store/changes.ts'
import { claiming } from './store/claiming.ts'
import { closingRuns } from './store/closing-runs.ts'
import { compaction } from './store/compaction.ts'
import { deletion } from './store/deletion.ts'
import { fidelity } from './store/fidelity.ts'
import { idempotency } from './store/idempotency.ts'
import { durability, instances } from './store/instances.ts'
import { interrupting } from './store/interrupting.ts'
import { permissions } from './store/permissions.ts'
import { queueing } from './store/queueing.ts'
import { reading } from './store/reading.ts'
import { sessions } from './store/sessions.ts'
import { settling } from './store/settling.ts'
import { starting } from './store/starting.ts'
import { stops } from './store/stops.ts'

const THEMES = [
  sessions, deletion, starting, appending, closingRuns, reading, compaction, queueing, interrupting, claiming, idempotency, permissions, settling, instances, changes, fidelity, stops
]

/**
 * Defines the tests of the store contract with a runner. They depend on nothing but their own database, and may run in any
 * order, or at once. A store that passes keeps the contract as far as one process can tell.
 */
export function storeSuite (test: TestRunner, harness: StoreHarness): void {
  const define = storeTest(test, harness)
  for (const theme of THEMES) theme(define)
  if (harness.durable ?? true) durability(define)
}

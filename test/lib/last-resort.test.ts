import { test } from 'tap'
import { ABORTED } from '../../lib/protocol/run-ending.ts'
import { LastResort } from '../../lib/runs/last-resort.ts'
import { memoryStore } from '../../db/memory/store.ts'
import { silentLogger } from '../../lib/common/logger.ts'

test('an abandoned run is remembered as long as the store says that it is running', async (t) => {
  const close = async (): Promise<never> => { throw new Error('refused') }
  const lastResort = new LastResort({ store: memoryStore(), close, log: silentLogger, stopped: AbortSignal.abort() })
  for (const runId of ['running', 'deleted']) t.equal(await lastResort.refused(runId, ABORTED), null)
  lastResort.keepOnly(new Set(['running', 'of others']))
  t.strictSame(['running', 'deleted', 'of others'].map((runId) => lastResort.endingOf(runId)?.reason), ['aborted', undefined, undefined])
})

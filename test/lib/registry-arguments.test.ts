/* Most apps are plain JavaScript: what a method does not take is refused by a code, not taken for its default. */
import { test } from 'tap'
import type { RunRegistry } from '../../lib/registry.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

type Loose = Record<keyof RunRegistry, (...args: unknown[]) => Promise<unknown>>

const CALLS: Record<string, (runs: Loose) => Promise<unknown>> = {
  'createSession with a misspelt field': (runs) => runs.createSession({ titel: 'x' }),
  'createSession with a number as its id': (runs) => runs.createSession({ id: 1 }),
  'getSession without an id': (runs) => runs.getSession(),
  'getSession with the owner beside its options': (runs) => runs.getSession('s', 'alice'),
  'getSession with a misspelt owner': (runs) => runs.getSession('s', { user: 'alice' }),
  'getSession with an owner that is undefined': (runs) => runs.getSession('s', { owner: undefined }),
  'listSessions with a limit of nothing': (runs) => runs.listSessions({ limit: 0 }),
  'listSessions with a limit that is no number': (runs) => runs.listSessions({ limit: '10' }),
  'listSessions with a limit that is too high': (runs) => runs.listSessions({ limit: 501 }),
  'listSessions with the cursor of another method': (runs) => runs.listSessions({ after: 's' }),
  'updateSession without an id': (runs) => runs.updateSession(undefined, {}),
  'deleteSession without an id': (runs) => runs.deleteSession(),
  'startRun with a misspelt field': (runs) => runs.startRun({ sessionId: 's', content: 'x', idempotencykey: 'k' }),
  'startRun with an unknown way to wait': (runs) => runs.startRun({ sessionId: 's', content: 'x', onBusy: 'wait' }),
  'startRun without a session': (runs) => runs.startRun({ content: 'x' }),
  'getRun with an object': (runs) => runs.getRun({ runId: 'r' }),
  'listRuns with a misspelt field': (runs) => runs.listRuns('s', { limits: 5 }),
  'listRunningRuns with the cursor of another method': (runs) => runs.listRunningRuns({ before: 'r' }),
  'abortRun with a misspelt field': (runs) => runs.abortRun({ sessionId: 's', run: 'r' }),
  'completeRun without an exit code': (runs) => runs.completeRun('r', {}),
  'answerPermission with a misspelt field': (runs) => runs.answerPermission({ sessionId: 's', requestId: 'r', allow: true, input: {} }),
  'history with a misspelt field': (runs) => runs.history('s', { after: 1 }),
  'readEvents with a limit that is no whole number': (runs) => runs.readEvents('s', { limit: 1.5 }),
  'openSubscription with a misspelt field': (runs) => runs.openSubscription({ sessionId: 's', owner: null, after: 0, until: null, from: 1 })
}

test('what a method of the registry does not take is INVALID_REQUEST, and changes nothing', async (t) => {
  const registry = await openRegistry(t, scriptedProvider(), sqliteStore({ path: ':memory:' }))
  await registry.createSession({ id: 's' })
  for (const [name, call] of Object.entries(CALLS)) {
    await t.rejects(call(registry as unknown as Loose), { code: 'AGENT_RUNS_INVALID_REQUEST', statusCode: 400 }, name)
  }
  t.match(await registry.listSessions(), { sessions: [{ id: 's', isProcessing: false }], hasMore: false })
  await registry.close()
})

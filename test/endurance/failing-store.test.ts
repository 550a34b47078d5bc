/* A store that fails at every call there is, one after the other, while clients do everything that they do. */
import { setTimeout as delay } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event } from '../../index.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import { eachCall, type Failure, FailingStore } from '../helpers/failing-store.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { repeatingAgent } from '../helpers/repeating-agent.ts'

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

/** Everything that clients do, each step whether or not the one before succeeded. */
async function scenario (registry: RunRegistry): Promise<void> {
  const tries = [
    () => registry.startRun({ sessionId: 's', content: 'hang', idempotencyKey: 'k' }),
    () => registry.startRun({ sessionId: 's', content: 'two', onBusy: 'queue' }),
    () => registry.startRun({ sessionId: 's', content: 'hang', onBusy: 'interrupt' }),
    () => registry.startRun({ sessionId: 's', content: 'hang', idempotencyKey: 'k' }),
    () => registry.abortRun({ sessionId: 's' }),
    () => registry.history('s'),
    () => registry.startRun({ sessionId: 'gone', content: 'hang' }),
    () => registry.deleteSession('gone')
  ]
  for (const step of tries) {
    await step().catch((error: { statusCode?: number }) => { if (error.statusCode === undefined) throw error })
    await turn()
  }
}

/** Waits until nothing is running or waits any more, aborting what hangs. */
async function settle (registry: RunRegistry): Promise<void> {
  while ((await registry.getSession('s'))?.isProcessing === true) {
    await registry.abortRun({ sessionId: 's' }).catch(() => {})
    await delay(2)
  }
}

async function check (t: Test, registry: RunRegistry, what: string): Promise<void> {
  const events: Event[] = []
  if (await registry.getSession('s') !== null) for await (const event of registry.replayEvents('s')) events.push(event)
  const problems: string[] = []
  if (events.some(({ seq }, index) => seq !== index + 1)) problems.push(`seqs ${events.map(({ seq }) => seq).join()}`)
  let runId: string | null = null
  for (const event of events) {
    if (runId === null) runId = event.runId
    if (event.runId !== runId) problems.push(`${event.kind} ${event.seq} of a run that is not running`)
    if (event.kind === 'complete') runId = null
  }
  if (runId !== null) problems.push('a run without an end')
  const completes = events.filter(({ kind }) => kind === 'complete').length
  const { runs } = await registry.listRuns('s')
  if (runs.length !== completes || runs.some(({ status }) => status !== 'completed')) problems.push(`${runs.length} runs, ${completes} ends`)
  if (JSON.stringify(events).includes('native-1')) problems.push('a native id')
  const { status } = await registry.startRun({ sessionId: 's', content: 'again' })
  if (status !== 'running') problems.push('the session takes no message')
  await settle(registry)
  t.strictSame(problems, [], what)
}

async function build (t: Test) {
  const failing = new FailingStore(sqliteStore({ path: ':memory:', leaseMs: 30 }))
  const registry = await openRegistry(t, repeatingAgent, failing.store)
  failing.calls.length = 0
  return { failing, registry }
}

test('whichever call to the store fails, or loses its answer, each run ends once and the session takes the next message', async (t) => {
  // The look after stray runs does not keep a process alive; a server does.
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  for (const failure of ['before', 'after'] as Failure[]) {
    await eachCall(t, async (t, k) => {
      const { failing, registry } = await build(t)
      failing.fails = (index) => index === k ? failure : null
      await scenario(registry)
      const reached = k < failing.calls.length
      failing.fails = () => null
      await settle(registry)
      await check(t, registry, `call ${k}, ${failing.calls[k]}, fails ${failure} it is executed`)
      return reached
    })
  }
})

test('a store that fails for a while, at any point, costs what was asked meanwhile and nothing else', async (t) => {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  for (let k = 0; k < 24; k += 3) {
    const { failing, registry } = await build(t)
    failing.fails = (index) => index >= k && index < k + 6 ? (index % 2 === 0 ? 'before' : 'after') : null
    await scenario(registry)
    failing.fails = () => null
    await settle(registry)
    await check(t, registry, `from call ${k} on`)
  }
})

import { setTimeout as delay } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event, Provider } from '../../index.ts'
import { runsError } from '../../lib/protocol/errors.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import { eachCall, type Failure, FailingStore } from '../helpers/failing-store.ts'
import { openRegistry } from '../helpers/open-registry.ts'

/** Says its message back in two deltas; waits for its abort if it is told to hang. */
const agent: Provider = {
  async * run ({ content, signal }) {
    yield { kind: 'session_created', newSessionId: 'native-1' }
    for (const part of ['said ', content as string]) yield { kind: 'stream_delta', messageId: 'm', content: part }
    if (content === 'hang') await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  }
}

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
  const registry = await openRegistry(t, agent, failing.store)
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

test('a run whose last events the store does not take has not succeeded', async (t) => {
  const refusing: Provider = { async * run () { yield { kind: 'text', content: 'said' } } }
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, refusing, store)
  const append = store.append.bind(store)
  store.append = async () => {
    store.append = append
    throw runsError('STORE_FAILED')
  }
  const complete = async (sessionId: string): Promise<Event | undefined> => {
    await registry.startRun({ sessionId, content: 'go' })
    for await (const item of registry.subscribe(sessionId)) if (item.kind === 'complete') return item
  }
  t.match(await complete('a'), { seq: 2, success: false, reason: 'failed', error: { code: 'STORE_REFUSED' } })
  t.match(await complete('b'), { seq: 3, success: true, reason: 'finished' })
})

test('a run of which the store has everything but the end has succeeded all the same', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, { async * run () {} }, store)
  store.append = async () => { throw runsError('STORE_FAILED') }
  await registry.startRun({ sessionId: 's', content: 'go' })
  for await (const item of registry.subscribe('s')) {
    if (item.kind !== 'complete') continue
    t.match(item, { seq: 2, success: true, reason: 'finished' })
    break
  }
})

test('a run whose message was refused, as only the answer was lost, is ended at once and stands in nobody\'s way', async (t) => {
  // Nobody looks for stray runs meanwhile.
  const failing = new FailingStore(sqliteStore({ path: ':memory:', leaseMs: 3_600_000 }))
  const registry = await openRegistry(t, agent, failing.store)
  failing.fails = (_, method) => method === 'startRun' ? 'after' : null
  await t.rejects(registry.startRun({ sessionId: 's', content: 'hang' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  await t.rejects(registry.startRun({ sessionId: 'other', content: 'hang', onBusy: 'queue' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  failing.fails = () => null
  while (await registry.isProcessing('s') || await registry.isProcessing('other')) await turn()
  t.match((await registry.listRuns('s')).runs, [{ status: 'completed', reason: 'interrupted' }])
})

test('a client is shown what was committed, though its answer was lost and nothing more happens', async (t) => {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const { failing, registry } = await build(t)
  const kinds: string[] = []
  const following = (async () => {
    for await (const { kind } of registry.subscribe('s')) {
      kinds.push(kind)
      if (kind === 'complete') failing.fails = (_, method) => method === 'deleteSession' ? 'after' : null
      if (kind === 'complete') await t.rejects(registry.deleteSession('s'), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
    }
  })()
  failing.fails = (_, method) => method === 'startRun' || method === 'closeRun' ? 'after' : null
  await t.rejects(registry.startRun({ sessionId: 's', content: 'go' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  await following
  t.strictSame(kinds, ['chat_subscribed', 'text', 'complete', 'session_deleted'])
})

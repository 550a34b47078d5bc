/* Runs whose claim the store has made, and its answer was lost: driven all the same, or ended if their sender was refused. */
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import { FailingStore } from '../helpers/failing-store.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { type ScriptedProvider, scriptedProvider } from '../helpers/scripted-provider.ts'

async function build (t: Test) {
  // Looks do not keep a process alive; a server does.
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const failing = new FailingStore(sqliteStore({ path: ':memory:', leaseMs: 60 }))
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, failing.store)
  return { failing, agent, registry }
}

/** Loses the answer to the next call of `method`, and to no other. */
function loseAnswer (failing: FailingStore, method: string): void {
  failing.fails = (_, called) => {
    if (called !== method) return null
    failing.fails = () => null
    return 'after'
  }
}

async function toTheEnd (registry: RunRegistry, agent: ScriptedProvider, sessionId: string): Promise<string[]> {
  const run = await agent.next()
  await run.emit({ kind: 'text', content: `to ${String(run.context.content)} ${JSON.stringify(run.context.context ?? null)}` })
  run.end()
  const seen: string[] = []
  for await (const event of registry.subscribe(sessionId)) {
    if (event.kind === 'text') seen.push(String(event.content))
    if (event.kind !== 'complete') continue
    seen.push(event.reason)
    if ((await registry.getSession(sessionId))?.isProcessing === false) break
  }
  return seen
}

test('a message with a key whose start lost its answer runs, with its context, whether or not it is sent again', async (t) => {
  for (const again of [false, true]) {
    const { failing, agent, registry } = await build(t)
    loseAnswer(failing, 'startRun')
    const send = () => registry.startRun({ sessionId: 's', content: 'go', idempotencyKey: 'k', context: { of: 'the app' } })
    await t.rejects(send(), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
    if (again) t.equal((await send()).status, 'running')
    t.strictSame(await toTheEnd(registry, agent, 's'), ['go', 'to go {"of":"the app"}', 'finished'])
    t.equal((await registry.listRuns('s')).runs.length, 1)
    t.equal((await send()).status, 'completed')
  }
})

test('a message without a key whose start lost its answer is not run: its sender was told so', async (t) => {
  const { failing, agent, registry } = await build(t)
  let isAway = false
  failing.fails = (_, method) => {
    if (method === 'startRun') isAway = true
    return isAway ? 'after' : null
  }
  // The undoing is lost as well, and done by a look.
  await t.rejects(registry.startRun({ sessionId: 's', content: 'go' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE' })
  isAway = false
  failing.fails = () => null
  for await (const event of registry.subscribe('s')) if (event.kind === 'complete') { t.equal(event.reason, 'interrupted'); break }
  await registry.startRun({ sessionId: 's', content: 'again' })
  t.equal((await agent.next()).context.content, 'again', 'the agent never heard of the first')
})

test('a start that was given up and takes effect after it was undone is ended, and starts no agent', async (t) => {
  const { failing, agent, registry } = await build(t)
  const startRun = failing.store.startRun.bind(failing.store)
  let late: () => Promise<unknown> = async () => null
  const inner = failing.store
  inner.startRun = async (run) => {
    inner.startRun = startRun
    late = () => startRun(run)
    throw new Error('given up')
  }
  await t.rejects(registry.startRun({ sessionId: 's', content: 'go' }))
  await registry.listSessions()
  await late()
  for await (const event of registry.subscribe('s')) if (event.kind === 'complete') { t.equal(event.reason, 'interrupted'); break }
  await registry.startRun({ sessionId: 's', content: 'again' })
  t.equal((await agent.next()).context.content, 'again')
})

test('a waiting message whose claim lost its answer has its turn', async (t) => {
  for (const method of ['claimQueuedRun', 'closeRun', 'append']) {
    const { failing, agent, registry } = await build(t)
    await registry.startRun({ sessionId: 's', content: 'one' })
    const one = await agent.next()
    await registry.startRun({ sessionId: 's', content: 'two', onBusy: 'queue' })
    loseAnswer(failing, method)
    if (method === 'closeRun') {
      // The log of the first is refused, so that it is ended from outside.
      const append = failing.store.append.bind(failing.store)
      failing.store.append = async (groups) => groups.map(() => ({ outcome: 'conflict', promotion: null }))
      void one.emit({ kind: 'text', content: 'refused' })
      await one.stopped.promise
      failing.store.append = append
    } else one.end()
    const told = await toTheEnd(registry, agent, 's')
    t.strictSame(told.slice(-3), ['two', 'to two null', 'finished'], method)
  }
})

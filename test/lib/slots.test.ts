/* A process never drives more runs than its limit, whatever starts them. */
import { join } from 'node:path'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import { LIMITS } from '../helpers/limits.ts'
import { newRun } from '../helpers/new-run.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** How the first two runs of a session end. */
async function endings (registry: RunRegistry, sessionId: string): Promise<string[]> {
  const reasons: string[] = []
  for await (const item of registry.subscribe(sessionId)) {
    if (item.kind === 'complete' && reasons.push(item.reason) === 2) break
  }
  return reasons
}

test('waiting runs of a dead process start as slots come free, never more at once', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const sessions = ['a', 'b', 'c', 'd', 'e']
  const left = sqliteStore({ path })
  await left.open()
  for (const id of sessions) {
    await left.startRun(newRun(`${id}1`, { sessionId: id, provider: 'agent' }))
    await left.startRun(newRun(`${id}2`, { sessionId: id, provider: 'agent', onBusy: 'queue' }))
  }
  // As if its process had been killed: its runs are driven by nobody.
  await left.close()
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, sqliteStore({ path }), { limits: { ...LIMITS, runningRuns: 2 } })
  const most: number[] = []
  while (most.length < sessions.length) {
    const run = await agent.next()
    most.push(registry.drivenRuns)
    run.end()
  }
  t.ok(most.every((driven) => driven <= 2), most.join())
  for (const id of sessions) t.strictSame(await endings(registry, id), ['interrupted', 'finished'])
})

test('an instance that ends a run of another claims the next run of the session only if it has a free slot', async (t) => {
  // What another instance commits is seen by a timer that holds no process.
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  const path = join(tempDir(t), 'runs.db')
  const limits = { ...LIMITS, runningRuns: 1 }
  const [agent, other] = [scriptedProvider(), scriptedProvider()]
  const one = await openRegistry(t, agent, sqliteStore({ path }), { limits })
  const two = await openRegistry(t, other, sqliteStore({ path }), { limits })
  await one.startRun({ sessionId: 's', content: 'first' })
  await one.startRun({ sessionId: 's', content: 'second', onBusy: 'queue' })
  await two.startRun({ sessionId: 'own', content: 'own' })
  const own = await other.next()
  await two.abortRun({ sessionId: 's' })
  t.equal(two.drivenRuns, 1)
  // The slot that the abort has left with the first instance is the queue's.
  t.equal((await agent.next()).context.content, 'first')
  const second = await agent.next()
  t.equal(second.context.content, 'second')
  second.end()
  own.end()
  t.strictSame(await endings(one, 's'), ['aborted', 'finished'])
})

/* A store that hangs, or is away for longer than a lease, while several instances drive runs. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { runsError } from '../../lib/protocol/errors.ts'
import { FailingStore } from '../helpers/failing-store.ts'
import { latch } from '../helpers/latch.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const LEASE_MS = 300

test('an outage of two leases in which nobody can renew: no run ends, and nobody is taken for dead', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
  let isAway = false
  const instances = await Promise.all(['a', 'b', 'c'].map(async (name) => {
    const agent = scriptedProvider()
    const store = sqliteStore({ path, leaseMs: LEASE_MS })
    await store.open()
    const failing = new FailingStore(store)
    failing.fails = () => isAway ? 'before' : null
    const registry = await openRegistry(t, agent, failing.store)
    await registry.startRun({ sessionId: name, content: 'go' })
    return { name, registry, run: await agent.next(), failing }
  }))
  await delay(LEASE_MS)
  isAway = true
  for (const { run, name } of instances) void run.emit({ kind: 'text', content: `said by ${name} in the outage` })
  await delay(2 * LEASE_MS)
  isAway = false
  await delay(2 * LEASE_MS)
  for (const { run } of instances) run.end()
  for (const { name, registry } of instances) {
    const kinds: string[] = []
    for await (const event of registry.subscribe(name)) {
      kinds.push(event.kind === 'complete' ? event.reason : event.kind)
      if (event.kind === 'complete') break
    }
    t.strictSame(kinds, ['chat_subscribed', 'text', 'text', 'finished'], name)
  }
  t.notOk(instances.some(({ failing }) => failing.calls.includes('closeRun')), 'nobody has reaped anybody')
})

test('one append that hangs holds up its own session only; it goes on after the deadline and one resend', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, store)
  const append = store.append.bind(store)
  const [asked, late] = [latch(), latch()]
  let hangs = 0
  store.append = async (groups) => {
    if (hangs++ > 0 || groups.length === 0) return append(groups)
    asked.open()
    await late.promise
    return append(groups)
  }
  await registry.startRun({ sessionId: 'hangs', content: 'go' })
  const hanging = await agent.next()
  void hanging.emit({ kind: 'text', content: 'late' })
  await asked.promise
  await registry.startRun({ sessionId: 'other', content: 'go' })
  const other = await agent.next()
  void other.emit({ kind: 'text', content: 'in time' })
  other.end()
  const seen: string[] = []
  const follow = async (sessionId: string): Promise<void> => {
    for await (const event of registry.subscribe(sessionId)) {
      if ('seq' in event) seen.push(`${sessionId}:${event.seq}:${event.kind}`)
      if (event.kind === 'complete') break
    }
  }
  await follow('other')
  t.strictSame(seen.splice(0), ['other:1:text', 'other:2:text', 'other:3:complete'])
  hanging.end()
  await follow('hangs')
  // What was given up lands now: it changes nothing.
  late.open()
  await delay(10)
  t.strictSame(seen, ['hangs:1:text', 'hangs:2:text', 'hangs:3:complete'])
  const { events } = await registry.history('hangs')
  t.strictSame(events.map(({ seq }) => seq), [1, 2, 3])
})

test('what the store does not answer in time is STORE_UNAVAILABLE, for every caller', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const registry = await openRegistry(t, scriptedProvider(), store)
  store.getSession = () => new Promise(() => {})
  const code = runsError('STORE_UNAVAILABLE').code
  await t.rejects(registry.startRun({ sessionId: 's', content: 'go' }), { code })
  await t.rejects(registry.abortRun({ sessionId: 's' }), { code })
})

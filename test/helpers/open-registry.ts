/* A registry without Fastify, with the options of a plugin that says nothing; closed with the test. */
import type { Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Provider, Store } from '../../index.ts'
import { silentLogger } from '../../lib/common/logger.ts'
import type { RegistryOptions } from '../../lib/registry-options.ts'
import { RunRegistry } from '../../lib/registry.ts'
import { LIMITS } from './limits.ts'

/** A registry on `store`, not open yet. */
export function makeRegistry (agent: Provider, store: Store, options: Partial<RegistryOptions> = {}): RunRegistry {
  return new RunRegistry({
    store,
    providers: { agent },
    defaultProvider: 'agent',
    createOnMessage: true,
    runTimeoutMs: 0,
    closeGraceMs: 0,
    retention: { completedRunMs: 300_000, maxTransientEventsPerRun: 5_000, sessionMs: 0 },
    limits: LIMITS,
    log: silentLogger,
    ...options
  })
}

export async function openRegistry (t: Test, agent: Provider, store: Store = sqliteStore({ path: ':memory:' }), options: Partial<RegistryOptions> = {}): Promise<RunRegistry> {
  const registry = makeRegistry(agent, store, options)
  t.teardown(async () => {
    await registry.close()
    await store.close()
  })
  await store.open()
  await registry.open()
  return registry
}

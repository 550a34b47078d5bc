/* What a log says of approvals, in words, and the ways in which tests wait for them. */
import type { Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event, EventOf, Limits, PermissionRequest, RunRegistry, Store } from '../../index.ts'
import type { RegistryOptions } from '../../lib/registry-options.ts'
import { latch, type Latch } from './latch.ts'
import { LIMITS } from './limits.ts'
import { openRegistry } from './open-registry.ts'
import { scriptedProvider, type ScriptedRun } from './scripted-provider.ts'

/** Something to ask leave for. */
export const TOOL: PermissionRequest = { toolName: 'rm', input: { path: '/' } }

/** A log, line by line; requests are called by their number, in the order in which they were made. */
export function story (events: Event[]): string[] {
  const requests: string[] = []
  const number = (requestId: string): number => requests.indexOf(requestId) + 1
  return events.map((event) => {
    switch (event.kind) {
      case 'text': return `${event.role} ${event.content as string}`
      case 'permission_request': return `asks ${requests.push(event.requestId)}`
      case 'permission_resolved': return ['resolved', number(event.requestId), event.allow, event.optionId].join(' ').trimEnd()
      case 'permission_cancelled': return `cancelled ${number(event.requestId)} ${event.reason}`
      case 'complete': return ['complete', event.reason, event.error?.code].join(' ').trimEnd()
      default: return event.kind
    }
  })
}

/** Everything that is retained of a session. */
export async function logOf (registry: RunRegistry, sessionId = 's'): Promise<Event[]> {
  const events: Event[] = []
  for await (const event of registry.replayEvents(sessionId)) events.push(event)
  return events
}

/** Resolves with the `count`th event of a kind, once the log has it. */
export async function untilEvent<K extends Event['kind']> (registry: RunRegistry, kind: K, { count = 1, sessionId = 's' } = {}): Promise<EventOf<K>> {
  for await (const item of registry.subscribe(sessionId)) {
    if (item.kind === kind && --count === 0) return item as EventOf<K>
  }
  throw new Error('the stream has ended')
}

/** Resolves with the first requests of a session, once there are so many. */
export async function untilAsked (registry: RunRegistry, count = 1, sessionId = 's'): Promise<string[]> {
  const requestIds: string[] = []
  for await (const item of registry.subscribe(sessionId)) {
    if (item.kind === 'permission_request' && requestIds.push(item.requestId) === count) break
  }
  return requestIds
}

/** Holds up the commits of a store that hold an event of that kind. */
export function holdUp (store: Store, kind: Event['kind']): { asked: Latch, release: () => void } {
  const append = store.append.bind(store)
  const [asked, released] = [latch(), latch()]
  store.append = async (groups) => {
    if (groups.some(({ events }) => events.some((event) => event.kind === kind))) {
      asked.open()
      await released.promise
    }
    return append(groups)
  }
  return { asked, release: released.open }
}

/** A session whose agent has been asked to go, and waits for the test. */
export interface Started {
  registry: RunRegistry
  store: Store
  run: ScriptedRun
  /** The agent's next run. */
  next: () => Promise<ScriptedRun>
  ask: ScriptedRun['context']['requestPermission']
  answer: (requestId: string | undefined, allow?: boolean) => Promise<unknown>
  /** The log's story once the run is over. */
  end: () => Promise<string[]>
}

export async function startAsking (t: Test, limits: Partial<Limits> = {}, { store = sqliteStore({ path: ':memory:' }), ...options }: Partial<RegistryOptions> = {}): Promise<Started> {
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, store, { limits: { ...LIMITS, ...limits }, ...options })
  await registry.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  return {
    registry,
    store,
    run,
    next: agent.next,
    ask: run.context.requestPermission,
    answer: (requestId, allow = true) => registry.answerPermission({ sessionId: 's', requestId: requestId!, allow }),
    async end () {
      run.end()
      await untilEvent(registry, 'complete')
      return story(await logOf(registry))
    }
  }
}

/** What came of a promise. */
export const settledOf = (promise: Promise<unknown>): Promise<unknown> => promise.then((value) => ({ value }), (error: unknown) => ({ error }))

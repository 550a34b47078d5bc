/* Runs under limits, and what a client shows of them. */
import type { Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event, Limits, Provider, ProviderEvent } from '../../index.ts'
import { LIMITS } from './limits.ts'
import { openRegistry } from './open-registry.ts'

/** The events of a run whose provider yields these. */
export async function run (t: Test, yielded: Iterable<ProviderEvent>, limits: Partial<Limits>): Promise<Event[]> {
  const agent: Provider = { async * run () { yield * yielded } }
  const registry = await openRegistry(t, agent, sqliteStore({ path: ':memory:' }), { limits: { ...LIMITS, ...limits } })
  await registry.startRun({ sessionId: 's', content: 'go' })
  const events: Event[] = []
  for await (const item of registry.subscribe('s', { after: 1 })) {
    if ('seq' in item) events.push(item)
    if (item.kind === 'complete') break
  }
  await registry.close()
  return events
}

/** Each message as a client shows it that keeps the rules of the protocol. */
export function shown (events: Event[]): string[] {
  const messages = new Map<string, string>()
  for (const event of events) {
    if (event.kind === 'text') messages.set(event.messageId, event.content as string)
    if (event.kind === 'stream_delta') messages.set(event.messageId, (messages.get(event.messageId) ?? '') + event.content)
  }
  return [...messages.values()]
}

export const delta = (content: string, messageId?: string): ProviderEvent => ({ kind: 'stream_delta', content, ...messageId !== undefined && { messageId } })

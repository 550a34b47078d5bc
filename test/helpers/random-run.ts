/* Runs as a log may hold them, at random: for what reads events of a run. */
import fc from 'fast-check'
import type { Event } from '../../lib/protocol/event.ts'

type Step =
  | { do: 'delta' | 'whole' | 'longer', of: 'text' | 'thinking', message: number, content: string }
  | { do: 'use' | 'result' | 'error' | 'update', tool: number, content: unknown }
  | { do: 'aside', kind: 'plan' | 'usage' | 'status' | 'custom' | 'error' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('delta', 'delta', 'whole', 'longer'), of: fc.constantFrom('text', 'text', 'thinking'), message: fc.nat(2), content: fc.string({ maxLength: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('use', 'result', 'error', 'update'), tool: fc.nat(2), content: fc.oneof(fc.string(), fc.constant({ a: 1 }), fc.constant(null)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('aside'), kind: fc.constantFrom('plan', 'usage', 'status', 'custom', 'error') }) }
) as fc.Arbitrary<Step>

/** What a run is made of beside its steps. */
export interface RandomRun {
  /** Every event as it was live, from the user's message to `complete`. */
  live: Event[]
  /** What is left of them in the history. */
  durable: Event[]
}

/** A run with the events of a provider that keeps the rules: each message ends whole, and `complete` is last. */
export const randomRun: fc.Arbitrary<RandomRun> = fc.record({ steps: fc.array(step, { maxLength: 30 }), ending: fc.constantFrom('finished', 'failed', 'aborted') }).map(({ steps, ending }) => {
  const live: Event[] = []
  const said = { text: new Map<string, string>(), thinking: new Map<string, string>() }
  const whole = new Set<string>()
  const add = (fields: Record<string, unknown>): void => {
    live.push({ sessionId: 's', runId: 'r', seq: live.length + 1, provider: 'p', timestamp: '2026-01-01T00:00:00.000Z', ...fields } as unknown as Event)
  }
  const end = (of: 'text' | 'thinking', messageId: string, more: string): void => {
    whole.add(messageId)
    add({ kind: of, ...of === 'text' && { role: 'assistant' }, messageId, content: (said[of].get(messageId) ?? '') + more })
  }
  add({ kind: 'text', role: 'user', messageId: 'u', content: 'Hello' })
  for (const next of steps) {
    if ('of' in next) {
      const messageId = `${next.of}-${next.message}`
      if (whole.has(messageId)) continue
      if (next.do !== 'delta') end(next.of, messageId, next.do === 'longer' ? next.content : '')
      else {
        said[next.of].set(messageId, (said[next.of].get(messageId) ?? '') + next.content)
        add({ kind: next.of === 'text' ? 'stream_delta' : 'thinking_delta', messageId, content: next.content })
      }
    } else if ('tool' in next) {
      const toolId = `tool-${next.tool}`
      if (next.do === 'use') add({ kind: 'tool_use', toolId, toolName: 'tool', toolInput: next.content })
      else if (next.do === 'update') add({ kind: 'tool_update', toolId, status: 'running', content: next.content })
      else add({ kind: 'tool_result', toolId, toolResult: { content: next.content, isError: next.do === 'error' } })
    } else {
      add({ kind: next.kind, ...{ plan: { entries: ['x'] }, usage: { inputTokens: 1 }, status: { text: 'busy' }, custom: { name: 'mine', data: 1 }, error: { code: 'E', message: 'odd' } }[next.kind] })
    }
  }
  for (const kind of ['text', 'thinking'] as const) {
    for (const messageId of said[kind].keys()) if (!whole.has(messageId)) end(kind, messageId, '')
  }
  add({ kind: 'complete', exitCode: ending === 'finished' ? 0 : 1, success: ending === 'finished', aborted: ending === 'aborted', reason: ending, actualSessionId: 's' })
  const transient = new Set(['stream_delta', 'thinking_delta', 'tool_update', 'status'])
  return { live, durable: live.filter(({ kind }) => !transient.has(kind)) }
})

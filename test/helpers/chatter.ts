/* A provider that says what the seed in its message makes it say, with all that a transcript can hold. */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Provider, ProviderEvent } from '../../lib/provider/provider.ts'
import { random } from './random.ts'

/** Of a message of a seed and how many events; both as `chatter` reads them. */
export function chatterMessage (seed: number, events: number): string {
  return `${seed} ${events}`
}

export const chatter: Provider = {
  async * run ({ content, signal }): AsyncGenerator<ProviderEvent> {
    const [seed, events] = String(content).split(' ').map(Number) as [number, number]
    const { below, chance, pick } = random(seed)
    const words = (): string => Array.from({ length: 1 + below(6) }, () => pick(['one ', 'zwei ', '三\n', '\u2028', '"\\', '\ud83d\ude00'])).join('')
    let message = 0
    let tool = 0
    const name = (): { messageId: string } => ({ messageId: `m${message - below(Math.min(2, message + 1))}` })
    const kinds: Array<() => ProviderEvent> = [
      ...Array.from({ length: 10 }, () => () => ({ kind: 'stream_delta' as const, ...name(), content: words() })),
      ...Array.from({ length: 3 }, () => () => ({ kind: 'thinking_delta' as const, ...name(), content: words() })),
      () => ({ kind: 'stream_end', messageId: `m${message++}` }),
      () => ({ kind: 'text', messageId: `m${message++}`, content: words() }),
      () => ({ kind: 'tool_use', toolId: `t${++tool}`, toolName: 'look', toolInput: { for: words() } }),
      () => ({ kind: 'tool_update', toolId: `t${tool}`, status: pick(['begun', 'half']), content: words() }),
      () => ({ kind: 'tool_result', toolId: `t${tool}`, toolResult: { content: words(), isError: chance(0.5) } }),
      () => ({ kind: 'status', text: words() }),
      () => ({ kind: 'usage', inputTokens: below(9) }),
      () => ({ kind: 'plan', entries: [words()] }),
      () => ({ kind: 'error', code: 'ODD', message: words() }),
      () => ({ kind: 'custom', name: 'mine', data: words(), transient: chance(0.5) })
    ]
    for (let count = 0; count < events; count++) {
      if (chance(0.3)) await nextTurn()
      if (chance(0.05)) await delay(1 + below(3), undefined, { signal })
      yield pick(kinds)()
    }
  }
}

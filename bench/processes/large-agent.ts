/* An agent that says large things, so many a second. */
import type { Provider, ProviderEvent } from '../../index.ts'
import { Clock } from './clock.ts'

export interface LargePace {
  events: number
  perSecond: number
  bytes: number
}

const clock = new Clock()

/** Yields what the message's content, a `LargePace` as JSON, says. */
export const largeAgent: Provider = {
  async * run ({ content }): AsyncGenerator<ProviderEvent> {
    const { events, perSecond, bytes } = JSON.parse(content as string) as LargePace
    const start = performance.now()
    for (let index = 0; index < events; index++) {
      const due = clock.until(start + index * 1_000 / perSecond)
      if (due !== undefined) await due
      yield { kind: 'custom', name: 'large', data: 'x'.repeat(bytes) }
    }
  }
}

/* An agent that says so many words a turn of the event loop. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Provider, ProviderEvent } from '../../index.ts'

/** With what the envelope adds, an event has about 200 bytes. */
const WORDS = 'some words of an agent '
const DELTAS_PER_MESSAGE = 24

export interface Pace {
  events: number
  eventsPerTurn: number
  /** Deltas with a whole text behind each message, or whole texts only. */
  deltas: boolean
}

/** Yields what the message's content, a `Pace` as JSON, says. Begins when `start` resolves. */
export function pacedAgent (start: () => Promise<void> = async () => {}): Provider {
  // One turn for all runs: what is measured is what they do in it, not how they wait.
  let turn: Promise<void> | null = null
  const next = (): Promise<void> => {
    turn ??= nextTurn().then(() => { turn = null })
    return turn
  }
  return {
    async * run ({ content }): AsyncGenerator<ProviderEvent> {
      const { events, eventsPerTurn, deltas } = JSON.parse(content as string) as Pace
      await start()
      for (let index = 0; index < events; index++) {
        if (index % eventsPerTurn === 0) await next()
        const messageId = deltas ? `m${Math.trunc(index / (DELTAS_PER_MESSAGE + 1))}` : `m${index}`
        const whole = !deltas || index % (DELTAS_PER_MESSAGE + 1) === DELTAS_PER_MESSAGE
        yield { kind: whole ? 'text' : 'stream_delta', messageId, content: WORDS }
      }
    }
  }
}

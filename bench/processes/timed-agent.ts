/* Agents that say so many words a second, whatever becomes of them: who is late catches up. */
import type { Provider, ProviderEvent } from '../../index.ts'
import { stamp } from '../readers/stamp.ts'
import { Clock } from './clock.ts'

const WORDS = 'words of an agent '
const DELTAS_PER_MESSAGE = 24

export interface Rhythm {
  events: number
  perSecond: number
  /** When the first event is due, in ms after the start. */
  phaseMs: number
}

export interface Said {
  kind: 'stream_delta' | 'text'
  messageId: string
  content: string
}

const clock = new Clock()

/** What an agent with that rhythm says, each event when it is due; `start` is a time of `performance.now()`. Each says when it was made. */
export async function * said (start: number, { events, perSecond, phaseMs }: Rhythm): AsyncGenerator<Said> {
  for (let index = 0; index < events; index++) {
    const due = clock.until(start + phaseMs + index * 1_000 / perSecond)
    if (due !== undefined) await due
    yield {
      kind: index % (DELTAS_PER_MESSAGE + 1) === DELTAS_PER_MESSAGE ? 'text' : 'stream_delta',
      messageId: `m${Math.trunc(index / (DELTAS_PER_MESSAGE + 1))}`,
      content: stamp() + WORDS
    }
  }
}

/** Says what the message's content, a `Rhythm` as JSON, asks for, from the time on with which `start` resolves. */
export function timedAgent (start: Promise<number>): Provider {
  return {
    async * run ({ content }): AsyncGenerator<ProviderEvent> {
      yield * said(await start, JSON.parse(content as string) as Rhythm)
    }
  }
}

/* An agent that answers with a few words. */
import type { Provider } from '../../index.ts'

const DELTAS = ['The answer is ', 'somewhere between ', 'one and a hundred.']

/** The user's message, the deltas, the whole text, and the end. */
export const SHORT_ANSWER_EVENTS = DELTAS.length + 3

export const shortAnswer: Provider = {
  async * run () {
    for (const content of DELTAS) yield { kind: 'stream_delta', messageId: 'm', content }
    yield { kind: 'text', messageId: 'm', content: DELTAS.join('') }
  }
}

/* An agent for tests of stores that fail. */
import type { Provider } from '../../index.ts'

/** Says its message back in two deltas; waits for its abort if it is told to hang. */
export const repeatingAgent: Provider = {
  async * run ({ content, signal }) {
    yield { kind: 'session_created', newSessionId: 'native-1' }
    for (const part of ['said ', content as string]) yield { kind: 'stream_delta', messageId: 'm', content: part }
    if (content === 'hang') await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  }
}

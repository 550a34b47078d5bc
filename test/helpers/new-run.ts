/* A message as a registry hands it to its store. */
import { pendingEvent } from '../../lib/protocol/event.ts'
import type { NewRun } from '../../lib/store/store.ts'

export function newRun (runId: string, more: Partial<NewRun> = {}): NewRun {
  return {
    runId,
    sessionId: 's',
    owner: '',
    provider: 'echo',
    message: pendingEvent('text', { role: 'user', messageId: `m-${runId}`, content: 'hi' }),
    options: {},
    createSession: true,
    onBusy: 'reject',
    admit: 'run',
    maxQueued: 20,
    names: [],
    ...more
  }
}

/* The terminal event of a run that has ended, here or elsewhere. */
import { type CompleteEvent, parseEvent } from '../protocol/event.ts'
import type { Store } from '../store/store.ts'

/** The `complete` of a run; undefined while it has none, null if the run does not exist (any more). */
export async function terminalOf (store: Store, runId: string): Promise<CompleteEvent | null | undefined> {
  const run = await store.getRun(runId, null)
  if (run === null) return null
  if (run.completeSeq === null) return undefined
  const page = await store.readEvents(run.sessionId, null, run.completeSeq - 1, { rows: 1, bytes: 1 })
  const [complete] = page?.events ?? []
  return complete === undefined ? null : parseEvent(complete) as CompleteEvent
}

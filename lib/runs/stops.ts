/* Ends that somebody outside of a run asks for: a user's Stop, or an app that knows better. */
import { runsError } from '../protocol/errors.ts'
import type { CompleteEvent } from '../protocol/event.ts'
import { ABORTED } from '../protocol/run-ending.ts'
import { checkedId, ownerOf } from '../protocol/session-input.ts'
import type { Owner } from '../protocol/session.ts'
import type { Store } from '../store/store.ts'
import type { RunPool } from './run-pool.ts'

export interface AbortRequest {
  sessionId: string
  /** Default: the running one. */
  runId?: string | undefined
  /** Whose session it is. Default: not compared. */
  owner?: Owner
}

/** See `RunRegistry.abortRun`. */
export async function abortRun (store: Store, pool: RunPool, { sessionId, runId, ...options }: AbortRequest): Promise<CompleteEvent | null> {
  const owner = ownerOf(options)
  const session = await store.getSession(checkedId('sessionId', sessionId), owner)
  if (session === null) throw runsError('SESSION_NOT_FOUND', [sessionId])
  if (runId === undefined) {
    if (session.runId === null) throw runsError('NO_ACTIVE_RUN', [sessionId])
    return pool.end(session.runId, ABORTED)
  }
  const run = await store.getRun(runId, owner)
  if (run?.sessionId !== sessionId) throw runsError('RUN_NOT_FOUND', [runId])
  if (run.status === 'queued' && await store.cancelQueuedRun(runId)) return null
  return pool.end(runId, ABORTED)
}

/** See `RunRegistry.completeRun`. */
export async function completeRun (store: Store, pool: RunPool, runId: string, { exitCode, aborted }: { exitCode: number, aborted: boolean }): Promise<CompleteEvent> {
  if (!Number.isInteger(exitCode)) throw runsError('INVALID_REQUEST', ['"exitCode" must be an integer.'])
  const run = await store.getRun(runId, null)
  if (run === null) throw runsError('RUN_NOT_FOUND', [runId])
  if (run.status === 'queued') throw runsError('NO_ACTIVE_RUN', [run.sessionId])
  return pool.end(runId, { exitCode, aborted, reason: aborted ? 'aborted' : exitCode === 0 ? 'finished' : 'failed' })
}

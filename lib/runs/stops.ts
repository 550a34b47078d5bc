/* Ends that somebody outside of a run asks for: a user's Stop, or an app that knows better. */
import { runsError } from '../protocol/errors.ts'
import type { CompleteEvent } from '../protocol/event.ts'
import { STOP_KEPT_MS } from '../protocol/limits.ts'
import { ABORTED } from '../protocol/run-ending.ts'
import { checkedId, ownerOf } from '../protocol/session-input.ts'
import type { Owner } from '../protocol/session.ts'
import type { PendingStop, RunState } from '../protocol/words.ts'
import type { Store } from '../store/store.ts'
import { nameOfId, nameOfKey } from './message-names.ts'
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
  if (run.status === 'queued' && await pool.cancel(run)) return null
  return pool.end(runId, ABORTED)
}

export interface StopRequest {
  sessionId: string
  /** The id that the client has given the message, or its idempotency key: one of them. */
  messageId?: string | undefined
  idempotencyKey?: string | undefined
  /** Whose message it is. Default: the session's owner. */
  owner?: Owner
}

/** See `RunRegistry.stopMessage`. */
export async function stopMessage (store: Store, pool: RunPool, { sessionId, messageId, idempotencyKey, ...options }: StopRequest): Promise<CompleteEvent | RunState | PendingStop> {
  const owner = ownerOf(options)
  if ((messageId === undefined) === (idempotencyKey === undefined)) throw runsError('INVALID_REQUEST', ['A stop names its message by "messageId" or by "idempotencyKey".'])
  const name = messageId === undefined ? nameOfKey(idempotencyKey!) : nameOfId(messageId)
  const run = await store.stopMessage(checkedId('sessionId', sessionId), owner, name)
  if (run === null) return { status: 'pending', expiresAt: new Date(Date.now() + STOP_KEPT_MS).toISOString() }
  if (run.status === 'queued' && await pool.cancel(run)) return { ...run, aborted: true }
  return pool.end(run.runId, ABORTED)
}

/** See `RunRegistry.stop`. Throws INVALID_REQUEST for more than one name. */
export async function stop (store: Store, pool: RunPool, { runId, messageId, idempotencyKey, ...session }: AbortRequest & StopRequest): Promise<CompleteEvent | RunState | PendingStop> {
  const isMessage = messageId !== undefined || idempotencyKey !== undefined
  if (isMessage && runId !== undefined) throw runsError('INVALID_REQUEST', ['A stop names a run or a message.'])
  if (isMessage) return stopMessage(store, pool, { ...session, messageId, idempotencyKey })
  const complete = await abortRun(store, pool, { ...session, runId })
  if (complete !== null) return complete
  const run = await store.getRun(runId!, session.owner ?? null)
  if (run === null) throw runsError('SESSION_NOT_FOUND', [session.sessionId])
  return run
}

/** See `RunRegistry.completeRun`. */
export async function completeRun (store: Store, pool: RunPool, runId: string, { exitCode, aborted }: { exitCode: number, aborted: boolean }): Promise<CompleteEvent> {
  if (!Number.isInteger(exitCode)) throw runsError('INVALID_REQUEST', ['"exitCode" must be an integer.'])
  const run = await store.getRun(runId, null)
  if (run === null) throw runsError('RUN_NOT_FOUND', [runId])
  if (run.status === 'queued') throw runsError('NO_ACTIVE_RUN', [run.sessionId])
  return pool.end(runId, { exitCode, aborted, reason: aborted ? 'aborted' : exitCode === 0 ? 'finished' : 'failed' })
}

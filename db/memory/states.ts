/* What is in memory → what the contract speaks of: fresh objects, which callers may keep and change. */
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { Metadata, Session, SessionState } from '../../lib/protocol/session.ts'
import { WAITING_SHOWN } from '../../lib/protocol/limits.ts'
import type { RunningRun, RunState } from '../../lib/protocol/words.ts'
import { waitingMessage } from '../../lib/store/waiting.ts'
import type { ClaimedRun } from '../../lib/store/store.ts'
import type { MemoryRun, MemorySession } from './database.ts'
import { pendingPermissions } from './permissions.ts'

const iso = (time: number): string => new Date(time).toISOString()
const isoOrNull = (time: number | null): string | null => time === null ? null : iso(time)

function toSession ({ id, owner, provider, title, metadata, createdAt, updatedAt }: MemorySession): Session {
  return { id, owner, provider, title, metadata: JSON.parse(metadata) as Metadata, createdAt: iso(createdAt), updatedAt: iso(updatedAt) }
}

export function toSessionState (session: MemorySession): SessionState {
  const { running, queue, lastSeq, compactedThrough } = session
  return {
    ...toSession(session),
    isProcessing: running !== null || queue.length > 0,
    runId: running?.runId ?? null,
    queue: queue.map(({ runId }) => runId),
    waiting: queue.filter(({ cancelled }) => !cancelled).slice(0, WAITING_SHOWN).map(({ runId, message, createdAt }) => waitingMessage(runId, message.fields, createdAt)),
    lastSeq,
    compactedThrough,
    ...pendingPermissions(session)
  }
}

export function toRunState (run: MemoryRun): RunState {
  const { runId, session, provider, cursor, completeSeq, ending, cancelled } = run
  return {
    runId,
    sessionId: session.id,
    provider,
    status: ending !== null ? 'completed' : session.running === run ? 'running' : 'queued',
    cursor,
    completeSeq,
    createdAt: iso(run.createdAt),
    startedAt: isoOrNull(run.startedAt),
    completedAt: isoOrNull(run.completedAt),
    exitCode: ending?.exitCode ?? null,
    success: ending === null ? null : ending.exitCode === 0 && !ending.aborted,
    aborted: ending?.aborted ?? (cancelled ? true : null),
    reason: ending?.reason ?? null
  }
}

export function toRunningRun ({ runId, session, provider, startedAt }: MemoryRun): RunningRun {
  return { runId, sessionId: session.id, provider, startedAt: iso(startedAt!), lastSeq: session.lastSeq }
}

export function toClaimedRun ({ runId, session, provider, options }: MemoryRun, message: StoredEvent): ClaimedRun {
  return {
    run: { sessionId: session.id, runId, provider },
    session: toSession(session),
    options: JSON.parse(options) as Record<string, unknown>,
    message: { ...message },
    providerSessionId: session.providerSessionIds.findLast((known) => known.provider === provider)?.id ?? null,
    providerSessionIds: session.providerSessionIds.map(({ id }) => id)
  }
}

/** See `Store.getClaim`. */
export function claimOf (run: MemoryRun | undefined, instanceId: string): ClaimedRun | null {
  if (run === undefined || run.session.running !== run || run.instanceId !== instanceId) return null
  const [message, ...more] = run.session.events.filter(({ runId }) => runId === run.runId)
  return message === undefined || more.length > 0 ? null : toClaimedRun(run, message)
}

export function toEvents (events: StoredEvent[]): StoredEvent[] {
  return events.map((event) => ({ ...event }))
}

/* Rows → what the contract speaks of. */
import type { EventOf } from '../../lib/protocol/event.ts'
import type { Metadata, Session, SessionState } from '../../lib/protocol/session.ts'
import type { RunningRun, RunState, WaitingMessage } from '../../lib/protocol/words.ts'
import type { ListedRunRow, SessionRow } from './queries.ts'

const iso = (time: number): string => new Date(time).toISOString()

export function toSession (row: SessionRow): Session {
  return {
    id: row.id,
    owner: row.owner,
    provider: row.provider,
    title: row.title,
    metadata: JSON.parse(row.metadata) as Metadata,
    createdAt: iso(row.createdAt),
    updatedAt: iso(row.updatedAt)
  }
}

export function toSessionState (row: SessionRow): SessionState {
  const queue = JSON.parse(row.queue) as string[]
  return {
    ...toSession(row),
    isProcessing: row.runId !== null || queue.length > 0,
    runId: row.runId,
    queue,
    waiting: row.waiting === null ? [] : JSON.parse(row.waiting) as WaitingMessage[],
    lastSeq: row.lastSeq,
    compactedThrough: row.compactedThrough,
    pendingPermissions: row.pendingPermissions === null ? [] : JSON.parse(row.pendingPermissions) as Array<EventOf<'permission_request'>>,
    morePendingPermissions: JSON.parse(row.morePermissions) as string[]
  }
}

export function toRunState (row: ListedRunRow): RunState {
  return {
    runId: row.id,
    sessionId: row.sessionId,
    provider: row.provider,
    status: row.status,
    cursor: row.cursor,
    completeSeq: row.completeSeq,
    createdAt: iso(row.createdAt),
    startedAt: row.startedAt === null ? null : iso(row.startedAt),
    completedAt: row.completedAt === null ? null : iso(row.completedAt),
    exitCode: row.exitCode,
    success: row.exitCode === null ? null : row.exitCode === 0 && row.aborted !== true,
    aborted: row.aborted,
    reason: row.reason
  }
}

export function toRunningRun (row: ListedRunRow): RunningRun {
  return { runId: row.id, sessionId: row.sessionId, provider: row.provider, startedAt: iso(row.startedAt!), lastSeq: row.lastSeq }
}

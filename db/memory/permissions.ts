/* Approvals in memory: what the log says of them, and the decisions beside it. */
import { type EventOf, parseEvent, type PendingEvent, pendingEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { INLINE_PERMISSION_BYTES } from '../../lib/protocol/limits.ts'
import type { SessionState } from '../../lib/protocol/session.ts'
import type { CompleteReason, PermissionDecision } from '../../lib/protocol/words.ts'
import type { PermissionAnswer, PermissionState } from '../../lib/store/store.ts'
import type { MemoryDatabase, MemoryPermission, MemoryRun, MemorySession } from './database.ts'

/** Takes over what an event that a run has just appended says of approvals. */
export function followLog ({ permissions }: MemoryDatabase, run: MemoryRun, event: StoredEvent): void {
  if (event.kind === 'permission_request') {
    const { requestId } = parseEvent(event) as EventOf<'permission_request'>
    if (!permissions.has(requestId)) permissions.set(requestId, { requestId, run, request: event, decision: null, outcome: null })
  } else if (event.kind === 'permission_resolved' || event.kind === 'permission_cancelled') {
    const { requestId } = parseEvent(event) as EventOf<'permission_resolved' | 'permission_cancelled'>
    const permission = permissions.get(requestId)
    if (permission?.run.session === run.session) permission.outcome ??= event
  }
}

/** What cancels the approvals of a run that ends before they have an outcome, oldest first. */
export function cancellations ({ permissions }: MemoryDatabase, run: MemoryRun, reason: CompleteReason): PendingEvent[] {
  return [...permissions.values()]
    .filter((permission) => permission.run === run && permission.outcome === null)
    .map(({ requestId }) => pendingEvent('permission_cancelled', { requestId, reason }))
}

/** Decides an approval; see `Store.answerPermission`. */
export function answerPermission (database: MemoryDatabase, session: MemorySession, requestId: string, decision: PermissionDecision): boolean | null {
  const permission = permissionOf(database, session, requestId)
  if (permission === null) return null
  if (permission.decision === null && permission.outcome === null) permission.decision = JSON.stringify(decision)
  return permission.decision === JSON.stringify(decision) && statusOf(permission) !== 'cancelled'
}

/** How an approval stands; see `Store.getPermission`. */
export function permissionState (database: MemoryDatabase, session: MemorySession, requestId: string): PermissionState | null {
  const permission = permissionOf(database, session, requestId)
  if (permission === null) return null
  const { request, outcome } = permission
  return { status: statusOf(permission), request: { ...request }, outcome: outcome && { ...outcome } }
}

/** The decisions that running runs of an instance have yet to take; see `Store.listAnswers`. */
export function answersFor ({ permissions }: MemoryDatabase, instanceId: string): PermissionAnswer[] {
  return [...permissions.values()]
    .filter((permission) => statusOf(permission) === 'answered' && permission.run.session.running === permission.run && permission.run.instanceId === instanceId)
    .map(({ run, requestId, decision }) => ({ runId: run.runId, requestId, decision: JSON.parse(decision!) as PermissionDecision }))
}

/** The requests in a log that are neither resolved nor cancelled there: whole as far as the limit goes, then their ids. */
export function pendingPermissions ({ events }: MemorySession): Pick<SessionState, 'pendingPermissions' | 'morePendingPermissions'> {
  const pending = new Map<string, EventOf<'permission_request'>>()
  for (const stored of events.filter(({ kind }) => kind.startsWith('permission_'))) {
    const event = parseEvent(stored)
    if (event.kind === 'permission_request') pending.set(event.requestId, event)
    else if (event.kind === 'permission_resolved' || event.kind === 'permission_cancelled') pending.delete(event.requestId)
  }
  const requests = [...pending.values()]
  let bytes = 0
  const whole = requests.filter((request) => (bytes += Buffer.byteLength(JSON.stringify(request))) <= INLINE_PERMISSION_BYTES)
  return { pendingPermissions: whole, morePendingPermissions: requests.slice(whole.length).map(({ requestId }) => requestId) }
}

function permissionOf ({ permissions }: MemoryDatabase, session: MemorySession, requestId: string): MemoryPermission | null {
  const permission = permissions.get(requestId)
  return permission?.run.session === session ? permission : null
}

function statusOf ({ decision, outcome }: MemoryPermission): PermissionState['status'] {
  if (outcome !== null) return outcome.kind === 'permission_resolved' ? 'resolved' : 'cancelled'
  return decision === null ? 'pending' : 'answered'
}

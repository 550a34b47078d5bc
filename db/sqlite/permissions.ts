/* Approvals: rows that follow the log, and the decisions beside it. Each function is inside one transaction of the caller. */
import { type EventOf, parseEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import type { PermissionAnswer, PermissionState } from '../../lib/store/store.ts'
import { toEvents } from './event-rows.ts'
import type { Queries, RunKeys, SessionRow } from './queries.ts'

type Approval = EventOf<'permission_request' | 'permission_resolved' | 'permission_cancelled'>

/** What each kind makes of an approval. */
const STATUS_OF = new Map<string, 'pending' | 'resolved' | 'cancelled'>([
  ['permission_request', 'pending'], ['permission_resolved', 'resolved'], ['permission_cancelled', 'cancelled']
])

/** Takes over what events that were just inserted say of approvals; any other event costs no more than the look at its kind. */
export function followLog (queries: Queries, { runKey, sessionKey }: Pick<RunKeys, 'runKey' | 'sessionKey'>, events: StoredEvent[]): void {
  for (const event of events) {
    const status = STATUS_OF.get(event.kind)
    if (status === undefined) continue
    const { requestId: id, seq } = parseEvent(event) as Approval
    if (status === 'pending') queries.insertPermission.run({ id, sessionKey, runKey, seq })
    else queries.settlePermission.run({ id, sessionKey, status, outcomeSeq: seq })
  }
}

/** Decides an approval; see `Store.answerPermission`. */
export function answerPermission (queries: Queries, { key: sessionKey }: SessionRow, id: string, decision: PermissionDecision): boolean | null {
  const row = queries.permission.get({ id, sessionKey })
  if (row === undefined) return null
  const json = JSON.stringify(decision)
  if (row.decision === json) return row.status !== 'cancelled'
  if (queries.answerPermission.run({ id, sessionKey, decision: json }).changes === 0) return false
  queries.reviseSession.run({ sessionKey })
  return true
}

/** How an approval stands; see `Store.getPermission`. */
export function permissionState (queries: Queries, { key: sessionKey }: SessionRow, id: string): PermissionState | null {
  const row = queries.permission.get({ id, sessionKey })
  if (row === undefined) return null
  const event = (seq: number): StoredEvent => toEvents(queries.rowOf(sessionKey, seq)!)[0]!
  return { status: row.status, request: event(row.seq), outcome: row.outcomeSeq === null ? null : event(row.outcomeSeq) }
}

/** See `Store.listAnswers`. */
export function answersFor (queries: Queries, instanceId: string, limit: number): PermissionAnswer[] {
  return queries.ownAnswers.all({ instanceId, limit }).map(({ decision, ...answer }) => ({ ...answer, decision: JSON.parse(decision!) as PermissionDecision }))
}

/* What happens to sessions: created, changed, deleted. Each function is inside one transaction of the caller. */
import { runsError } from '../lib/errors.ts'
import type { NewSession, SessionPatch } from '../lib/store.ts'
import type { Owner, SessionState } from '../lib/types.ts'
import type { Queries, SessionRow } from './queries.ts'
import { toSessionState } from './rows.ts'

/** The session, if it exists for `owner`. Throws SESSION_DELETED. */
export function owned (queries: Queries, sessionId: string, owner: Owner): SessionRow | null {
  const row = queries.session.get({ id: sessionId })
  if (row === undefined || (owner !== null && row.owner !== owner)) return null
  if (row.status !== 'open') throw runsError('SESSION_DELETED', [sessionId])
  return row
}

/** Inserts a session, unless its id is taken; answers whether it did. */
export function insertSession (queries: Queries, { metadata, ...session }: NewSession): boolean {
  return queries.insertSession.run({ ...session, metadata: JSON.stringify(metadata), now: Date.now() }).changes > 0
}

/** See `Store.createSession`. */
export function createSession (queries: Queries, session: NewSession): SessionState | null {
  return insertSession(queries, session) ? toSessionState(queries.session.get({ id: session.id })!) : null
}

/** See `Store.updateSession`. */
export function updateSession (queries: Queries, row: SessionRow, patch: SessionPatch): SessionState {
  const title = patch.title === undefined ? row.title : patch.title
  const metadata = patch.metadata === undefined ? row.metadata : JSON.stringify(patch.metadata)
  queries.updateSession.run({ sessionKey: row.key, title, metadata, now: Date.now() })
  return toSessionState(queries.session.get({ id: row.id })!)
}

/** Whether a session is not busy and was not touched since a time. */
export function isIdle (session: SessionRow, since: number): boolean {
  return session.updatedAt <= since && !toSessionState(session).isProcessing
}

/** From here on the session is deleted to everybody; its events are still to go, which may be many. */
export function beginDeletion (queries: Queries, { key: sessionKey }: SessionRow): void {
  queries.deletePermissions.run({ sessionKey })
  queries.deleteRuns.run({ sessionKey })
  queries.deleteProviderSessions.run({ sessionKey })
  queries.updateSession.run({ sessionKey, title: null, metadata: '{}', now: Date.now() })
  queries.setSessionStatus.run({ sessionKey, status: 'deleting' })
}

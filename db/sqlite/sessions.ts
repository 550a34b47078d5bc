/* What happens to sessions: created, changed, deleted. Each function is inside one transaction of the caller. */
import { runsError } from '../../lib/protocol/errors.ts'
import type { Owner, SessionState } from '../../lib/protocol/session.ts'
import type { NewSession, PageLimit, SessionPatch, SessionsPage } from '../../lib/store/store.ts'
import { takePage } from './page.ts'
import type { Queries, SessionHeadRow, SessionRow } from './queries.ts'
import { toSessionState } from './rows.ts'

/** The session, if it exists for `owner`. Throws SESSION_DELETED. */
export function owned (queries: Queries, sessionId: string, owner: Owner): SessionRow | null {
  return ofOwner(queries.session.get({ id: sessionId }), sessionId, owner)
}

/** The same without the session's view. */
export function ownedHead (queries: Queries, sessionId: string, owner: Owner): SessionHeadRow | null {
  return ofOwner(queries.sessionHead.get({ id: sessionId }), sessionId, owner)
}

function ofOwner<Row extends SessionHeadRow> (row: Row | undefined, sessionId: string, owner: Owner): Row | null {
  if (row === undefined || (owner !== null && row.owner !== owner)) return null
  if (row.status !== 'open') throw runsError('SESSION_DELETED', [sessionId])
  return row
}

/** A page of sessions, newest first; see `Store.listSessions`. */
export function listSessions (queries: Queries, owner: Owner, { rows, bytes, before }: PageLimit & { before: string | null }): SessionsPage {
  const found = (owner === null ? queries.allSessions : queries.ownedSessions)({ owner, before, limit: rows + 1 }) as Iterable<unknown> as Iterable<SessionRow>
  const { items, more } = takePage(found, { rows, bytes }, bytesOf)
  return { sessions: items.map(toSessionState), hasMore: more }
}

/** About what a session takes as JSON. */
function bytesOf ({ id, title, metadata, queue, waiting, pendingPermissions, morePermissions }: SessionRow): number {
  return 300 + id.length + (title?.length ?? 0) + metadata.length + queue.length + (waiting?.length ?? 0) + (pendingPermissions?.length ?? 0) + morePermissions.length
}

/** Inserts a session, unless its id is taken; answers whether it did. */
export function insertSession (queries: Queries, { metadata, ...session }: NewSession): boolean {
  return queries.insertSession.run({ ...session, metadata: JSON.stringify(metadata), now: Date.now() }).changes > 0
}

/** See `Store.createSession`. */
export function createSession (queries: Queries, { providerSessionId = null, ...session }: NewSession): SessionState | null {
  if (!insertSession(queries, session)) return null
  const row = queries.session.get({ id: session.id })!
  if (providerSessionId !== null) {
    if (isKnown(queries, session.provider!, providerSessionId)) throw runsError('PROVIDER_SESSION_TAKEN')
    queries.insertProviderSession.run({ sessionKey: row.key, provider: session.provider!, providerSessionId })
  }
  return toSessionState(row)
}

/** Whether a session has or had the native id. */
export function isKnown (queries: Queries, provider: string, providerSessionId: string): boolean {
  return queries.knownProviderSession.get({ provider, providerSessionId }) !== undefined
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

/** From here on the session is deleted to everybody, and its runs are over; `purge` removes what is left of it. */
export function beginDeletion (queries: Queries, { key: sessionKey }: SessionRow): void {
  queries.endRuns.run({ sessionKey })
  queries.updateSession.run({ sessionKey, title: null, metadata: '{}', now: Date.now() })
  queries.setSessionStatus.run({ sessionKey, status: 'deleting' })
}

/** See `Store.setProviderSessionId`. */
export function keepProviderSessionId (queries: Queries, { sessionId, provider, providerSessionId }: { sessionId: string, provider: string, providerSessionId: string }): void {
  const session = queries.session.get({ id: sessionId })
  if (session?.status !== 'open') return
  const row = { sessionKey: session.key, provider, providerSessionId }
  const newest = queries.providerSessionIds.all(row).findLast((known) => known.provider === provider)
  if (newest?.id === providerSessionId) return
  queries.deleteProviderSession.run(row)
  queries.insertProviderSession.run(row)
  queries.deleteOldProviderSessions.run(row)
}

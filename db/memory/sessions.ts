/* Sessions by their owner. */
import type { Owner, SessionState } from '../../lib/protocol/session.ts'
import type { PageLimit, SessionsPage } from '../../lib/store/store.ts'
import type { MemoryDatabase, MemorySession } from './database.ts'
import { toSessionState } from './states.ts'

/** See `Store.listSessions`. */
export function listSessions (database: MemoryDatabase, owner: Owner, { rows, bytes, before }: PageLimit & { before: string | null }): SessionsPage {
  const oldestFirst = [...database.sessions.values()].filter((session) => isOf(session, owner))
  const end = before === null ? oldestFirst.length : oldestFirst.findIndex(({ id }) => id === before)
  const newestFirst = oldestFirst.slice(0, Math.max(end, 0)).reverse().filter((session) => !session.deleted)
  const sessions: SessionState[] = []
  for (let size = 0; sessions.length < newestFirst.length && sessions.length < rows && size < bytes;) {
    const session = toSessionState(newestFirst[sessions.length]!)
    size += JSON.stringify(session).length
    sessions.push(session)
  }
  return { sessions, hasMore: sessions.length < newestFirst.length }
}

/** Whether it is the owner's; null owns everything. */
export function isOf (session: MemorySession, owner: Owner): boolean {
  return owner === null || owner === session.owner
}

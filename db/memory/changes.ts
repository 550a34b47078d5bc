/* Which sessions have changed: all that matters of each is compared with what it was. */
import type { SessionChanges } from '../../lib/store/store.ts'
import type { MemoryDatabase, MemorySession } from './database.ts'

/** See `Store.changedSessions`. */
export function changedSessions (database: MemoryDatabase, cursor: string | null): SessionChanges {
  const now = Object.fromEntries([...database.sessions.values()].map((session) => [session.id, fingerprint(database, session)]))
  const before = cursor === null ? null : JSON.parse(cursor) as Record<string, string>
  const changed = before && Object.keys(now).filter((id) => now[id] !== before[id])
  return { cursor: JSON.stringify(now), sessionIds: changed, revised: changed }
}

function fingerprint ({ permissions }: MemoryDatabase, session: MemorySession): string {
  const { deleted, lastSeq, title, metadata, queue } = session
  const decisions = [...permissions.values()].filter(({ run }) => run.session === session).map(({ decision }) => decision)
  return JSON.stringify([deleted, lastSeq, title, metadata, queue.map(({ runId, cancelled }) => [runId, cancelled]), decisions])
}

/** See `Store.lastSeqs`. */
export function lastSeqs ({ sessions }: MemoryDatabase, sessionIds: string[]): Array<number | null> {
  return sessionIds.map((id) => {
    const session = sessions.get(id)
    if (session === undefined) return 0
    return session.deleted ? null : session.lastSeq
  })
}

/* Which sessions have changed: events by the rows that were inserted since, all else by revisions. */
import type { SessionChanges } from '../../lib/store/store.ts'
import type { Queries } from './queries.ts'

/** More rows than this are not looked through. */
const MOST_ROWS = 5_000

/** Where the database was: its highest revision, and the newest rows of the log and of the tail. */
interface Place {
  revision: number
  key: number
  sessionKey: number
  seq: number
  tailKey: number
}

/** See `Store.changedSessions`. */
export function changedSessions (queries: Queries, cursor: string | null): SessionChanges {
  const [key, sessionKey, seq] = queries.newestRow() ?? [0, 0, 0]
  const now: Place = { revision: queries.highestRevision.get()?.revision ?? 0, key, sessionKey, seq, tailKey: queries.tail.newestKey }
  const before = cursor === null ? null : JSON.parse(cursor) as Place
  const isKnown = before !== null && now.key - before.key <= MOST_ROWS && now.tailKey - before.tailKey <= MOST_ROWS && isThere(queries, before)
  const changed = isKnown ? queries.changedSessions.all({ ...before }) : null
  const revised = changed?.filter(({ isRevised }) => isRevised === 1) ?? (before && queries.revisedSessions.all({ ...before }))
  return { cursor: JSON.stringify(now), sessionIds: changed && ids(changed), revised: revised && ids(revised) }
}

const ids = (rows: Array<{ id: string }>): string[] => rows.map(({ id }) => id)

/** Whether what was the newest row still is where it was: SQLite gives the keys of the newest rows again once they were deleted. */
function isThere (queries: Queries, { key, sessionKey, seq }: Place): boolean {
  const row = queries.rowPlace(key)
  return key === 0 || (row?.[0] === sessionKey && row[1] === seq)
}

/** See `Store.lastSeqs`. */
export function lastSeqs (queries: Queries, sessionIds: string[]): Array<number | null> {
  return sessionIds.map((id) => {
    const head = queries.sessionHead.get({ id })
    return head === undefined ? 0 : head.status === 'open' ? head.lastSeq : null
  })
}

/* What deletion leaves to be removed, in slices: a session may have a million rows, and rows of a mebibyte. */
import { takePage } from './page.ts'
import { forgetOldStops } from './stops.ts'
import type { Queries } from './queries.ts'

/** What one transaction removes. */
const SLICE = { rows: 1_000, bytes: 1024 * 1024 }

/** Removes a slice of a session that was deleted; false if none is left to be removed. Inside one transaction of the caller. */
export function purgeSlice (queries: Queries): boolean {
  const session = queries.deletingSession.get()
  if (session === undefined) return forgetOldStops(queries, SLICE.rows)
  const { key: sessionKey, id: sessionId } = session
  const { items } = takePage(queries.eventSizes({ sessionKey, limit: SLICE.rows }), SLICE, ([, bytes]) => bytes)
  if (items.length > 0) {
    queries.deleteEventsThrough.run({ sessionKey, seq: items.at(-1)![0] })
    return true
  }
  const rows = { sessionKey, sessionId, limit: SLICE.rows }
  // Approvals are found by their runs.
  for (const remove of [queries.deletePermissions, queries.deleteRuns, queries.deleteMessageKeys, queries.deleteProviderSessions]) {
    if (remove.run(rows).changes > 0) return true
  }
  queries.setSessionStatus.run({ sessionKey, status: 'deleted' })
  return true
}

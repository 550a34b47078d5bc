/* Stops that come before their messages. Each function is inside one transaction of the caller. */
import { runsError } from '../../lib/protocol/errors.ts'
import { MAX_STOPS, STOP_KEPT_MS } from '../../lib/protocol/limits.ts'
import { ANONYMOUS, type Owner } from '../../lib/protocol/session.ts'
import type { RunState } from '../../lib/protocol/words.ts'
import type { NewRun } from '../../lib/store/store.ts'
import type { Queries } from './queries.ts'
import { toRunState } from './rows.ts'
import { owned } from './sessions.ts'

/** See `Store.stopMessage`. */
export function stopMessage (queries: Queries, sessionId: string, asking: Owner, name: string): RunState | null {
  const session = owned(queries, sessionId, asking)
  const owner = session?.owner ?? asking ?? ANONYMOUS
  const key = { sessionId, owner, name }
  const known = queries.messageKey.get(key)
  if (known?.runKey != null) return toRunState(queries.runByRowKey.get({ runKey: known.runKey })!)
  const now = Date.now()
  queries.deleteStops.run({ owner, before: now - STOP_KEPT_MS })
  // One that is stopped again takes no more room.
  if (known === undefined && queries.stopsOf.get({ owner })!.count >= MAX_STOPS) throw runsError('TOO_MANY_STOPS')
  queries.setStop.run({ ...key, now })
  return null
}

/** Whether a message of `owner` was stopped before it came. */
export function isStopped (queries: Queries, { sessionId, names }: Pick<NewRun, 'sessionId' | 'names'>, owner: string): boolean {
  const since = Date.now() - STOP_KEPT_MS
  return names.some(({ name }) => (queries.messageKey.get({ sessionId, owner, name })?.stoppedAt ?? -Infinity) > since)
}

/** Whether stops wait whose messages can come no more. */
export function hasOldStops (queries: Queries): boolean {
  return queries.oldStop.get({ before: Date.now() - STOP_KEPT_MS }) !== undefined
}

/** Forgets some of them; answers whether there were any. */
export function forgetOldStops (queries: Queries, limit: number): boolean {
  return queries.deleteOldStops.run({ before: Date.now() - STOP_KEPT_MS, limit }).changes > 0
}

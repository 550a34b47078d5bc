/* Stops that come before their messages, in memory. */
import { runsError } from '../../lib/protocol/errors.ts'
import { MAX_STOPS, STOP_KEPT_MS } from '../../lib/protocol/limits.ts'
import { ANONYMOUS, type Owner } from '../../lib/protocol/session.ts'
import type { RunState } from '../../lib/protocol/words.ts'
import type { NewRun } from '../../lib/store/store.ts'
import type { MemoryDatabase } from './database.ts'
import { toRunState } from './states.ts'

/** See `Store.stopMessage`. */
export function stopMessage (database: MemoryDatabase, sessionId: string, asking: Owner, name: string): RunState | null {
  const session = database.session(sessionId, asking)
  const run = session === null ? undefined : database.runsOf(session).findLast(({ names }) => names.some((known) => known.name === name))
  if (run !== undefined) return toRunState(run)
  const owner = session?.owner ?? asking ?? ANONYMOUS
  for (const [key, at] of database.stops) if (at <= Date.now() - STOP_KEPT_MS) database.stops.delete(key)
  const key = JSON.stringify([sessionId, owner, name])
  const waiting = [...database.stops.keys()].filter((other) => (JSON.parse(other) as string[])[1] === owner)
  if (!database.stops.has(key) && waiting.length >= MAX_STOPS) throw runsError('TOO_MANY_STOPS')
  database.stops.set(key, Date.now())
  return null
}

/** Whether a message was stopped before it came. */
export function isStopped ({ stops }: MemoryDatabase, { sessionId, names }: NewRun, owner: string): boolean {
  return names.some(({ name }) => (stops.get(JSON.stringify([sessionId, owner, name])) ?? 0) > Date.now() - STOP_KEPT_MS)
}

/** The message has come: its stops are used up. */
export function useStops ({ stops }: MemoryDatabase, { sessionId, names }: NewRun, owner: string): void {
  for (const { name } of names) stops.delete(JSON.stringify([sessionId, owner, name]))
}

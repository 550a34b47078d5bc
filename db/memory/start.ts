/* How a message is taken in: the one decision on which queues, interruptions and idempotency meet. */
import { runsError } from '../../lib/protocol/errors.ts'
import { ABORTED } from '../../lib/protocol/run-ending.ts'
import { ANONYMOUS } from '../../lib/protocol/session.ts'
import type { NewRun, RunStart } from '../../lib/store/store.ts'
import type { MemoryDatabase, MemoryRun, MemorySession } from './database.ts'
import { claimAgain, closeRunning, promote, standstill } from './log.ts'
import { isStopped, useStops } from './stops.ts'
import { toRunState } from './states.ts'

/** See `Store.startRun`. Throws before anything has changed, or not at all. */
export function startRun (database: MemoryDatabase, instanceId: string, request: NewRun): RunStart {
  const { sessionId, owner, admit, onBusy } = request
  const session = database.session(sessionId, owner)
  if (session === null && (database.sessions.has(sessionId) || !request.createSession)) throw runsError('SESSION_NOT_FOUND', [sessionId])

  const again = database.runs.get(request.runId)
  if (session !== null && again?.session === session) {
    const accepted = [...database.runs.values()]
    const wasThere = (run: MemoryRun): boolean => accepted.indexOf(run) <= accepted.indexOf(again)
    return { outcome: 'accepted', run: toRunState(again), cursor: again.acceptedCursor, promotion: claimAgain(session, instanceId, wasThere) }
  }

  const earlier = session === null ? null : repeated(database, session, request)
  if (earlier !== null) return { outcome: 'accepted', run: toRunState(earlier), cursor: earlier.acceptedCursor, promotion: standstill(sessionId) }

  if (admit === 'nothing') return { outcome: 'refused' }
  const inTheWay = session?.running ?? session?.queue[0] ?? null
  if (onBusy === 'reject' && inTheWay !== null) {
    return { outcome: 'busy', runId: inTheWay.runId, cursor: inTheWay.cursor, instanceId: inTheWay.instanceId }
  }
  const stopped = isStopped(database, request, session?.owner ?? owner ?? ANONYMOUS)
  const endsAtOnce = stopped && inTheWay === null
  if (onBusy === 'reject' && admit === 'queue' && !endsAtOnce) return { outcome: 'refused' }
  const interrupts = onBusy === 'interrupt' && !stopped
  const waits = !endsAtOnce && (admit === 'queue' || (!interrupts && inTheWay !== null))
  if (waits && (session?.queue.length ?? 0) >= request.maxQueued) throw runsError('QUEUE_FULL', [sessionId])

  const home = session ?? database.createSession({ id: sessionId, owner: owner ?? ANONYMOUS, provider: request.provider, title: null, metadata: {} })
  const promotion = standstill(sessionId)
  if (interrupts && home.running !== null) promotion.events.push(...closeRunning(database, home.running, ABORTED))
  const run = accept(database, home, request, interrupts)
  run.cancelled = stopped
  useStops(database, request, home.owner)
  if ((admit === 'run' || endsAtOnce) && home.running === null) {
    const { events, claimed } = promote(home, instanceId)
    promotion.events.push(...events)
    promotion.claimed = claimed
  }
  return { outcome: 'accepted', run: toRunState(run), cursor: run.acceptedCursor, promotion }
}

/** The run that the same message became before; null if all its names are new. Throws IDEMPOTENCY_KEY_REUSED. */
function repeated (database: MemoryDatabase, session: MemorySession, { names }: NewRun): MemoryRun | null {
  for (const { name, hash } of names) {
    for (const run of database.runsOf(session)) {
      const known = run.names.find((other) => other.name === name)
      if (known === undefined) continue
      if (known.hash !== null && hash !== null && known.hash !== hash) throw runsError('IDEMPOTENCY_KEY_REUSED')
      return run
    }
  }
  return null
}

/** A run that waits; one that interrupts goes before all others. */
function accept (database: MemoryDatabase, session: MemorySession, request: NewRun, first: boolean): MemoryRun {
  const { runId, provider, message, options, names } = request
  const run: MemoryRun = {
    runId,
    session,
    provider,
    message: { ...message },
    options: JSON.stringify(options),
    names: structuredClone(names),
    createdAt: Date.now(),
    instanceId: null,
    cursor: session.lastSeq,
    acceptedCursor: session.lastSeq,
    cancelled: false,
    startedAt: null,
    completedAt: null,
    completeSeq: null,
    ending: null,
    compacted: false
  }
  database.runs.set(runId, run)
  if (first) session.queue.unshift(run)
  else session.queue.push(run)
  return run
}

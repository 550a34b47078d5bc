/* What happens to runs: taken in, waiting, running, ended. Each function is inside one transaction of the caller. */
import { type CompleteEvent, parseEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { ABORTED } from '../../lib/protocol/run-ending.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import { decideEnd, decideStart, decideTurn, isSameMessage, type StartSnapshot } from '../../lib/store/decisions.ts'
import type { AppendGroup, ClaimedRun, ClosedRun, NewRun, Promotion, RunStart } from '../../lib/store/store.ts'
import { waitingMessage } from '../../lib/store/waiting.ts'
import { type LogRow, toEvents } from './event-rows.ts'
import { eventAt, insertEvents, sealTail } from './log.ts'
import { followLog } from './permissions.ts'
import type { Queries, RunKeys, RunRow, SessionRow } from './queries.ts'
import { toRunState, toSession } from './rows.ts'
import { isStopped } from './stops.ts'

/** Takes a message in; see `Store.startRun`. `session` exists and is the client's. */
export function takeIn (queries: Queries, instanceId: string, session: SessionRow, request: NewRun): RunStart {
  const { key: sessionKey, id: sessionId, owner } = session
  const { runId } = request
  const decision = decideStart(startSnapshot(queries, session, request), request)
  if (decision.outcome === 'refused') return decision
  if (decision.outcome === 'busy') {
    const { id, cursor, instanceId: driver } = decision.run
    return { outcome: 'busy', runId: id, cursor, instanceId: driver }
  }
  if (decision.outcome === 'repeat') {
    const { run } = decision
    const isMeant = (claimed: RunRow): boolean => run.id === runId && claimed.key <= run.key
    return { outcome: 'accepted', run: toRunState(run), cursor: acceptedCursor(run), promotion: claimAgain(queries, instanceId, sessionId, isMeant) }
  }
  const promotion: Promotion = { sessionId, events: [], claimed: null }
  if (decision.interrupts) promotion.events.push(...appendEnd(queries, queries.runningRun.get({ sessionKey })!, ABORTED))
  const { lastInsertRowid: runKey } = queries.insertRun.run({
    id: runId,
    sessionKey,
    provider: request.provider,
    cursor: promotion.events.at(-1)?.seq ?? session.lastSeq,
    position: decision.position,
    message: request.message.fields,
    options: JSON.stringify(request.options),
    now: Date.now()
  })
  for (const { name, hash } of request.names) queries.setMessageKey.run({ sessionId, owner, name, runKey, requestHash: hash })
  if (decision.isCancelled) queries.cancelRun.run({ id: runId })
  if (decision.promotes) promote(queries, instanceId, sessionId, promotion)
  const taken = queries.run.get({ id: runId })!
  if (taken.status === 'queued') {
    if (taken.aborted !== true) queries.setWaiting.run({ runKey, waiting: JSON.stringify(waitingMessage(runId, taken.message!, taken.createdAt)) })
    queries.reviseSession.run({ sessionKey })
  }
  return { outcome: 'accepted', run: toRunState(taken), cursor: acceptedCursor(taken), promotion }
}

function startSnapshot (queries: Queries, { key: sessionKey, id: sessionId, owner }: SessionRow, request: NewRun): StartSnapshot<RunRow> {
  const again = queries.run.get({ id: request.runId })
  const [named] = request.names.flatMap((given) => {
    const known = queries.messageKey.get({ sessionId, owner, name: given.name })
    return known?.runKey == null ? [] : [{ run: queries.runByRowKey.get({ runKey: known.runKey })!, isSame: isSameMessage(known.requestHash, given) }]
  })
  return {
    again: again?.sessionKey === sessionKey ? again : undefined,
    named,
    isStopped: isStopped(queries, request, owner),
    running: queries.runningRun.get({ sessionKey }),
    next: queries.nextQueued.get({ sessionKey }),
    queue: queries.queueOf.get({ sessionKey })!
  }
}

/** Gives the session's free slot to the first run that waits and was not cancelled; adds to `promotion` what happens. */
export function promote (queries: Queries, instanceId: string, sessionId: string, promotion: Promotion = { sessionId, events: [], claimed: null }): Promotion {
  const session = queries.session.get({ id: sessionId })!
  const { key: sessionKey } = session
  let { lastSeq } = session
  for (;;) {
    const run = queries.nextQueued.get({ sessionKey })
    if (run === undefined) return promotion
    const { key: runKey, id: runId, provider } = run
    const now = new Date()
    const { events, completeSeq } = decideTurn({ run: { sessionId, runId, provider }, fields: run.message!, isCancelled: run.aborted === true, lastSeq }, now)
    queries.beginRun.run({ runKey, instanceId, cursor: lastSeq, now: now.getTime() })
    insertEvents(queries, { runKey, sessionKey }, events)
    if (run.waiting !== null) queries.reviseSession.run({ sessionKey })
    promotion.events.push(...events)
    if (completeSeq === null) {
      queries.touchSession.run({ sessionKey, now: now.getTime() })
      promotion.claimed = claimedRun(queries, session, run, events[0]!)
      return promotion
    }
    complete(queries, { runKey, sessionKey }, completeSeq, ABORTED, null)
    lastSeq = completeSeq
  }
}

/** The terminal of a group is in the log: the run is over, and the next has its turn, if so wished. What that set in motion. */
export function ended (queries: Queries, instanceId: string, keys: RunKeys, { events, ending, promote: promoting }: AppendGroup): Promotion | null {
  complete(queries, keys, events.at(-1)!.seq, ending!, instanceId)
  return promoting ? unlessEmpty(promote(queries, instanceId, keys.sessionId)) : null
}

/** What `ended` set in motion before, as far as it is still to be driven. */
export function endedAgain (queries: Queries, instanceId: string, { sessionId }: RunKeys, { events, promote: promoted }: AppendGroup): Promotion | null {
  return promoted ? unlessEmpty(claimAgain(queries, instanceId, sessionId, acceptedBefore(events.at(-1)!.seq))) : null
}

const unlessEmpty = (promotion: Promotion): Promotion | null => promotion.events.length === 0 ? null : promotion

/** Whether a run was accepted before an end. One that was accepted since was claimed with the answer to its own message. */
const acceptedBefore = (completeSeq: number) => (run: RunRow): boolean => acceptedCursor(run) < completeSeq

/** The claim that an earlier call made, if nothing has followed it, and `isMeant` is true of its run. */
function claimAgain (queries: Queries, instanceId: string, sessionId: string, isMeant: (run: RunRow) => boolean): Promotion {
  const run = queries.runningRun.get({ sessionKey: queries.session.get({ id: sessionId })!.key })
  const claimed = run !== undefined && isMeant(run) ? claimOf(queries, instanceId, run) : null
  return { sessionId, events: claimed === null ? [] : [claimed.message], claimed }
}

/** See `Store.getClaim`. */
export function claimOf (queries: Queries, instanceId: string, run: RunRow | undefined): ClaimedRun | null {
  if (run?.status !== 'running' || run.instanceId !== instanceId || run.lastSeq !== run.cursor + 1) return null
  const message = eventAt(queries, run.sessionKey, run.lastSeq)
  return claimedRun(queries, queries.session.get({ id: run.sessionId })!, run, message)
}

/** Ends a run from outside; see `Store.closeRun`. */
export function closeRun (queries: Queries, instanceId: string, runId: string, ending: RunEnding, { promote: promoting }: { promote: boolean }): ClosedRun | null {
  const run = queries.run.get({ id: runId })
  if (run === undefined || run.status === 'queued') return null
  const { sessionKey, sessionId, completeSeq } = run
  if (completeSeq !== null) {
    const complete = parseEvent(eventAt(queries, sessionKey, completeSeq)) as CompleteEvent
    const isMeant = promoting ? acceptedBefore(completeSeq) : () => false
    return { complete, promotion: claimAgain(queries, instanceId, sessionId, isMeant) }
  }
  const promotion: Promotion = { sessionId, events: appendEnd(queries, run, ending), claimed: null }
  const complete = parseEvent(promotion.events.at(-1)!) as CompleteEvent
  if (promoting) promote(queries, instanceId, sessionId, promotion)
  return { complete, promotion }
}

/** Marks a run as over; its `complete` is in the log, appended by the instance that drove it or (null) from outside. */
function complete (queries: Queries, { runKey, sessionKey }: { runKey: number, sessionKey: number }, completeSeq: number, { exitCode, aborted, reason }: RunEnding, instanceId: string | null): void {
  const now = Date.now()
  queries.completeRun.run({ runKey, completeSeq, exitCode, aborted: aborted ? 1 : 0, reason, instanceId, now })
  queries.touchSession.run({ sessionKey, now })
}

/** Ends a run from outside; answers the events, of which the last is its `complete`. */
function appendEnd (queries: Queries, run: RunRow, ending: RunEnding): StoredEvent[] {
  const { key: runKey, sessionKey, sessionId, id: runId, provider } = run
  sealTail(queries, { runKey, sessionKey })
  const events = decideEnd({
    run: { sessionId, runId, provider },
    lastSeq: run.lastSeq,
    messages: parsed(queries.messageRowsAfter(sessionKey, run.cursor)),
    unsettled: queries.unsettledPermissions.all({ runKey, sessionKey }).map(({ id }) => id)
  }, ending)
  insertEvents(queries, { runKey, sessionKey }, events)
  followLog(queries, { runKey, sessionKey }, events)
  complete(queries, { runKey, sessionKey }, events.at(-1)!.seq, ending, null)
  return events
}

/** What the answer to a run's message said, however often it is asked. */
function acceptedCursor (run: RunRow): number {
  return run.acceptedCursor ?? run.cursor
}

function claimedRun (queries: Queries, session: SessionRow, { id: runId, provider, options }: RunRow, message: StoredEvent): ClaimedRun {
  const known = queries.providerSessionIds.all({ sessionKey: session.key })
  return {
    run: { sessionId: session.id, runId, provider },
    session: toSession(session),
    options: JSON.parse(options ?? '{}') as Record<string, unknown>,
    message,
    providerSessionId: known.findLast((row) => row.provider === provider)?.id ?? null,
    providerSessionIds: known.map(({ id }) => id)
  }
}

function * parsed (rows: Iterable<LogRow>) {
  for (const row of rows) yield * toEvents(row).map(parseEvent)
}

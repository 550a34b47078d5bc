/* The statements, each prepared once: building them per call measured 4 to 10 times slower on the hot path. */
import type { Database } from 'better-sqlite3'
import type { Query, SQL } from 'drizzle-orm'
import { INLINE_PERMISSION_BYTES, MAX_NATIVE_ID_LENGTH, NATIVE_IDS_KEPT, WAITING_SHOWN } from '../../lib/protocol/limits.ts'
import { and, asc, BaseSQLiteDatabase, BetterSQLiteSession, desc, eq, fillPlaceholders, getTableColumns, gt, lte, ne, sql, SQLiteSyncDialect } from './drizzle.ts'
import { prepareLogQueries } from './log-queries.ts'
import { events, instances, messageKeys, permissions, providerSessions, runs, sessions, tail as tailRows } from './schema.ts'

const p = sql.placeholder
/**
 * A placeholder in a comparison. Bare, it could say which index to use: SQLite plans the whole statement anew with each value that
 * is bound (measured: 75 µs for a session, 5 µs without).
 */
const v = (name: string): SQL => sql`(SELECT ${p(name)})`
// The same goes for LIMIT; drizzle takes more there than its types say.
const count = (name: string) => v(name) as unknown as ReturnType<typeof p>
const one = sql`1` as unknown as number

// With its table's name, which drizzle leaves out where a statement has one table: in a subquery it would be another's.
const sessionKey = sql`${sessions}."key"`

// Literal, not bound: SQLite uses a partial index only for the very condition that it was made with.
const isRunning = sql`${runs.status} = 'running'`
const isQueued = sql`${runs.status} = 'queued'`
const isOpen = sql`${sessions.status} = 'open'`
const isAnswered = sql`${permissions.status} = 'answered'`
const isStop = sql`${messageKeys.stoppedAt} IS NOT NULL AND ${messageKeys.runKey} IS NULL`
const isUnsettled = sql`${permissions.outcomeSeq} IS NULL`
const ownerFits = sql`(${v('owner')} IS NULL OR ${sessions.owner} = ${v('owner')})`
// The plus keeps SQLite from walking all runs in the order of their keys, for the few that are running or wait.
const inOrder = sql`+${runs}."key"`
const isAfter = sql`(${v('after')} IS NULL OR ${inOrder} > (SELECT r.key FROM ${runs} AS r WHERE r.id = ${v('after')}))`
const isBefore = sql`(${v('before')} IS NULL OR ${runs.key} < (SELECT r.key FROM ${runs} AS r WHERE r.id = ${v('before')} AND r.session_key = ${sessionKey}))`

// The newest event of a session is never deleted without the session, so the index knows the seq: storing it beside would
// be one more page to write for each run and commit. Without what is in the tail: see `live`.
const lastSeq = sql<number>`coalesce((SELECT max(e.seq) FROM ${events} AS e WHERE e.session_key = ${sessionKey}), 0)`
const queue = sql<string>`(SELECT json_group_array(q.id) FROM (SELECT r.id FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status = 'queued' ORDER BY r.position) AS q)`
// Null if nothing waits, as mostly: then nothing of it is parsed.
const waiting = sql<string | null>`(SELECT '[' || group_concat(w.waiting) || ']' FROM (SELECT r.waiting FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status = 'queued' AND r.waiting IS NOT NULL ORDER BY r.position LIMIT ${sql.raw(String(WAITING_SHOWN))}) AS w)`
const isNext = sql`${runs.position} = (SELECT min(r.position) FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status = 'queued')`
const isBusy = sql`EXISTS (SELECT 1 FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status IN ('running', 'queued'))`

// The requests that wait, and how many bytes they come to with those before them.
const openRequests = sql`SELECT a.id, a.seq, sum(octet_length(e.json)) OVER (ORDER BY a.seq) AS bytes FROM ${permissions} AS a INNER JOIN ${events} AS e ON e.session_key = a.session_key AND e.seq = a.seq WHERE a.session_key = ${sessionKey} AND a.outcome_seq IS NULL`
// Null if there are none, as mostly: then nothing of it is parsed. The events' own texts, which SQLite need not read as JSON.
const pendingPermissions = sql<string | null>`(SELECT '[' || group_concat(e.json) || ']' FROM (SELECT e.json FROM (${openRequests}) AS w INNER JOIN ${events} AS e ON e.session_key = ${sessionKey} AND e.seq = w.seq WHERE w.bytes <= ${sql.raw(String(INLINE_PERMISSION_BYTES))} ORDER BY w.seq) AS e)`
const morePermissions = sql<string>`(SELECT json_group_array(w.id) FROM (${openRequests} ORDER BY a.seq) AS w WHERE w.bytes > ${sql.raw(String(INLINE_PERMISSION_BYTES))})`

// Rows of sessions are never deleted, so it only grows.
const nextRevision = sql`(SELECT coalesce(max(s.revision), 0) + 1 FROM ${sessions} AS s)`

/** Where a run is. */
export interface RunKeys {
  runKey: number
  sessionKey: number
  sessionId: string
}

export type Queries = ReturnType<typeof prepareQueries>
export type SessionRow = NonNullable<ReturnType<Queries['session']['get']>>
/** What a page of a stream needs of its session: no metadata, queue or approvals. */
export type SessionHeadRow = Pick<SessionRow, 'key' | 'owner' | 'status' | 'compactedThrough' | 'lastSeq'>
export type RunRow = NonNullable<ReturnType<Queries['run']['get']>>
export type ListedRunRow = NonNullable<ReturnType<Queries['runningRuns']['get']>>

/** All statements on one connection, and its index of the tail. `othersWrites` changes with what others wrote by this connection. */
export function prepareQueries (connection: Database, othersWrites: () => number) {
  // As `drizzle(connection)` does it, whose module loads the driver.
  const dialect = new SQLiteSyncDialect()
  const db = new BaseSQLiteDatabase('sync', dialect, new BetterSQLiteSession(connection, dialect, undefined), undefined)

  const sessionColumns = {
    ...getTableColumns(sessions),
    lastSeq: lastSeq.as('last_seq'),
    queue: queue.as('queue'),
    waiting: waiting.as('waiting_messages'),
    pendingPermissions: pendingPermissions.as('pending_permissions'),
    morePermissions: morePermissions.as('more_permissions'),
    runId: runs.id,
    runCursor: runs.cursor
  }
  const selectSessions = () => db.select(sessionColumns).from(sessions).leftJoin(runs, and(eq(runs.sessionKey, sessions.key), isRunning))
  // A waiting run holds its whole message: lists leave that out.
  const { message, waiting: shown, options, ...listedColumns } = getTableColumns(runs)
  const listRuns = () => db.select({ ...listedColumns, sessionId: sessions.id, lastSeq: lastSeq.as('last_seq') }).from(runs).innerJoin(sessions, eq(runs.sessionKey, sessions.key))
  const selectRuns = () => db.select({ ...getTableColumns(runs), sessionId: sessions.id, owner: sessions.owner, lastSeq: lastSeq.as('last_seq') }).from(runs)
    .innerJoin(sessions, eq(runs.sessionKey, sessions.key))
  // Rows are taken one by one, so that a page can stop at its byte limit; the caller exhausts or leaves the iterator
  // before anything else happens on the connection.
  const iterate = <Row>(query: { toSQL: () => Query }) => {
    const { sql: text, params } = query.toSQL()
    const statement = connection.prepare<unknown[], Row>(text).raw()
    return (values: Record<string, unknown>): IterableIterator<Row> => statement.iterate(...fillPlaceholders(params, values))
  }

  const log = prepareLogQueries(connection, othersWrites)
  const { tail } = log

  // A running run's newest events are in the tail, which has no index that SQL could use.
  const live = <Row extends { lastSeq: number }>(statement: { getQuery: () => Query, get: (values: Record<string, unknown>) => Row | undefined, all: (values: Record<string, unknown>) => Row[] }, sessionKeyOf: (row: Row) => number) => {
    const withTail = (row: Row): Row => Object.assign(row, { lastSeq: Math.max(row.lastSeq, tail.lastSeq(sessionKeyOf(row))) })
    return {
      getQuery: () => statement.getQuery(),
      get (values: Record<string, unknown>): Row | undefined {
        const row = statement.get(values)
        return row && withTail(row)
      },
      all: (values: Record<string, unknown>): Row[] => statement.all(values).map(withTail)
    }
  }
  const ofSession = (row: { key: number }): number => row.key
  const ofRun = (row: { sessionKey: number }): number => row.sessionKey

  const sessionPage = (isOwned: SQL | undefined) => {
    const isBeforeLast = sql`(${v('before')} IS NULL OR ${sessions.key} < (SELECT s.key FROM ${sessions} AS s WHERE s.id = ${v('before')} AND (${v('owner')} IS NULL OR s.owner = ${v('owner')})))`
    const rows = iterate<unknown[]>(selectSessions().where(and(isOpen, isOwned, isBeforeLast)).orderBy(desc(sessions.key)).limit(count('limit')))
    const names = Object.keys(sessionColumns)
    // The rows are those of `session`, whose type cannot be named from here.
    return function * (values: Record<string, unknown>): IterableIterator<Record<string, unknown>> {
      for (const row of rows(values)) {
        const session = Object.fromEntries(names.map((name, index) => [name, row[index]]))
        yield Object.assign(session, { lastSeq: Math.max(session['lastSeq'] as number, tail.lastSeq(session['key'] as number)) })
      }
    }
  }

  return {
    ...log,
    session: live(selectSessions().where(eq(sessions.id, v('id'))).prepare(), ofSession),
    sessionHead: live(db.select({ key: sessions.key, owner: sessions.owner, status: sessions.status, compactedThrough: sessions.compactedThrough, lastSeq }).from(sessions).where(eq(sessions.id, v('id'))).prepare(), ofSession),
    // Two statements: with one for both SQLite would walk all sessions for those of an owner.
    allSessions: sessionPage(undefined),
    ownedSessions: sessionPage(eq(sessions.owner, v('owner'))),
    idleSessions: db.select({ id: sessions.id }).from(sessions)
      .where(and(lte(sessions.updatedAt, v('since')), isOpen, sql`NOT ${isBusy}`)).orderBy(asc(sessions.updatedAt)).limit(count('limit')).prepare(),
    insertSession: db.insert(sessions).values({
      id: p('id'), owner: p('owner'), provider: p('provider'), title: p('title'), metadata: p('metadata'), revision: nextRevision, createdAt: p('now'), updatedAt: p('now')
    }).onConflictDoNothing().prepare(),
    updateSession: db.update(sessions)
      .set({ title: sql`${p('title')}`, metadata: sql`${p('metadata')}`, revision: nextRevision, updatedAt: sql`${p('now')}` }).where(eq(sessions.key, v('sessionKey'))).prepare(),
    touchSession: db.update(sessions).set({ updatedAt: sql`${p('now')}` }).where(eq(sessions.key, v('sessionKey'))).prepare(),
    /** Something of the session has changed that no event tells. */
    reviseSession: db.update(sessions).set({ revision: nextRevision }).where(eq(sessions.key, v('sessionKey'))).prepare(),
    reviseSessionOf: db.update(sessions).set({ revision: nextRevision }).where(sql`${sessionKey} = (SELECT r.session_key FROM ${runs} AS r WHERE r.id = ${v('runId')})`).prepare(),
    highestRevision: db.select({ revision: sessions.revision }).from(sessions).orderBy(desc(sessions.revision)).limit(one).prepare(),
    changedSessions: db.select({ id: sessions.id, isRevised: sql<0 | 1>`${sessions.revision} > ${v('revision')}` }).from(sessions)
      .where(sql`${sessionKey} IN (SELECT e.session_key FROM ${events} AS e WHERE e.key > ${v('key')} UNION ALL SELECT t.session_key FROM ${tailRows} AS t WHERE t.key > ${v('tailKey')} UNION ALL SELECT s.key FROM ${sessions} AS s WHERE s.revision > ${v('revision')})`).prepare(),
    revisedSessions: db.select({ id: sessions.id }).from(sessions).where(gt(sessions.revision, v('revision'))).prepare(),
    setSessionStatus: db.update(sessions).set({ status: sql`${p('status')}` }).where(eq(sessions.key, v('sessionKey'))).prepare(),
    deletingSession: db.select({ key: sessions.key, id: sessions.id }).from(sessions).where(sql`${sessions.status} = 'deleting'`).limit(one).prepare(),

    run: live(selectRuns().where(and(eq(runs.id, v('id')), isOpen)).prepare(), ofRun),
    runsOfSession: live(listRuns().where(and(eq(sessions.id, v('sessionId')), isOpen, ownerFits, isBefore)).orderBy(desc(runs.key)).limit(count('limit')).prepare(), ofRun),
    runningRuns: live(listRuns().where(and(isRunning, ownerFits, isAfter)).orderBy(inOrder).limit(count('limit')).prepare(), ofRun),
    drivingInstances: db.selectDistinct({ id: runs.instanceId }).from(runs).where(isRunning).prepare(),
    ownRuns: db.select({ runId: runs.id, sessionId: sessions.id }).from(runs).innerJoin(sessions, eq(runs.sessionKey, sessions.key))
      .where(and(isRunning, eq(runs.instanceId, v('instanceId')))).prepare(),
    runningElsewhere: db.select({ runId: runs.id, sessionId: sessions.id, instanceId: runs.instanceId, counter: instances.counter }).from(runs)
      .innerJoin(sessions, eq(runs.sessionKey, sessions.key)).leftJoin(instances, eq(instances.id, runs.instanceId))
      .where(and(isRunning, ne(runs.instanceId, v('instanceId')))).orderBy(inOrder).prepare(),
    messageKey: db.select({ runKey: messageKeys.runKey, requestHash: messageKeys.requestHash, stoppedAt: messageKeys.stoppedAt }).from(messageKeys)
      .where(and(eq(messageKeys.sessionId, v('sessionId')), eq(messageKeys.owner, v('owner')), eq(messageKeys.name, v('name')))).prepare(),
    setMessageKey: db.insert(messageKeys).values({ sessionId: p('sessionId'), owner: p('owner'), name: p('name'), runKey: p('runKey'), requestHash: p('requestHash') })
      .onConflictDoUpdate({ target: [messageKeys.sessionId, messageKeys.owner, messageKeys.name], set: { runKey: sql`${p('runKey')}`, requestHash: sql`${p('requestHash')}` } }).prepare(),
    setStop: db.insert(messageKeys).values({ sessionId: p('sessionId'), owner: p('owner'), name: p('name'), stoppedAt: p('now') })
      .onConflictDoUpdate({ target: [messageKeys.sessionId, messageKeys.owner, messageKeys.name], set: { stoppedAt: sql`${p('now')}` } }).prepare(),
    stopsOf: db.select({ count: sql<number>`count(*)` }).from(messageKeys).where(and(eq(messageKeys.owner, v('owner')), isStop)).prepare(),
    deleteStops: db.delete(messageKeys).where(and(eq(messageKeys.owner, v('owner')), isStop, lte(messageKeys.stoppedAt, v('before')))).prepare(),
    oldStop: db.select({ key: messageKeys.key }).from(messageKeys).where(and(isStop, lte(messageKeys.stoppedAt, v('before')))).limit(one).prepare(),
    deleteOldStops: db.delete(messageKeys)
      .where(sql`${messageKeys}."key" IN (SELECT n.key FROM ${messageKeys} AS n WHERE n.stopped_at IS NOT NULL AND n.run_key IS NULL AND n.stopped_at <= ${v('before')} LIMIT ${v('limit')})`).prepare(),
    deleteMessageKeys: db.delete(messageKeys)
      .where(sql`${messageKeys}."key" IN (SELECT n.key FROM ${messageKeys} AS n WHERE n.session_id = ${v('sessionId')} LIMIT ${v('limit')})`).prepare(),
    runByRowKey: live(selectRuns().where(eq(runs.key, v('runKey'))).prepare(), ofRun),
    runningRun: live(selectRuns().where(and(eq(runs.sessionKey, v('sessionKey')), isRunning)).prepare(), ofRun),
    nextQueued: live(selectRuns().where(and(eq(runs.sessionKey, v('sessionKey')), isQueued)).orderBy(asc(runs.position)).limit(one).prepare(), ofRun),
    queueOf: db.select({ length: sql<number>`count(*)`, first: sql<number | null>`min(${runs.position})`, last: sql<number | null>`max(${runs.position})` }).from(runs)
      .where(and(eq(runs.sessionKey, v('sessionKey')), isQueued)).prepare(),
    // Of the runs that are first in their session while its slot is free, the one that was accepted first.
    waitingSession: db.select({ sessionId: sessions.id }).from(runs).innerJoin(sessions, eq(runs.sessionKey, sessions.key))
      .where(and(isQueued, isNext, sql`NOT EXISTS (SELECT 1 FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status = 'running')`)).orderBy(inOrder).limit(one).prepare(),
    insertRun: db.insert(runs).values({
      id: p('id'),
      sessionKey: p('sessionKey'),
      provider: p('provider'),
      status: 'queued',
      cursor: p('cursor'),
      position: p('position'),
      message: p('message'),
      options: p('options'),
      createdAt: p('now')
    }).prepare(),
    setWaiting: db.update(runs).set({ waiting: sql`${p('waiting')}` }).where(eq(runs.key, v('runKey'))).prepare(),
    // What the client was told stays beside what came of it.
    beginRun: db.update(runs).set({
      status: 'running',
      instanceId: sql`${p('instanceId')}`,
      acceptedCursor: sql`nullif(${runs.cursor}, ${p('cursor')})`,
      cursor: sql`${p('cursor')}`,
      startedAt: sql`${p('now')}`,
      message: null,
      waiting: null
    }).where(eq(runs.key, v('runKey'))).prepare(),
    cancelRun: db.update(runs).set({ aborted: true, waiting: null }).where(and(eq(runs.id, v('id')), isQueued)).prepare(),
    completeRun: db.update(runs).set({
      status: 'completed', options: null, instanceId: sql`${p('instanceId')}`, completeSeq: sql`${p('completeSeq')}`, completedAt: sql`${p('now')}`, exitCode: sql`${p('exitCode')}`, aborted: sql`${p('aborted')}`, reason: sql`${p('reason')}`
    }).where(eq(runs.key, v('runKey'))).prepare(),
    // Of a session that is deleted: its rows go later, but nothing of them may hold a slot or be driven.
    endRuns: db.update(runs).set({ status: 'completed', message: null, waiting: null, options: null }).where(and(eq(runs.sessionKey, v('sessionKey')), sql`${runs.status} <> 'completed'`)).prepare(),
    deleteRuns: db.delete(runs).where(sql`${runs}."key" IN (SELECT r.key FROM ${runs} AS r WHERE r.session_key = ${v('sessionKey')} LIMIT ${v('limit')})`).prepare(),

    compactableRuns: db.select({ id: runs.id }).from(runs)
      .where(and(sql`${runs.compacted} = 0 AND ${runs.status} = 'completed'`, lte(runs.completedAt, v('before')), sql`EXISTS (SELECT 1 FROM ${sessions} AS s WHERE s.key = ${runs.sessionKey} AND s.status = 'open')`)).orderBy(asc(runs.completedAt)).limit(count('limit')).prepare(),
    setCompacted: db.update(runs).set({ compacted: true }).where(eq(runs.key, v('runKey'))).prepare(),
    setCompactedThrough: db.update(sessions)
      .set({ compactedThrough: sql`max(${sessions.compactedThrough}, ${p('through')})` }).where(eq(sessions.key, v('sessionKey'))).prepare(),

    insertPermission: db.insert(permissions).values({ id: p('id'), sessionKey: p('sessionKey'), runKey: p('runKey'), seq: p('seq'), status: 'pending' }).onConflictDoNothing().prepare(),
    permission: db.select({ status: permissions.status, decision: permissions.decision, seq: permissions.seq, outcomeSeq: permissions.outcomeSeq }).from(permissions)
      .where(and(eq(permissions.id, v('id')), eq(permissions.sessionKey, v('sessionKey')))).prepare(),
    unsettledPermissions: db.select({ id: permissions.id }).from(permissions)
      .where(and(eq(permissions.sessionKey, v('sessionKey')), eq(permissions.runKey, v('runKey')), isUnsettled)).orderBy(asc(permissions.seq)).prepare(),
    answerPermission: db.update(permissions).set({ status: 'answered', decision: sql`${p('decision')}` })
      .where(and(eq(permissions.id, v('id')), eq(permissions.sessionKey, v('sessionKey')), sql`${permissions.status} = 'pending'`)).prepare(),
    settlePermission: db.update(permissions).set({ status: sql`${p('status')}`, outcomeSeq: sql`${p('outcomeSeq')}` })
      .where(and(eq(permissions.id, v('id')), eq(permissions.sessionKey, v('sessionKey')), isUnsettled)).prepare(),
    ownAnswers: db.select({ runId: runs.id, requestId: permissions.id, decision: permissions.decision }).from(permissions).innerJoin(runs, eq(runs.key, permissions.runKey))
      .where(and(isAnswered, isRunning, eq(runs.instanceId, v('instanceId')))).orderBy(asc(permissions.key)).limit(count('limit')).prepare(),
    deletePermissions: db.delete(permissions)
      .where(sql`${permissions}."key" IN (SELECT a.key FROM ${runs} AS r INNER JOIN ${permissions} AS a ON a.run_key = r.key WHERE r.session_key = ${v('sessionKey')} LIMIT ${v('limit')})`).prepare(),

    renewLease: db.insert(instances).values({ id: p('instanceId'), counter: 1 }).onConflictDoUpdate({ target: instances.id, set: { counter: sql`${instances.counter} + 1` } }).prepare(),
    deleteInstance: db.delete(instances).where(eq(instances.id, v('instanceId'))).prepare(),
    deleteIdleInstances: db.delete(instances).where(sql`NOT EXISTS (SELECT 1 FROM ${runs} AS r WHERE r.status = 'running' AND r.instance_id = ${instances}."id")`).prepare(),

    // Older versions kept more, and longer ones.
    providerSessionIds: db.select({ provider: providerSessions.provider, id: providerSessions.providerSessionId }).from(providerSessions)
      .where(sql`${providerSessions}."key" IN (SELECT k.key FROM (SELECT n.key, row_number() OVER (PARTITION BY n.provider ORDER BY n.key DESC) AS place FROM ${providerSessions} AS n WHERE n.session_key = ${v('sessionKey')} AND length(n.provider_session_id) <= ${sql.raw(String(MAX_NATIVE_ID_LENGTH))}) AS k WHERE k.place <= ${sql.raw(String(NATIVE_IDS_KEPT))})`)
      .orderBy(asc(providerSessions.key)).prepare(),
    knownProviderSession: db.select({ id: providerSessions.providerSessionId }).from(providerSessions)
      .where(and(eq(providerSessions.providerSessionId, v('providerSessionId')), eq(providerSessions.provider, v('provider')))).limit(one).prepare(),
    deleteOldProviderSessions: db.delete(providerSessions).where(and(
      eq(providerSessions.sessionKey, v('sessionKey')), eq(providerSessions.provider, v('provider')),
      sql`${providerSessions}."key" NOT IN (SELECT n.key FROM ${providerSessions} AS n WHERE n.session_key = ${v('sessionKey')} AND n.provider = ${v('provider')} ORDER BY n.key DESC LIMIT ${sql.raw(String(NATIVE_IDS_KEPT))})`
    )).prepare(),
    deleteProviderSession: db.delete(providerSessions).where(and(
      eq(providerSessions.sessionKey, v('sessionKey')), eq(providerSessions.provider, v('provider')), eq(providerSessions.providerSessionId, v('providerSessionId'))
    )).prepare(),
    deleteProviderSessions: db.delete(providerSessions)
      .where(sql`${providerSessions}."key" IN (SELECT n.key FROM ${providerSessions} AS n WHERE n.session_key = ${v('sessionKey')} LIMIT ${v('limit')})`).prepare(),
    insertProviderSession: db.insert(providerSessions)
      .values({ sessionKey: p('sessionKey'), provider: p('provider'), providerSessionId: p('providerSessionId') }).prepare()
  }
}

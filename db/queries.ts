/* The statements, each prepared once: building them per call measured 4 to 10 times slower on the hot path. */
import type { Database } from 'better-sqlite3'
import { and, asc, desc, eq, fillPlaceholders, getTableColumns, gt, inArray, lte, ne, Param, type Placeholder, type Query, sql } from 'drizzle-orm'
import { BetterSQLiteSession } from 'drizzle-orm/better-sqlite3/session'
import { BaseSQLiteDatabase, SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import { events, instances, permissions, providerSessions, runs, sessions } from './schema.ts'

const p = sql.placeholder

// Literal, not bound: SQLite uses a partial index only for the very condition that it was made with.
const isRunning = sql`${runs.status} = 'running'`
const isQueued = sql`${runs.status} = 'queued'`
const isOpen = sql`${sessions.status} = 'open'`
const isAnswered = sql`${permissions.status} = 'answered'`
const isUnsettled = sql`${permissions.outcomeSeq} IS NULL`
const ownerFits = sql`(${p('owner')} IS NULL OR ${sessions.owner} = ${p('owner')})`

// With its table's name, which drizzle leaves out where a statement has one table: in a subquery it would be another's.
const sessionKey = sql`${sessions}."key"`

// The newest event of a session is never deleted without the session, so the index knows the seq: storing it beside would
// be one more page to write for each run and commit.
const lastSeq = sql<number>`coalesce((SELECT max(e.seq) FROM ${events} AS e WHERE e.session_key = ${sessionKey}), 0)`
const queue = sql<string>`(SELECT json_group_array(q.id) FROM (SELECT r.id FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status = 'queued' ORDER BY r.position) AS q)`
const isNext = sql`${runs.position} = (SELECT min(r.position) FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status = 'queued')`
const isBusy = sql`EXISTS (SELECT 1 FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status IN ('running', 'queued'))`

// Null if there are none, as mostly: then nothing of it is parsed. The events' own texts, which SQLite need not read as JSON.
const pendingPermissions = sql<string | null>`(SELECT '[' || group_concat(a.json) || ']' FROM (SELECT e.json FROM ${permissions} AS a INNER JOIN ${events} AS e ON e.session_key = a.session_key AND e.seq = a.seq WHERE a.session_key = ${sessionKey} AND a.outcome_seq IS NULL ORDER BY a.seq) AS a)`

/** A row of a log as SQLite gives it. */
export type LogRow = [seq: number, kind: string, transient: 0 | 1, json: string, runId: string]
const logColumns = { seq: events.seq, kind: events.kind, transient: events.transient, json: events.json, runId: runs.id }

export type Queries = ReturnType<typeof prepareQueries>
export type SessionRow = NonNullable<ReturnType<Queries['session']['get']>>
export type RunRow = NonNullable<ReturnType<Queries['run']['get']>>

/** All statements on one connection. */
export function prepareQueries (connection: Database) {
  // As `drizzle(connection)` does it, whose module loads the driver.
  const dialect = new SQLiteSyncDialect()
  const db = new BaseSQLiteDatabase('sync', dialect, new BetterSQLiteSession(connection, dialect, undefined), undefined)

  const selectSessions = () => db.select({
    ...getTableColumns(sessions), lastSeq: lastSeq.as('last_seq'), queue: queue.as('queue'), pendingPermissions: pendingPermissions.as('pending_permissions'), runId: runs.id, runCursor: runs.cursor
  }).from(sessions)
    .leftJoin(runs, and(eq(runs.sessionKey, sessions.key), isRunning))
  const selectRuns = () => db.select({ ...getTableColumns(runs), sessionId: sessions.id, owner: sessions.owner, lastSeq: lastSeq.as('last_seq') }).from(runs)
    .innerJoin(sessions, eq(runs.sessionKey, sessions.key))
  const selectLog = () => db.select(logColumns).from(events).innerJoin(runs, eq(events.runKey, runs.key))

  // Rows are taken one by one, so that a page can stop at its byte limit; the caller exhausts or leaves the iterator
  // before anything else happens on the connection.
  const iterate = <Row>(query: { toSQL: () => Query }) => {
    const { sql: text, params } = query.toSQL()
    const statement = connection.prepare<unknown[], Row>(text).raw()
    return (values: Record<string, unknown>): IterableIterator<Row> => statement.iterate(...fillPlaceholders(params, values))
  }

  // For what is done for each event: drizzle would look for the placeholders anew each time.
  const compile = (query: { toSQL: () => Query }) => {
    const { sql: text, params } = query.toSQL()
    const statement = connection.prepare(text)
    const names = params.map((param) => ((param instanceof Param ? param.value : param) as Placeholder).name)
    return (values: Record<string, unknown>): number => statement.run(...names.map((name) => values[name])).changes
  }

  return {
    session: selectSessions().where(eq(sessions.id, p('id'))).prepare(),
    sessionHead: db.select({ status: sessions.status, lastSeq }).from(sessions).where(eq(sessions.id, p('id'))).prepare(),
    sessionPage: selectSessions()
      .where(and(isOpen, ownerFits, sql`(${p('before')} IS NULL OR ${sessions.key} < (SELECT s.key FROM ${sessions} AS s WHERE s.id = ${p('before')} AND (${p('owner')} IS NULL OR s.owner = ${p('owner')})))`))
      .orderBy(desc(sessions.key)).limit(p('limit')).prepare(),
    idleSessions: db.select({ id: sessions.id }).from(sessions)
      .where(and(lte(sessions.updatedAt, p('since')), isOpen, sql`NOT ${isBusy}`)).orderBy(asc(sessions.updatedAt)).limit(p('limit')).prepare(),
    insertSession: db.insert(sessions).values({
      id: p('id'), owner: p('owner'), provider: p('provider'), title: p('title'), metadata: p('metadata'), createdAt: p('now'), updatedAt: p('now')
    }).onConflictDoNothing().prepare(),
    updateSession: db.update(sessions)
      .set({ title: sql`${p('title')}`, metadata: sql`${p('metadata')}`, updatedAt: sql`${p('now')}` }).where(eq(sessions.key, p('sessionKey'))).prepare(),
    touchSession: db.update(sessions).set({ updatedAt: sql`${p('now')}` }).where(eq(sessions.key, p('sessionKey'))).prepare(),
    setSessionStatus: db.update(sessions).set({ status: sql`${p('status')}` }).where(eq(sessions.key, p('sessionKey'))).prepare(),
    deletingSessions: db.select({ key: sessions.key }).from(sessions).where(sql`${sessions.status} = 'deleting'`).prepare(),

    run: selectRuns().where(eq(runs.id, p('id'))).prepare(),
    runsOfSession: selectRuns().where(and(eq(sessions.id, p('sessionId')), ownerFits)).orderBy(desc(runs.key)).limit(p('limit')).prepare(),
    runningRuns: selectRuns().where(and(isRunning, ownerFits)).orderBy(asc(runs.key)).prepare(),
    ownRuns: db.select({ runId: runs.id, sessionId: sessions.id }).from(runs).innerJoin(sessions, eq(runs.sessionKey, sessions.key))
      .where(and(isRunning, eq(runs.instanceId, p('instanceId')))).prepare(),
    runningElsewhere: db.select({ runId: runs.id, sessionId: sessions.id, instanceId: runs.instanceId, counter: instances.counter }).from(runs)
      .innerJoin(sessions, eq(runs.sessionKey, sessions.key)).leftJoin(instances, eq(instances.id, runs.instanceId))
      .where(and(isRunning, ne(runs.instanceId, p('instanceId')))).orderBy(asc(runs.key)).prepare(),
    runByKey: selectRuns().where(and(eq(runs.sessionKey, p('sessionKey')), eq(runs.idempotencyKey, p('idempotencyKey')))).prepare(),
    runningRun: selectRuns().where(and(eq(runs.sessionKey, p('sessionKey')), isRunning)).prepare(),
    nextQueued: selectRuns().where(and(eq(runs.sessionKey, p('sessionKey')), isQueued)).orderBy(asc(runs.position)).limit(1).prepare(),
    queueOf: db.select({ length: sql<number>`count(*)`, first: sql<number | null>`min(${runs.position})`, last: sql<number | null>`max(${runs.position})` }).from(runs)
      .where(and(eq(runs.sessionKey, p('sessionKey')), isQueued)).prepare(),
    // Of the runs that are first in their session while its slot is free, the one that was accepted first.
    waitingSession: db.select({ sessionId: sessions.id }).from(runs).innerJoin(sessions, eq(runs.sessionKey, sessions.key))
      .where(and(isQueued, isNext, sql`NOT EXISTS (SELECT 1 FROM ${runs} AS r WHERE r.session_key = ${sessionKey} AND r.status = 'running')`)).orderBy(asc(runs.key)).limit(1).prepare(),
    insertRun: db.insert(runs).values({
      id: p('id'),
      sessionKey: p('sessionKey'),
      provider: p('provider'),
      status: 'queued',
      cursor: p('cursor'),
      position: p('position'),
      message: p('message'),
      options: p('options'),
      idempotencyKey: p('idempotencyKey'),
      requestHash: p('requestHash'),
      createdAt: p('now')
    }).prepare(),
    // What the client was told stays beside what came of it.
    beginRun: db.update(runs).set({
      status: 'running',
      instanceId: sql`${p('instanceId')}`,
      acceptedCursor: sql`nullif(${runs.cursor}, ${p('cursor')})`,
      cursor: sql`${p('cursor')}`,
      startedAt: sql`${p('now')}`,
      message: null
    }).where(eq(runs.key, p('runKey'))).prepare(),
    cancelRun: db.update(runs).set({ aborted: true }).where(and(eq(runs.id, p('id')), isQueued)).prepare(),
    completeRun: db.update(runs).set({
      status: 'completed', completeSeq: sql`${p('completeSeq')}`, completedAt: sql`${p('now')}`, exitCode: sql`${p('exitCode')}`, aborted: sql`${p('aborted')}`, reason: sql`${p('reason')}`
    }).where(eq(runs.key, p('runKey'))).prepare(),
    deleteRuns: db.delete(runs).where(eq(runs.sessionKey, p('sessionKey'))).prepare(),

    compactableRuns: db.select({ id: runs.id }).from(runs)
      .where(and(sql`${runs.compacted} = 0 AND ${runs.status} = 'completed'`, lte(runs.completedAt, p('before')))).orderBy(asc(runs.completedAt)).limit(p('limit')).prepare(),
    setCompacted: db.update(runs).set({ compacted: true }).where(eq(runs.key, p('runKey'))).prepare(),
    setCompactedThrough: db.update(sessions)
      .set({ compactedThrough: sql`max(${sessions.compactedThrough}, ${p('through')})` }).where(eq(sessions.key, p('sessionKey'))).prepare(),

    deleteEvent: db.delete(events).where(and(eq(events.sessionKey, p('sessionKey')), eq(events.seq, p('seq')))).prepare(),
    deleteEvents: db.delete(events)
      .where(sql`${events}."key" IN (SELECT e.key FROM ${events} AS e WHERE e.session_key = ${p('sessionKey')} LIMIT ${p('limit')})`).prepare(),
    rewriteEvent: db.update(events).set({ json: sql`${p('json')}` }).where(and(eq(events.sessionKey, p('sessionKey')), eq(events.seq, p('seq')))).prepare(),
    insertEvent: compile(db.insert(events).values({
      sessionKey: p('sessionKey'), seq: p('seq'), runKey: p('runKey'), kind: p('kind'), transient: p('transient'), json: p('json')
    })),
    // The first event of an append is its fence: the run is ours and running, and the event follows the newest.
    insertFirst: compile(db.insert(events).select(sql`
      SELECT NULL, ${p('sessionKey')}, ${p('seq')}, ${p('runKey')}, ${p('kind')}, ${p('transient')}, ${p('json')} FROM ${runs}
      WHERE ${runs}."key" = ${p('runKey')} AND ${runs}."status" = 'running' AND ${runs}."instance_id" = ${p('instanceId')}
      AND (SELECT max(e.seq) FROM ${events} AS e WHERE e.session_key = ${p('sessionKey')}) = ${p('seq')} - 1`)),
    event: selectLog().where(and(eq(events.sessionKey, p('sessionKey')), eq(events.seq, p('seq')))).prepare(),
    eventsAfter: iterate<LogRow>(selectLog().where(and(eq(events.sessionKey, p('sessionKey')), gt(events.seq, p('after')))).orderBy(asc(events.seq)).limit(p('limit'))),
    durableThrough: iterate<LogRow>(selectLog()
      .where(and(eq(events.sessionKey, p('sessionKey')), lte(events.seq, p('through')), eq(events.transient, false))).orderBy(desc(events.seq)).limit(p('limit'))),
    messagesAfter: iterate<LogRow>(selectLog()
      .where(and(eq(events.sessionKey, p('sessionKey')), gt(events.seq, p('after')), inArray(events.kind, ['text', 'stream_delta', 'thinking', 'thinking_delta']))).orderBy(asc(events.seq))),

    insertPermission: db.insert(permissions).values({ id: p('id'), sessionKey: p('sessionKey'), runKey: p('runKey'), seq: p('seq'), status: 'pending' }).onConflictDoNothing().prepare(),
    permission: db.select({ status: permissions.status, seq: permissions.seq, outcomeSeq: permissions.outcomeSeq }).from(permissions)
      .where(and(eq(permissions.id, p('id')), eq(permissions.sessionKey, p('sessionKey')))).prepare(),
    unsettledPermissions: db.select({ id: permissions.id }).from(permissions)
      .where(and(eq(permissions.sessionKey, p('sessionKey')), eq(permissions.runKey, p('runKey')), isUnsettled)).orderBy(asc(permissions.seq)).prepare(),
    answerPermission: db.update(permissions).set({ status: 'answered', decision: sql`${p('decision')}` })
      .where(and(eq(permissions.id, p('id')), eq(permissions.sessionKey, p('sessionKey')), eq(permissions.status, 'pending'))).prepare(),
    settlePermission: db.update(permissions).set({ status: sql`${p('status')}`, outcomeSeq: sql`${p('outcomeSeq')}` })
      .where(and(eq(permissions.id, p('id')), eq(permissions.sessionKey, p('sessionKey')), isUnsettled)).prepare(),
    ownAnswers: db.select({ runId: runs.id, requestId: permissions.id, decision: permissions.decision }).from(permissions).innerJoin(runs, eq(runs.key, permissions.runKey))
      .where(and(isAnswered, isRunning, eq(runs.instanceId, p('instanceId')))).orderBy(asc(permissions.key)).prepare(),
    deletePermissions: db.delete(permissions).where(sql`${permissions.runKey} IN (SELECT r.key FROM ${runs} AS r WHERE r.session_key = ${p('sessionKey')})`).prepare(),

    renewLease: db.insert(instances).values({ id: p('instanceId'), counter: 1 }).onConflictDoUpdate({ target: instances.id, set: { counter: sql`${instances.counter} + 1` } }).prepare(),
    deleteInstance: db.delete(instances).where(eq(instances.id, p('instanceId'))).prepare(),
    deleteIdleInstances: db.delete(instances).where(sql`NOT EXISTS (SELECT 1 FROM ${runs} AS r WHERE r.status = 'running' AND r.instance_id = ${instances}."id")`).prepare(),

    providerSessionIds: db.select({ provider: providerSessions.provider, id: providerSessions.providerSessionId }).from(providerSessions)
      .where(eq(providerSessions.sessionKey, p('sessionKey'))).orderBy(asc(providerSessions.key)).prepare(),
    deleteProviderSession: db.delete(providerSessions).where(and(
      eq(providerSessions.sessionKey, p('sessionKey')), eq(providerSessions.provider, p('provider')), eq(providerSessions.providerSessionId, p('providerSessionId'))
    )).prepare(),
    deleteProviderSessions: db.delete(providerSessions).where(eq(providerSessions.sessionKey, p('sessionKey'))).prepare(),
    insertProviderSession: db.insert(providerSessions)
      .values({ sessionKey: p('sessionKey'), provider: p('provider'), providerSessionId: p('providerSessionId') }).prepare()
  }
}

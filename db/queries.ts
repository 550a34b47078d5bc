/* The statements, each prepared once: building them per call measured 4 to 10 times slower on the hot path. */
import type { Database } from 'better-sqlite3'
import { and, asc, desc, eq, fillPlaceholders, getTableColumns, gt, inArray, lte, ne, type Query, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { events, providerSessions, runs, sessions } from './schema.ts'

const p = sql.placeholder

// Literal, not bound: SQLite uses a partial index only for the very condition that it was made with.
const isRunning = sql`${runs.status} = 'running'`
const ownerFits = sql`(${p('owner')} IS NULL OR ${sessions.owner} = ${p('owner')})`

/** A row of a log as SQLite gives it. */
export type LogRow = [seq: number, kind: string, transient: 0 | 1, json: string, runId: string]
const logColumns = { seq: events.seq, kind: events.kind, transient: events.transient, json: events.json, runId: runs.id }

export type Queries = ReturnType<typeof prepareQueries>
export type SessionRow = NonNullable<ReturnType<Queries['session']['get']>>
export type RunRow = NonNullable<ReturnType<Queries['run']['get']>>

/** All statements on one connection. */
export function prepareQueries (connection: Database) {
  const db = drizzle(connection)

  const selectSessions = () => db.select({ ...getTableColumns(sessions), runId: runs.id, runCursor: runs.cursor }).from(sessions)
    .leftJoin(runs, and(eq(runs.sessionKey, sessions.key), isRunning))
  const selectRuns = () => db.select({ ...getTableColumns(runs), sessionId: sessions.id, owner: sessions.owner, lastSeq: sessions.lastSeq }).from(runs)
    .innerJoin(sessions, eq(runs.sessionKey, sessions.key))
  const selectLog = () => db.select(logColumns).from(events).innerJoin(runs, eq(events.runKey, runs.key))

  // Rows are taken one by one, so that a page can stop at its byte limit; the caller exhausts or leaves the iterator
  // before anything else happens on the connection.
  const iterate = <Row>(query: { toSQL: () => Query }) => {
    const { sql: text, params } = query.toSQL()
    const statement = connection.prepare<unknown[], Row>(text).raw()
    return (values: Record<string, unknown>): IterableIterator<Row> => statement.iterate(...fillPlaceholders(params, values))
  }

  return {
    session: selectSessions().where(eq(sessions.id, p('id'))).prepare(),
    lastSeq: db.select({ lastSeq: sessions.lastSeq }).from(sessions).where(eq(sessions.id, p('id'))).prepare(),
    sessionPage: selectSessions()
      .where(and(ownerFits, sql`(${p('before')} IS NULL OR ${sessions.key} < (SELECT s.key FROM ${sessions} AS s WHERE s.id = ${p('before')}))`))
      .orderBy(desc(sessions.key)).limit(p('limit')).prepare(),
    insertSession: db.insert(sessions).values({
      id: p('id'), owner: p('owner'), provider: p('provider'), title: p('title'), metadata: p('metadata'), createdAt: p('now'), updatedAt: p('now')
    }).onConflictDoNothing().prepare(),
    updateSession: db.update(sessions)
      .set({ title: sql`${p('title')}`, metadata: sql`${p('metadata')}`, updatedAt: sql`${p('now')}` }).where(eq(sessions.key, p('key'))).prepare(),
    setLastSeq: db.update(sessions)
      .set({ lastSeq: sql`${p('lastSeq')}`, updatedAt: sql`${p('now')}` }).where(eq(sessions.key, p('sessionKey'))).prepare(),
    // The fence of an append: the run is ours and running, and its events follow the newest.
    claimSeqs: db.update(sessions).set({ lastSeq: sql`${p('lastSeq')}` }).where(and(
      eq(sessions.key, p('sessionKey')), eq(sessions.lastSeq, p('previousSeq')),
      sql`EXISTS (SELECT 1 FROM ${runs} WHERE ${runs.key} = ${p('runKey')} AND ${isRunning} AND ${runs.instanceId} = ${p('instanceId')})`
    )).prepare(),

    run: selectRuns().where(eq(runs.id, p('id'))).prepare(),
    runsOfSession: selectRuns().where(and(eq(sessions.id, p('sessionId')), ownerFits)).orderBy(desc(runs.key)).limit(p('limit')).prepare(),
    runningRuns: selectRuns().where(and(isRunning, ownerFits)).orderBy(asc(runs.key)).prepare(),
    runningElsewhere: selectRuns().where(and(isRunning, ne(runs.instanceId, p('instanceId')))).orderBy(asc(runs.key)).prepare(),
    insertRun: db.insert(runs).values({
      id: p('id'), sessionKey: p('sessionKey'), provider: p('provider'), status: 'running', instanceId: p('instanceId'), cursor: p('cursor'), startedAt: p('now')
    }).prepare(),
    completeRun: db.update(runs).set({
      status: 'completed', completeSeq: sql`${p('completeSeq')}`, completedAt: sql`${p('now')}`, exitCode: sql`${p('exitCode')}`, aborted: sql`${p('aborted')}`, reason: sql`${p('reason')}`
    }).where(eq(runs.key, p('runKey'))).prepare(),

    compactableRuns: db.select({ id: runs.id }).from(runs)
      .where(and(sql`${runs.compacted} = 0 AND ${runs.status} = 'completed'`, lte(runs.completedAt, p('before')))).orderBy(asc(runs.completedAt)).limit(p('limit')).prepare(),
    setCompacted: db.update(runs).set({ compacted: true }).where(eq(runs.key, p('runKey'))).prepare(),
    setCompactedThrough: db.update(sessions)
      .set({ compactedThrough: sql`max(${sessions.compactedThrough}, ${p('through')})` }).where(eq(sessions.key, p('sessionKey'))).prepare(),

    deleteEvent: db.delete(events).where(and(eq(events.sessionKey, p('sessionKey')), eq(events.seq, p('seq')))).prepare(),
    rewriteEvent: db.update(events).set({ json: sql`${p('json')}` }).where(and(eq(events.sessionKey, p('sessionKey')), eq(events.seq, p('seq')))).prepare(),
    insertEvent: db.insert(events).values({
      sessionKey: p('sessionKey'), seq: p('seq'), runKey: p('runKey'), kind: p('kind'), transient: p('transient'), json: p('json')
    }).prepare(),
    event: selectLog().where(and(eq(events.sessionKey, p('sessionKey')), eq(events.seq, p('seq')))).prepare(),
    eventsAfter: iterate<LogRow>(selectLog().where(and(eq(events.sessionKey, p('sessionKey')), gt(events.seq, p('after')))).orderBy(asc(events.seq)).limit(p('limit'))),
    durableThrough: iterate<LogRow>(selectLog()
      .where(and(eq(events.sessionKey, p('sessionKey')), lte(events.seq, p('through')), eq(events.transient, false))).orderBy(desc(events.seq)).limit(p('limit'))),
    messagesAfter: iterate<LogRow>(selectLog()
      .where(and(eq(events.sessionKey, p('sessionKey')), gt(events.seq, p('after')), inArray(events.kind, ['text', 'stream_delta', 'thinking', 'thinking_delta']))).orderBy(asc(events.seq))),

    providerSessionIds: db.select({ provider: providerSessions.provider, id: providerSessions.providerSessionId }).from(providerSessions)
      .where(eq(providerSessions.sessionKey, p('sessionKey'))).orderBy(asc(providerSessions.key)).prepare(),
    deleteProviderSession: db.delete(providerSessions).where(and(
      eq(providerSessions.sessionKey, p('sessionKey')), eq(providerSessions.provider, p('provider')), eq(providerSessions.providerSessionId, p('providerSessionId'))
    )).prepare(),
    insertProviderSession: db.insert(providerSessions)
      .values({ sessionKey: p('sessionKey'), provider: p('provider'), providerSessionId: p('providerSessionId') }).prepare()
  }
}

/* The tables. Keys are integers inside; the ids that the app and clients know are unique text beside them. */
import { index, integer, sql, sqliteTable, text, uniqueIndex } from './drizzle.ts'

export const sessions = sqliteTable('agent_runs_sessions', {
  key: integer().primaryKey({ autoIncrement: true }),
  id: text().notNull().unique(),
  owner: text().notNull(),
  provider: text(),
  title: text(),
  metadata: text().notNull(),
  /** The row of a deleted session stays: its id is never used again. */
  status: text({ enum: ['open', 'deleting', 'deleted'] }).notNull().default('open'),
  compactedThrough: integer('compacted_through').notNull().default(0),
  /** Higher than any other's once something of the session has changed that no event tells; 0 before. */
  revision: integer().notNull().default(0),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull()
}, (table) => [
  index('agent_runs_sessions_revision').on(table.revision),
  index('agent_runs_sessions_deleting').on(table.key).where(sql`${table.status} = 'deleting'`),
  // Tombstones stand outside every index that is walked: there may be a million of them.
  index('agent_runs_sessions_open').on(table.key).where(sql`${table.status} = 'open'`),
  index('agent_runs_sessions_owned').on(table.owner, table.key).where(sql`${table.status} = 'open'`),
  index('agent_runs_sessions_touched').on(table.updatedAt).where(sql`${table.status} = 'open'`)
])

export const runs = sqliteTable('agent_runs_runs', {
  key: integer().primaryKey({ autoIncrement: true }),
  id: text().notNull().unique(),
  sessionKey: integer('session_key').notNull().references(() => sessions.key),
  provider: text().notNull(),
  status: text({ enum: ['queued', 'running', 'completed'] }).notNull(),
  /** The instance that drives the run, or drove it to its end; null while it waits, and once it was ended from outside. */
  instanceId: text('instance_id'),
  /** The seq before the run's first event; while it waits, the newest when it was accepted. */
  cursor: integer().notNull(),
  /** What the answer to its message said, if that was not `cursor`. */
  acceptedCursor: integer('accepted_cursor'),
  completeSeq: integer('complete_seq'),
  /** The place in the session's queue, lowest first. */
  position: integer(),
  /** The fields of its first event, until that is in the log. */
  message: text(),
  /** What is shown of it while it waits, as JSON; null of one that was stopped. */
  waiting: text(),
  /** What the client wants of the provider. */
  options: text(),
  createdAt: integer('created_at').notNull(),
  startedAt: integer('started_at'),
  completedAt: integer('completed_at'),
  exitCode: integer('exit_code'),
  aborted: integer({ mode: 'boolean' }),
  reason: text({ enum: ['finished', 'failed', 'aborted', 'interrupted', 'timeout'] }),
  /** Whether its transient events were deleted after its end. */
  compacted: integer({ mode: 'boolean' }).notNull().default(false)
}, (table) => [
  index('agent_runs_runs_compactable').on(table.completedAt).where(sql`${table.compacted} = 0 AND ${table.status} = 'completed'`),
  index('agent_runs_runs_session').on(table.sessionKey, table.key),
  uniqueIndex('agent_runs_runs_queue').on(table.sessionKey, table.position).where(sql`${table.status} = 'queued'`),
  // One running run per session: the database itself refuses a second one.
  uniqueIndex('agent_runs_runs_running').on(table.sessionKey).where(sql`${table.status} = 'running'`)
])

/** The clients' names for messages: what was sent under one, and what was stopped by one. By the session's id, which need not exist yet. */
export const messageKeys = sqliteTable('agent_runs_message_keys', {
  key: integer().primaryKey(),
  sessionId: text('session_id').notNull(),
  owner: text().notNull(),
  name: text().notNull(),
  /** The run that the message became; null before it came. */
  runKey: integer('run_key'),
  requestHash: text('request_hash'),
  /** When the message was stopped before it came, in ms since 1970. */
  stoppedAt: integer('stopped_at')
}, (table) => [
  uniqueIndex('agent_runs_message_keys_name').on(table.sessionId, table.owner, table.name),
  index('agent_runs_message_keys_stopped').on(table.stoppedAt, table.owner).where(sql`${table.stoppedAt} IS NOT NULL AND ${table.runKey} IS NULL`)
])

/**
 * The log, in rows of one or several events (event-rows.ts). A rowid table on purpose: clustered by (session, seq), interleaved
 * runs append 2 to 5 times slower. Without foreign keys for the same reason; only transactions that hold both parents write here.
 */
export const events = sqliteTable('agent_runs_events', {
  key: integer().primaryKey(),
  sessionKey: integer('session_key').notNull(),
  /** Of the row's last event. */
  seq: integer().notNull(),
  runKey: integer('run_key').notNull(),
  /** Of an event as it is; '' of lines. */
  kind: text().notNull(),
  transient: integer({ mode: 'boolean' }).notNull(),
  /** The exact text that goes out, or lines, each of which is that of one event without what all events of its run begin with. */
  json: text().notNull()
}, (table) => [
  uniqueIndex('agent_runs_events_seq').on(table.sessionKey, table.seq)
])

/** The newest events of running runs, in lines like those of the log; without an index, see tail.ts. Keys are never given again. */
export const tail = sqliteTable('agent_runs_tail', {
  key: integer().primaryKey({ autoIncrement: true }),
  sessionKey: integer('session_key').notNull(),
  seq: integer().notNull(),
  runKey: integer('run_key').notNull(),
  transient: integer({ mode: 'boolean' }).notNull(),
  json: text().notNull()
})

/**
 * Approvals: what the log says of each, so that nobody has to search it, and the decision, which is not in the log. Without
 * a foreign key to runs: deleting a run would look through the whole table for it.
 */
export const permissions = sqliteTable('agent_runs_permissions', {
  key: integer().primaryKey(),
  id: text().notNull().unique(),
  sessionKey: integer('session_key').notNull().references(() => sessions.key),
  runKey: integer('run_key').notNull(),
  /** Of the `permission_request`. */
  seq: integer().notNull(),
  status: text({ enum: ['pending', 'answered', 'resolved', 'cancelled'] }).notNull(),
  /** As JSON; null until it is answered. */
  decision: text(),
  /** Of the `permission_resolved` or `permission_cancelled`; null before. */
  outcomeSeq: integer('outcome_seq')
}, (table) => [
  // What is looked for often is mostly not there: then both of these are empty.
  index('agent_runs_permissions_answered').on(table.key).where(sql`${table.status} = 'answered'`),
  index('agent_runs_permissions_open').on(table.sessionKey, table.seq).where(sql`${table.outcomeSeq} IS NULL`),
  // For deletion; by run, as SQLite would prefer an index of all those of a session to the one of the open ones.
  index('agent_runs_permissions_run').on(table.runKey)
])

/** Every native id that a session ever had; the newest of a provider is the one to resume. */
export const providerSessions = sqliteTable('agent_runs_provider_sessions', {
  key: integer().primaryKey({ autoIncrement: true }),
  sessionKey: integer('session_key').notNull().references(() => sessions.key),
  provider: text().notNull(),
  providerSessionId: text('provider_session_id').notNull()
}, (table) => [
  uniqueIndex('agent_runs_provider_sessions_id').on(table.sessionKey, table.provider, table.providerSessionId),
  index('agent_runs_provider_sessions_native').on(table.providerSessionId, table.provider)
])

/** Who drives runs: the counter moves while the instance lives. */
export const instances = sqliteTable('agent_runs_instances', {
  id: text().primaryKey(),
  counter: integer().notNull()
})

/* The tables. Keys are integers inside; the ids that the app and clients know are unique text beside them. */
import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const sessions = sqliteTable('agent_runs_sessions', {
  key: integer().primaryKey({ autoIncrement: true }),
  id: text().notNull().unique(),
  owner: text().notNull(),
  provider: text(),
  title: text(),
  metadata: text().notNull(),
  lastSeq: integer('last_seq').notNull().default(0),
  compactedThrough: integer('compacted_through').notNull().default(0),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull()
}, (table) => [
  index('agent_runs_sessions_owner').on(table.owner, table.key)
])

export const runs = sqliteTable('agent_runs_runs', {
  key: integer().primaryKey({ autoIncrement: true }),
  id: text().notNull().unique(),
  sessionKey: integer('session_key').notNull().references(() => sessions.key),
  provider: text().notNull(),
  status: text({ enum: ['running', 'completed'] }).notNull(),
  /** The instance that drives the run. */
  instanceId: text('instance_id').notNull(),
  /** The seq before the run's first event. */
  cursor: integer().notNull(),
  completeSeq: integer('complete_seq'),
  startedAt: integer('started_at').notNull(),
  completedAt: integer('completed_at'),
  exitCode: integer('exit_code'),
  aborted: integer({ mode: 'boolean' }),
  reason: text({ enum: ['finished', 'failed', 'aborted', 'interrupted', 'timeout'] }),
  /** Whether its transient events were deleted after its end. */
  compacted: integer({ mode: 'boolean' }).notNull().default(false)
}, (table) => [
  index('agent_runs_runs_compactable').on(table.completedAt).where(sql`${table.compacted} = 0 AND ${table.status} = 'completed'`),
  index('agent_runs_runs_session').on(table.sessionKey, table.key),
  // One running run per session: the database refuses the second, whoever asks.
  uniqueIndex('agent_runs_runs_running').on(table.sessionKey).where(sql`${table.status} = 'running'`)
])

/**
 * A rowid table on purpose: clustered by (session, seq), interleaved runs append 2 to 5 times slower. Without foreign
 * keys for the same reason; only transactions that hold both parents write here.
 */
export const events = sqliteTable('agent_runs_events', {
  key: integer().primaryKey(),
  sessionKey: integer('session_key').notNull(),
  seq: integer().notNull(),
  runKey: integer('run_key').notNull(),
  kind: text().notNull(),
  transient: integer({ mode: 'boolean' }).notNull(),
  /** The exact text that goes out. */
  json: text().notNull()
}, (table) => [
  uniqueIndex('agent_runs_events_seq').on(table.sessionKey, table.seq)
])

/** Every native id that a session ever had; the newest of a provider is the one to resume. */
export const providerSessions = sqliteTable('agent_runs_provider_sessions', {
  key: integer().primaryKey({ autoIncrement: true }),
  sessionKey: integer('session_key').notNull().references(() => sessions.key),
  provider: text().notNull(),
  providerSessionId: text('provider_session_id').notNull()
}, (table) => [
  uniqueIndex('agent_runs_provider_sessions_id').on(table.sessionKey, table.provider, table.providerSessionId)
])

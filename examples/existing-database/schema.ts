/* The app's own tables. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const projects = sqliteTable('projects', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  /** The session of the agent that works on it. */
  sessionId: text('session_id').notNull().unique()
})

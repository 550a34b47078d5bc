/*
 * Drizzle as CommonJS. Node looks into its package.json (447 entry points) anew for each of its ES modules: they take 0.7 s to
 * load on Node 24 and 26, these 0.1 s.
 */
import { createRequire } from 'node:module'
import type * as Orm from 'drizzle-orm'
import type * as Session from 'drizzle-orm/better-sqlite3/session'
import type * as Core from 'drizzle-orm/sqlite-core'

const require = createRequire(import.meta.url)

export const { and, asc, desc, eq, fillPlaceholders, getTableColumns, gt, lte, ne, sql } = require('drizzle-orm') as typeof Orm
export const { BetterSQLiteSession } = require('drizzle-orm/better-sqlite3/session') as typeof Session
export const { BaseSQLiteDatabase, index, integer, sqliteTable, SQLiteSyncDialect, text, uniqueIndex } = require('drizzle-orm/sqlite-core') as typeof Core

import { defineConfig } from 'drizzle-kit'

// `npm run db:generate` writes the next migration from db/sqlite/schema.ts; db/sqlite/migrate.ts applies it.
export default defineConfig({
  dialect: 'sqlite',
  schema: './db/sqlite/schema.ts',
  out: './db/sqlite/migrations'
})

/* An app that has a database already: the log goes into it, beside the app's own tables. */
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import Fastify from 'fastify'
import agentRuns from 'fastify-agent-runs'
import { echo } from 'fastify-agent-runs/providers/echo'
import { sqliteStore } from 'fastify-agent-runs/sqlite'
import { projects } from './schema.ts'

// Waiting for the database blocks the event loop, and with it every stream: not for long, then.
const database = new Database(process.env['DATABASE'] ?? 'app.db', { timeout: 100 })
database.pragma('journal_mode = WAL')
const db = drizzle(database)
migrate(db, { migrationsFolder: fileURLToPath(new URL('migrations', import.meta.url)) })

const app = Fastify({ logger: true, forceCloseConnections: true, return503OnClosing: false })

// The store and the database are ours to close, once the runs have ended.
const store = sqliteStore({ database })
app.addHook('onClose', async () => {
  await store.close()
  database.close()
})
await app.register(agentRuns, { providers: { echo: echo() }, store })

const NEW_PROJECT = { type: 'object', required: ['name'], properties: { name: { type: 'string', minLength: 1 } } }
const PROJECT_ID = { type: 'object', properties: { id: { type: 'integer' } } }

app.post<{ Body: { name: string } }>('/projects', { schema: { body: NEW_PROJECT } }, async ({ body: { name } }, reply) => {
  const session = await app.agentRuns.createSession({ title: name })
  return reply.code(201).send(db.insert(projects).values({ name, sessionId: session.id }).returning().get())
})

app.get<{ Params: { id: number } }>('/projects/:id/transcript', { schema: { params: PROJECT_ID } }, async ({ params: { id } }, reply) => {
  const project = db.select().from(projects).where(eq(projects.id, id)).get()
  if (project === undefined) return reply.code(404).send({ message: 'There is no such project.' })
  const { events, isProcessing } = await app.agentRuns.history(project.sessionId)
  const said = events.flatMap((event) => event.kind === 'text' ? [{ role: event.role, content: event.content }] : [])
  return { project: project.name, isProcessing, said }
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void app.close() })
await app.listen({ port: Number(process.env['PORT'] ?? 3000) })

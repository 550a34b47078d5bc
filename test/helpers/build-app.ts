/* An app with the plugin on a store of its own, closed with the test. */
import { join } from 'node:path'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import { tempDir } from './temp-dir.ts'

export async function buildApp (t: Test, options: AgentRunsOptions, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  // A connection on which a client never asked anything would hold up the end of the test.
  const app = Fastify({ forceCloseConnections: true, ...server })
  t.teardown(() => app.close())
  await app.register(agentRuns, { store: join(tempDir(t), 'runs.db'), closeGraceMs: 0, ...options })
  await app.ready()
  return app
}

/** The same, listening; answers its base URL. */
export async function serveApp (t: Test, options: AgentRunsOptions, server: FastifyServerOptions = {}): Promise<{ app: FastifyInstance, url: string }> {
  const app = await buildApp(t, options, server)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, url }
}

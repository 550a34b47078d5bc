/* All that it takes: one agent, one Fastify, one line between them. */
import Fastify from 'fastify'
import agentRuns from 'fastify-agent-runs'
import { echo } from 'fastify-agent-runs/providers/echo'

// An EventSource that reconnects while the server closes would take Fastify's 503 for final.
const app = Fastify({ logger: true, forceCloseConnections: true, return503OnClosing: false })

await app.register(agentRuns, { providers: { echo: echo() } })
await app.listen({ port: Number(process.env['PORT'] ?? 3000) })

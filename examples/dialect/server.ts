/* A dialect of one's own: each message of the agent in a line, for clients that know no more. */
import Fastify from 'fastify'
import agentRuns from 'fastify-agent-runs'
import type { Dialect } from 'fastify-agent-runs/dialects'
import { echo } from 'fastify-agent-runs/providers/echo'
import Type from 'typebox'

const body = Type.Object({ room: Type.String(), say: Type.String() })
const frame = (line: string): string => `data: ${JSON.stringify(line)}\n\n`

const lines: Dialect<typeof body> = {
  headers: { 'x-lines': '1' },
  body,
  read: ({ room, say }) => ({ sessionId: room, message: { content: say } }),
  encoder: ({ runId }) => ({
    paused: false,
    begin: () => frame(`# ${runId}`),
    encode (event) {
      if (event.kind === 'text' && event.role === 'assistant') return frame(String(event.content))
      if (event.kind === 'complete') return frame(`# ${event.reason}`)
      return ''
    },
    // Nothing is asked of its clients, so there is nothing that they could have from before.
    skip: () => {},
    // Cut off they come back, by GET /lines/:id/stream.
    broken: ({ kind }) => kind === 'session_deleted' ? frame('# deleted') : ''
  }),
  messages: (events) => events.flatMap((event) => event.kind === 'text' ? [`${event.role}: ${String(event.content)}`] : [])
}

const app = Fastify({ logger: true, forceCloseConnections: true, return503OnClosing: false })

await app.register(agentRuns, { providers: { echo: echo() }, store: process.env['DATABASE'] ?? 'agent-runs.db', dialects: { lines } })
await app.listen({ port: Number(process.env['PORT'] ?? 3000) })

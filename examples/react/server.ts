/* A chat with React and `useChat`, on runs that outlive the page. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import Fastify from 'fastify'
import agentRuns from 'fastify-agent-runs'
import { echo } from 'fastify-agent-runs/providers/echo'

const STYLE = 'body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font-family: sans-serif; overflow-wrap: anywhere }'
const PAGE = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Chat</title><link rel="icon" href="data:,">
<style>${STYLE}</style><div id="root"></div><script src="/chat.js"></script>`

// Your app has its own way to build pages. This repository has the AI SDK under names with a version; yours does not.
const { outputFiles: [script] } = await build({
  entryPoints: [fileURLToPath(new URL('chat.tsx', import.meta.url))],
  alias: { ai: 'ai6', '@ai-sdk/react': 'ai-sdk-react6' },
  define: { 'process.env.NODE_ENV': '"production"' },
  jsx: 'automatic',
  bundle: true,
  write: false
})

const app = Fastify({ logger: true, forceCloseConnections: true, return503OnClosing: false })

await app.register(agentRuns, { providers: { echo: echo({ delayMs: 300 }) }, store: process.env['DATABASE'] ?? 'agent-runs.db' })
app.get('/', (_request, reply) => reply.type('text/html').send(PAGE))
app.get('/chat.js', (_request, reply) => reply.type('text/javascript').send(script!.text))

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void app.close() })
await app.listen({ port: Number(process.env['PORT'] ?? 3000) })

/* Serves a provider that streams argv[3] MB as fast as it may; GET /memory tells what it holds, without garbage. */
import Fastify from 'fastify'
import agentRuns, { type ProviderEvent } from '../../../index.ts'
import { heldMemory } from '../collect-garbage.ts'

const CHUNK = 'x'.repeat(20_000)
const megabytes = Number(process.argv[3])

async function * flood (): AsyncGenerator<ProviderEvent> {
  for (let sent = 0; sent < megabytes * 1e6; sent += CHUNK.length) yield { kind: 'text', content: CHUNK }
}

const app = Fastify()
await app.register(agentRuns, { providers: { flood: { run: flood } }, store: process.argv[2]! })
app.get('/memory', async () => heldMemory())
process.stdout.write(`listening ${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)

/* Serves the echo provider on the database argv[2]; says where. GET /memory tells what it holds, without garbage. */
import Fastify from 'fastify'
import agentRuns from '../../../index.ts'
import { echo } from '../../../providers/echo/echo.ts'
import { heldMemory } from '../collect-garbage.ts'

const app = Fastify()
process.stdout.write('opening\n')
await app.register(agentRuns, { providers: { echo: echo() }, store: process.argv[2]! })
app.get('/memory', async () => heldMemory())
process.stdout.write(`listening ${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)
process.on('SIGTERM', () => { app.close().then(() => process.exit(0), () => process.exit(1)) })

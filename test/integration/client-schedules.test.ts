import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import agentRuns from '../../index.ts'
import { chatter } from '../helpers/chatter.ts'
import { type ClientOutcome, ClientSchedule } from '../helpers/client-schedule.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** How many schedules are played of each transport, and the seed of the first. */
const SCHEDULES = Number(process.env['CLIENT_SCHEDULES'] ?? 40)
const SEED = Number(process.env['CLIENT_SEED'] ?? 1)
const AT_ONCE = 8

/** A server that forgets deltas soon, on a port and a database that outlast it. */
async function serve (store: string, port: number): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true, return503OnClosing: false })
  await app.register(agentRuns, {
    providers: { chatter }, store, closeGraceMs: 0, retention: { maxTransientEventsPerRun: 40, completedRunMs: 200 }, limits: { queuedPerSession: 20 }
  })
  await app.listen({ port, host: '127.0.0.1' })
  return app
}

/** Plays schedules, several at a time. */
async function play (t: Test, url: string, transport: 'sse' | 'websocket', seeds: number[]): Promise<ClientOutcome> {
  const total: ClientOutcome = { faults: [], events: 0, runs: 0, connections: 0, gaps: 0, harm: 0 }
  const left = [...seeds]
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const { faults, ...counts } = await new ClientSchedule(t, url, transport, seed).play()
      for (const fault of faults) t.fail(`CLIENT_SEED=${seed}: ${fault}`)
      for (const [name, count] of Object.entries(counts)) total[name as keyof typeof counts] += count
    }
  }))
  return total
}

for (const transport of ['sse', 'websocket'] as const) {
  test(`${transport}: whatever befalls its connections, a client gets every event once and in order, or is told what is gone, and each message is one run`, async (t) => {
    const app = await serve(join(tempDir(t), 'runs.db'), 0)
    t.teardown(() => app.close())
    const url = `http://127.0.0.1:${(app.server.address() as { port: number }).port}`
    const { faults, ...counts } = await play(t, url, transport, Array.from({ length: SCHEDULES }, (_, index) => SEED + index))
    t.comment(`${SCHEDULES} schedules: ${JSON.stringify(counts)}`)
    t.ok(SCHEDULES < 50 || (counts.harm > SCHEDULES && counts.gaps > 0 && counts.connections > SCHEDULES), 'there was harm, and there were gaps')
  })
}

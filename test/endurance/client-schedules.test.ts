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

/** Plays schedules, several at a time; in the middle of them the server is closed, and started anew. */
async function play (t: Test, transport: 'sse' | 'websocket', seeds: number[]): Promise<ClientOutcome> {
  const store = join(tempDir(t), 'runs.db')
  let app = await serve(store, 0)
  t.teardown(() => app.close())
  const { port } = app.server.address() as { port: number }
  const total: ClientOutcome = { faults: [], events: 0, runs: 0, connections: 0, gaps: 0, harm: 0 }
  const playing = new Set<ClientSchedule>()
  let serving = Promise.resolve()
  const restart = async (): Promise<void> => {
    // Messages would have to wait as long as a server that closes says.
    for (const { proxy } of playing) proxy.takesMessages = false
    await app.close()
    app = await serve(store, port)
    for (const { proxy } of playing) proxy.takesMessages = true
  }
  const left = [...seeds]
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      await serving
      const schedule = await ClientSchedule.open(t, `http://127.0.0.1:${port}`, transport, seed)
      playing.add(schedule)
      if (left.length === seeds.length >> 1) serving = restart()
      const { faults, ...counts } = await schedule.play()
      playing.delete(schedule)
      for (const fault of faults) t.fail(`CLIENT_SEED=${seed}: ${fault}`)
      for (const [name, count] of Object.entries(counts)) total[name as keyof typeof counts] += count
    }
  }))
  return total
}

for (const transport of ['sse', 'websocket'] as const) {
  test(`${transport}: whatever befalls its connections, a client gets every event once and in order, or is told what is gone, and each message is one run`, async (t) => {
    const { faults, ...counts } = await play(t, transport, Array.from({ length: SCHEDULES }, (_, index) => SEED + index))
    t.comment(`${SCHEDULES} schedules: ${JSON.stringify(counts)}`)
    t.ok(SCHEDULES < 40 || (counts.harm > SCHEDULES && counts.gaps > 0 && counts.connections > SCHEDULES), 'there was harm, and there were gaps')
  })
}

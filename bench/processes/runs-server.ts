/* Ours: the plugin in a Fastify server on the database argv[2]. */
import Fastify from 'fastify'
import agentRuns from '../../index.ts'
import { answer } from '../answer.ts'
import { cpuUs, heapInUse } from '../usage.ts'
import { type Pace, pacedAgent } from './paced-agent.ts'

const SUBSCRIBERS = 20_000

const app = Fastify()
await app.register(agentRuns, {
  providers: { agent: pacedAgent() },
  store: process.argv[2]!,
  limits: { subscribersPerSession: SUBSCRIBERS, subscribers: SUBSCRIBERS }
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })

export type RunsServer = typeof answers

const answers = {
  port: () => Number(new URL(url).port),
  cpuUs,
  heapInUse,
  async createSessions (ids: string[]): Promise<void> {
    for (const id of ids) await app.agentRuns.createSession({ id })
  },
  /** Starts a run at that pace; does not wait for its end. */
  async startRun (sessionId: string, pace: Pace): Promise<void> {
    await app.agentRuns.startRun({ sessionId, content: JSON.stringify(pace) })
  }
}

answer(answers)

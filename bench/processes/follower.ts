/* An instance that drives nothing and follows sessions. */
import Fastify, { type FastifyInstance } from 'fastify'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns from '../../index.ts'
import { echo } from '../../providers/echo/echo.ts'
import { answer } from '../answer.ts'
import type { Work } from '../measure/comparison.ts'
import { cpuUs } from '../measure/usage.ts'

export type Follower = typeof answers

let app: FastifyInstance | null = null

const answers = {
  /** Creates sessions, and follows each. */
  async open (path: string, sessionIds: string[]): Promise<void> {
    app = Fastify()
    await app.register(agentRuns, { store: sqliteStore({ path }), routes: false, providers: { echo: echo() }, limits: { subscribers: sessionIds.length + 1 } })
    for (const id of sessionIds) {
      await app.agentRuns.createSession({ id })
      await app.agentRuns.subscribe(id).next()
    }
  },

  /** Follows a session until a run of so many events ends there. */
  async follow (sessionId: string, events: number): Promise<Work> {
    const [cpu, start] = [cpuUs(), performance.now()]
    const seqs: number[] = []
    for await (const event of app!.agentRuns.subscribe(sessionId, { after: 'latest' })) {
      if ('seq' in event) seqs.push(event.seq)
      if (event.kind === 'complete') break
    }
    const isWhole = seqs.length === events && seqs.every((seq, index) => index === 0 || seq === seqs[index - 1]! + 1)
    return { events, ms: performance.now() - start, cpuUs: cpuUs() - cpu, fault: isWhole ? null : `${seqs.length} of ${events} events` }
  },

  async close (): Promise<void> {
    await app!.close()
  }
}

answer(answers)

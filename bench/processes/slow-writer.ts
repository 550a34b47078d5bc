/* Another instance on the same file: a run that says a word now and then. */
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns from '../../index.ts'
import { answer } from '../answer.ts'

export type SlowWriter = typeof answers

const answers = {
  /** Appends `events` deltas to a session, one each `pauseMs`, and ends the run. */
  async write (path: string, sessionId: string, events: number, pauseMs: number): Promise<void> {
    const store = sqliteStore({ path })
    await using app = Fastify()
    await app.register(agentRuns, {
      store,
      routes: false,
      providers: {
        agent: {
          async * run () {
            for (let index = 0; index < events; index++) {
              await delay(pauseMs)
              yield { kind: 'stream_delta', content: `${index}` }
            }
          }
        }
      }
    })
    const { cursor } = await app.agentRuns.startRun({ sessionId, content: 'go' })
    for await (const event of app.agentRuns.subscribe(sessionId, { after: cursor })) if (event.kind === 'complete') break
  }
}

answer(answers)

/* Ours: the plugin in a Fastify server on the database argv[2]. */
import Fastify from 'fastify'
import agentRuns, { type Provider } from '../../index.ts'
import { answer } from '../answer.ts'
import { peakMemory, watchMemory } from '../measure/memory.ts'
import { cpuUs, heapInUse } from '../measure/usage.ts'
import { largeAgent } from './large-agent.ts'
import { pacedAgent } from './paced-agent.ts'
import { timedAgent } from './timed-agent.ts'

/** More than any bench needs: what is measured is not where the limits are. */
const MANY = 20_000

let begin = (_time: number): void => {}
const begun = new Promise<number>((resolve) => { begin = resolve })

/** Says one word, and is done. */
const word: Provider = { async * run () { yield { kind: 'stream_delta', messageId: 'm', content: 'word' } } }

const app = Fastify()
await app.register(agentRuns, {
  providers: { paced: pacedAgent(), timed: timedAgent(begun), large: largeAgent, word },
  store: process.argv[2]!,
  limits: { subscribersPerSession: MANY, subscribers: MANY, runningRuns: MANY, maxBytesPerRun: 2 ** 32, maxEventsPerRun: 10_000_000 }
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })

export type RunsServer = typeof answers

const answers = {
  port: () => Number(new URL(url).port),
  cpuUs,
  heapInUse,
  watchMemory,
  peakMemory,
  async createSessions (ids: string[]): Promise<void> {
    for (const id of ids) await app.agentRuns.createSession({ id })
  },
  /** Starts a run of an agent at its pace; does not wait for its end. */
  async startRun (sessionId: string, provider: string, pace: object): Promise<void> {
    await app.agentRuns.startRun({ sessionId, provider, content: JSON.stringify(pace) })
  },
  /** Lets the timed agents begin. */
  begin (): void {
    begin(performance.now())
  }
}

answer(answers)

/* Many runs over @fastify/sse: each event made and sent as its agent says it, and not stored. */
import { answer } from '../answer.ts'
import { peakMemory, watchMemory } from '../measure/memory.ts'
import { cpuUs } from '../measure/usage.ts'
import type { BareRuns } from './bare-runs.ts'
import { fastifySseServer, type SseContext } from './peers/fastify-sse.ts'
import { opening } from './peers/sse-peer.ts'
import type { Rhythm } from './timed-agent.ts'
import { UnstoredRun } from './unstored-run.ts'

const streams = new Map<string, SseContext>()
const runs: UnstoredRun[] = []

const app = await fastifySseServer({
  '/:session': async (sse, path) => {
    streams.set(path.slice(1), sse)
    await sse.send(opening(0))
  }
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })

const answers: BareRuns = {
  port: () => Number(new URL(url).port),
  cpuUs,
  watchMemory,
  peakMemory,
  startRun (sessionId: string, rhythm: Rhythm): void {
    const sse = streams.get(sessionId)!
    runs.push(new UnstoredRun(sessionId, rhythm, (seq, json) => { void sse.send({ id: String(seq), data: json }) }))
  },
  begin (): void {
    const start = performance.now()
    for (const run of runs) void run.say(start)
  }
}

answer(answers)

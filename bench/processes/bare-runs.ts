/* The bare minimum for many runs: `node:http`, one response a run, each frame made and written as its agent says it. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { STREAM_HEADERS } from '../../transports/sse/event-stream.ts'
import { answer } from '../answer.ts'
import { peakMemory, watchMemory } from '../measure/memory.ts'
import { cpuUs } from '../measure/usage.ts'
import type { Rhythm } from './timed-agent.ts'
import { UnstoredRun } from './unstored-run.ts'

const responses = new Map<string, ServerResponse>()
const runs: UnstoredRun[] = []

const server = createServer((request, response) => {
  response.writeHead(200, STREAM_HEADERS)
  response.write('retry: 1000\ndata: {}\nid: 0\n\n')
  responses.set(request.url!.slice(1), response)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

export type BareRuns = typeof answers

const answers = {
  port: () => (server.address() as AddressInfo).port,
  cpuUs,
  watchMemory,
  peakMemory,
  /** A run for the reader of `/<sessionId>`. */
  startRun (sessionId: string, rhythm: Rhythm): void {
    const response = responses.get(sessionId)!
    runs.push(new UnstoredRun(sessionId, rhythm, (seq, json) => { response.write(`data: ${json}\nid: ${seq}\n\n`) }))
  },
  begin (): void {
    const start = performance.now()
    for (const run of runs) void run.say(start)
  }
}

answer(answers)

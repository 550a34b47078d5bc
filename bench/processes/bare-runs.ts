/* The bare minimum for many runs: `node:http`, one response a run, each frame made and written as its agent says it. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { STREAM_HEADERS } from '../../transports/sse/event-stream.ts'
import { answer } from '../answer.ts'
import { peakMemory, watchMemory } from '../measure/memory.ts'
import { cpuUs } from '../measure/usage.ts'
import { type Rhythm, said } from './timed-agent.ts'

const responses = new Map<string, ServerResponse>()
const runs: Array<(start: number) => Promise<void>> = []

const server = createServer((request, response) => {
  response.writeHead(200, STREAM_HEADERS)
  response.write('retry: 1000\ndata: {}\nid: 0\n\n')
  responses.set(request.url!.slice(1), response)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

/** Tells the reader of a session what its agent says. */
class Run {
  readonly #response: ServerResponse
  readonly #sessionId: string
  readonly #runId = crypto.randomUUID()
  #seq = 0

  constructor (sessionId: string) {
    this.#response = responses.get(sessionId)!
    this.#sessionId = sessionId
  }

  async say (start: number, rhythm: Rhythm): Promise<void> {
    for await (const { kind, ...fields } of said(start, rhythm)) this.write(kind, fields)
    this.write('complete', { reason: 'finished' })
  }

  write (kind: string, fields: object): void {
    const seq = ++this.#seq
    const event = { kind, sessionId: this.#sessionId, runId: this.#runId, seq, provider: 'timed', timestamp: new Date().toISOString(), ...fields }
    this.#response.write(`data: ${JSON.stringify(event)}\nid: ${seq}\n\n`)
  }
}

export type BareRuns = typeof answers

const answers = {
  port: () => (server.address() as AddressInfo).port,
  cpuUs,
  watchMemory,
  peakMemory,
  /** A run for the reader of `/<sessionId>`. */
  startRun (sessionId: string, rhythm: Rhythm): void {
    const run = new Run(sessionId)
    run.write('text', { role: 'user', messageId: 'message', content: JSON.stringify(rhythm) })
    runs.push((start) => run.say(start, rhythm))
  },
  begin (): void {
    const start = performance.now()
    for (const run of runs) void run(start)
  }
}

answer(answers)

/* The bare minimum: a `node:http` server without a framework that writes the same bytes. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { STREAM_HEADERS } from '../../transports/sse/event-stream.ts'
import { answer } from '../answer.ts'
import { peakMemory, watchMemory } from '../measure/memory.ts'
import { cpuUs, heapInUse } from '../measure/usage.ts'
import { openReference, pageQuery } from '../reference/layout.ts'

const PAGE_ROWS = 500

const held = new Set<ServerResponse>()
let preamble: Buffer | null = null
let seq = 0
let readPage: ReturnType<typeof pageQuery> = () => []

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    void text(request).then((body) => {
      response.writeHead(202, { 'content-type': 'application/json' })
      response.end('{}')
      say(JSON.parse(body) as object)
    })
    return
  }
  response.writeHead(200, STREAM_HEADERS)
  response.flushHeaders()
  const after = Number(request.headers['last-event-id'] ?? 0)
  response.write(preamble ?? `retry: 1000\ndata: {}\nid: ${after}\n\n`)
  const session = /^\/replay\/(.*)$/.exec(request.url!)?.[1]
  if (session === undefined) {
    held.add(response)
    response.once('close', () => held.delete(response))
  } else {
    void replay(session, after, response)
  }
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

/** Two frames to everybody: what came, and a word. */
function say (message: object): void {
  for (const event of [message, { kind: 'stream_delta', messageId: 'm', content: 'word' }]) {
    seq++
    for (const response of held) response.write(`data: ${JSON.stringify({ seq, timestamp: new Date().toISOString(), ...event })}\nid: ${seq}\n\n`)
  }
}

async function replay (session: string, from: number, response: ServerResponse): Promise<void> {
  let after = from
  let goOn = (): void => {}
  response.on('drain', () => goOn())
  response.on('close', () => goOn())
  while (!response.destroyed) {
    const rows = readPage(session, after, PAGE_ROWS)
    if (rows.length === 0) return
    let frames = ''
    for (const [seq, json] of rows) frames += `data: ${json}\nid: ${seq}\n\n`
    after = rows.at(-1)![0]
    if (response.write(Buffer.from(frames))) await nextTurn()
    else await new Promise<void>((resolve) => { goOn = resolve })
  }
}

export type BareServer = typeof answers

const answers = {
  port: () => (server.address() as AddressInfo).port,
  cpuUs,
  heapInUse,
  watchMemory,
  peakMemory,
  /** Writes `frames` to every response that is held open, so many a turn of the event loop, each from one buffer. */
  async broadcast (frames: string[], framesPerTurn: number): Promise<void> {
    for (const [index, frame] of frames.entries()) {
      if (index % framesPerTurn === 0) await nextTurn()
      const bytes = Buffer.from(frame)
      for (const response of held) response.write(bytes)
    }
  },
  /** What each response begins with. */
  setPreamble (frame: string): void {
    preamble = Buffer.from(frame)
  },
  /** `/replay/<session>` reads this database, in the reference layout, from now on. */
  useDatabase (path: string): void {
    readPage = pageQuery(openReference(path))
  }
}

answer(answers)

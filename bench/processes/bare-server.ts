/* The bare minimum: a `node:http` server without a framework that writes the same bytes. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import SqliteDatabase from 'better-sqlite3'
import { STREAM_HEADERS } from '../../transports/sse/event-stream.ts'
import { answer } from '../answer.ts'
import { cpuUs, heapInUse } from '../usage.ts'

const PAGE_ROWS = 500

const held = new Set<ServerResponse>()
let preamble = Buffer.from('retry: 1000\ndata: {}\nid: 0\n\n')
let readPage = (_session: string, _after: number): Array<[seq: number, json: string]> => []

const server = createServer((request, response) => {
  response.writeHead(200, STREAM_HEADERS)
  response.flushHeaders()
  response.write(preamble)
  const session = /^\/replay\/(.*)$/.exec(request.url!)?.[1]
  if (session === undefined) {
    held.add(response)
    response.once('close', () => held.delete(response))
  } else {
    void replay(session, response)
  }
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

async function replay (session: string, response: ServerResponse): Promise<void> {
  let after = 0
  let goOn = (): void => {}
  response.on('drain', () => goOn())
  response.on('close', () => goOn())
  while (!response.destroyed) {
    const rows = readPage(session, after)
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
  /** `/replay/<session>` reads this database from now on. */
  useDatabase (path: string): void {
    const database = new SqliteDatabase(path, { readonly: true })
    database.pragma('cache_size = -65536')
    const page = database.prepare<[string, number, number], [number, string]>(`
      SELECT seq, json FROM agent_runs_events
      WHERE session_key = (SELECT key FROM agent_runs_sessions WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?
    `).raw()
    readPage = (session, after) => page.all(session, after, PAGE_ROWS)
  }
}

answer(answers)

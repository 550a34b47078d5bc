/* resumable-stream over a Redis of its own, which keeps nothing on disk, on `node:http`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { importPeer } from '../../peers/packages.ts'
import { opening, type SentEvent, type SsePeer } from './sse-peer.ts'

/** What of the packages is used here. */
interface RedisClient { connect (): Promise<unknown> }
interface Redis { createClient (options: { socket: { path: string } }): RedisClient }
interface StreamContext {
  createNewResumableStream (id: string, makeStream: () => ReadableStream<string>): Promise<ReadableStream<string>>
  resumeExistingStream (id: string): Promise<ReadableStream<string> | null | undefined>
}
interface ResumableStream { createResumableStreamContext (options: { waitUntil: null, publisher: RedisClient, subscriber: RedisClient }): StreamContext }

const STARTING_MS = 20
const STARTS = 250
const KEPT = 'kept'

export async function resumableStream (): Promise<SsePeer> {
  const { createClient } = await importPeer<Redis>('redis')
  const { createResumableStreamContext } = await importPeer<ResumableStream>('resumable-stream/redis')
  const path = await startRedis()
  const [publisher, subscriber] = [createClient({ socket: { path } }), createClient({ socket: { path } })]
  await Promise.all([publisher.connect(), subscriber.connect()])
  const context = createResumableStreamContext({ waitUntil: null, publisher, subscriber })

  /** A stream into which frames can be put. */
  const produce = async (id: string): Promise<ReadableStreamDefaultController<string>> => {
    let controller: ReadableStreamDefaultController<string> | null = null
    const produced = await context.createNewResumableStream(id, () => new ReadableStream({ start (given) { controller = given } }))
    // Nobody reads it here: all read it over Redis.
    void produced.cancel()
    return controller!
  }

  // A new reader gets the whole stream: each broadcast uses a stream of its own.
  let broadcasts = 0
  let live = await produce('live-0')
  const server = createServer((request, response) => {
    const id = request.url === '/replay' ? KEPT : `live-${broadcasts}`
    void context.resumeExistingStream(id).then((stream) => pipe(stream!, response))
  })
  return {
    async listen () {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    },
    async keep (events) {
      const controller = await produce(KEPT)
      for (const event of events) controller.enqueue(frameOf(event))
    },
    async broadcast (events, eventsPerTurn) {
      for (const [index, event] of events.entries()) {
        if (index % eventsPerTurn === 0) await nextTurn()
        live.enqueue(frameOf(event))
      }
      live = await produce(`live-${broadcasts + 1}`)
      broadcasts++
    }
  }
}

async function pipe (stream: ReadableStream<string>, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const { id, data } = opening(0)
  response.write(`data: ${data}\nid: ${id}\n\n`)
  let goOn = (): void => {}
  response.on('drain', () => goOn())
  response.on('close', () => goOn())
  for await (const frames of stream) {
    if (response.destroyed) return
    if (frames !== '' && !response.write(frames)) await new Promise<void>((resolve) => { goOn = resolve })
  }
}

function frameOf ({ seq, json }: SentEvent): string {
  return `data: ${json}\nid: ${seq}\n\n`
}

/** Starts a Redis that ends with this process; answers the path of its socket. */
async function startRedis (): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'agent-runs-bench-redis-'))
  const path = join(directory, 'redis.sock')
  const redis: ChildProcess = spawn('redis-server', ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', directory, '--client-output-buffer-limit', 'pubsub', '0', '0', '0'], { stdio: 'ignore' })
  process.on('exit', () => {
    redis.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  for (let start = 0; !existsSync(path); start++) {
    if (start === STARTS || redis.exitCode !== null) throw new Error('redis-server did not start')
    await delay(STARTING_MS)
  }
  return path
}

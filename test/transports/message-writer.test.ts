/* The two ways to a WebSocket's peer: past the library, and through it. A peer cannot tell them apart. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { test, type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { silentLogger } from '../../lib/common/logger.ts'
import type { Frame, SocketFrame } from '../../lib/protocol/frames.ts'
import { SocketConnection } from '../../transports/websocket/connection.ts'
import { heldMemory } from '../helpers/collect-garbage.ts'
import { LIMITS } from '../helpers/limits.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

/** The same WebSocket, without the field that holds the library's socket. */
function withoutSocket (socket: WebSocket): WebSocket {
  return new Proxy(socket, {
    get (target, name) {
      if (name === '_socket') return undefined
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) as unknown : value
    }
  })
}

const WAYS = { 'past the library': (socket: WebSocket) => socket, 'through the library': withoutSocket }

/** A registry behind a WebSocket server, and a client of it that keeps what it is sent. */
async function connect (t: Test, way: (socket: WebSocket) => WebSocket, stallTimeoutMs = 30_000) {
  const agent = scriptedProvider()
  const runs = await openRegistry(t, agent)
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => client.terminate())
  const frames: Array<Frame | SocketFrame | { kind: string, seq: number }> = []
  client.on('message', (data) => frames.push(JSON.parse((data as Buffer).toString()) as Frame))
  const [[peer]] = await Promise.all([once(server, 'connection') as Promise<[WebSocket]>, once(client, 'open')])
  const connection = new SocketConnection(way(peer), runs, { owner: '', hasEnded: () => false, parse: JSON.parse, log: silentLogger, authorize: async () => null }, { heartbeatMs: 15_000, stallTimeoutMs, limits: LIMITS }, () => {})
  const until = async (holds: () => boolean): Promise<void> => { while (!holds()) await once(client, 'message') }
  const send = (message: object): void => client.send(JSON.stringify(message))
  const tcp = (client as unknown as { _socket: Socket })._socket
  return { agent, runs, client, connection, peer, frames, until, send, tcp }
}

for (const [name, way] of Object.entries(WAYS)) {
  test(`${name}: answers, replay, live events and the goodbye come in order`, async (t) => {
    const { agent, client, connection, frames, until, send } = await connect(t, way)
    send({ type: 'chat.send', sessionId: 's', content: 'go', requestId: 'r' })
    const run = await agent.next()
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'ünï' }, { kind: 'text', messageId: 'm', content: 'ünï' })
    run.end()
    await until(() => frames.at(-1)?.kind === 'complete')
    send({ type: 'chat.subscribe', sessions: [{ sessionId: 's', lastSeq: 1 }] })
    await until(() => frames.filter(({ kind }) => kind === 'complete').length === 2)
    connection.restart()
    const [code] = await once(client, 'close') as [number]
    t.strictSame([code, ...frames.map((frame) => 'seq' in frame ? frame.seq : frame.kind)], [1012, 'chat_accepted', 'chat_subscribed', 1, 2, 3, 4, 'chat_subscribed', 2, 3, 4])
  })

  test(`${name}: a peer that does not read makes the log wait, not memory grow, and has everything once it reads`, async (t) => {
    const { agent, runs, connection, frames, until, send, tcp } = await connect(t, way)
    await runs.startRun({ sessionId: 's', content: 'go' })
    const run = await agent.next()
    for (let index = 0; index < 200; index++) await run.emit({ kind: 'text', content: 'x'.repeat(100_000) })
    run.end()
    await runs.abortRun({ sessionId: 's', runId: run.context.runId })
    tcp.pause()
    const before = heldMemory().arrayBuffers
    send({ type: 'chat.subscribe', sessions: [{ sessionId: 's' }] })
    while (!connection.full) await new Promise((resolve) => { setImmediate(resolve) })
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => { setImmediate(resolve) })
    t.ok(heldMemory().arrayBuffers - before < 10_000_000)
    tcp.resume()
    await until(() => frames.at(-1)?.kind === 'complete')
    t.strictSame(frames.flatMap((frame) => 'seq' in frame ? [frame.seq] : []), Array.from({ length: 202 }, (_, index) => index + 1))
  })

  test(`${name}: a peer that takes no byte is cut, also after a quiet spell`, async (t) => {
    const { client, connection, peer, tcp } = await connect(t, way, 300)
    await once((peer as unknown as { _socket: Socket })._socket.setTimeout(300), 'timeout')
    tcp.pause()
    while (!connection.full) connection.tell({ kind: 'session_deleted', sessionId: 'x'.repeat(100_000) })
    const [code] = await once(peer, 'close') as [number]
    t.equal(code, 1006)
    tcp.resume()
    await once(client, 'close')
  })
}

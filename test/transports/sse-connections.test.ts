import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { test } from 'tap'
import { SseConnection } from '../../transports/sse/connection.ts'
import { serveApp } from '../helpers/build-app.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('streams that were pipelined behind another end with their connection, and hold up nothing', async (t) => {
  const { app, url } = await serveApp(t, { providers: { agent: scriptedProvider() } })
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write('GET /sessions/s/stream HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(5))
  await once(socket, 'data')
  const other = await SseClient.open(`${url}/sessions/s/stream`)
  socket.destroy()
  await other.frame('chat_subscribed')
  other.cut()
  await app.close()
  t.pass('closed')
})

test('a silent stream gets comments without blank lines, and no event is made of them', async (t) => {
  const { url } = await serveApp(t, { providers: { agent: scriptedProvider() }, heartbeatMs: 100 })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  while (!client.raw.endsWith('\n:\n:\n')) await once(client.response, 'data')
  client.cut()
  t.match(client.raw, /^retry: 1000\ndata: \{"kind":"chat_subscribed"[^\n]*\}\nid: 0\n\n:\n:\n$/)
})

test('a socket that is still full gets no comments: they would pile up for a peer that never reads', (t) => {
  const response = Object.assign(new PassThrough(), { writeHead () {}, flushHeaders () {}, setTimeout () {} })
  const connection = new SseConnection(response as unknown as ServerResponse, {}, { stallTimeoutMs: 1_000, hasEnded: () => false })
  const beats = (): number => {
    const before = response.writableLength + response.readableLength
    for (let beat = 0; beat < 10; beat++) connection.beat(0)
    return response.writableLength + response.readableLength - before
  }
  response.resume()
  response.read()
  connection.events(Buffer.alloc(1_000_000))
  response.pause()
  connection.events(Buffer.alloc(1_000_000))
  t.ok(response.writableLength > 0)
  t.equal(beats(), 0)
  connection.closed()
  t.end()
})

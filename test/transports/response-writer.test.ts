import { once } from 'node:events'
import { createServer, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { test } from 'tap'
import { ResponseWriter } from '../../transports/sse/response-writer.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

/** A served session of one completed run, whose text needs more bytes than it has characters; and all of it as a client gets it. */
async function serveRun (t: Parameters<typeof serveApp>[0]) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent } })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'ünïcödé → 漢字 😀' })
  run.end()
  await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
  const client = await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
  return { app, url, client }
}

/** What a server answers to some bytes, up to `end`. */
async function answerTo (url: string, sent: string, end: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8')
  socket.write(sent)
  let answer = ''
  while (!answer.endsWith(end)) answer += String((await once(socket, 'data'))[0])
  socket.destroy()
  return answer
}

test('text of many bytes a character arrives whole', async (t) => {
  const { client } = await serveRun(t)
  t.match(client.events[1], { content: 'ünïcödé → 漢字 😀' })
  t.strictSame(client.kinds, ['chat_subscribed', 'text', 'text', 'complete'])
})

test('HTTP/1.0 gets the frames without chunks', async (t) => {
  const { url, client } = await serveRun(t)
  const answer = await answerTo(url, 'GET /sessions/s/stream HTTP/1.0\r\n\r\n', client.raw.slice(-20))
  t.equal(answer.slice(answer.indexOf('\r\n\r\n') + 4), client.raw)
})

test('a connection goes on to serve others once its stream has ended, and nothing of the stream is left on it', async (t) => {
  const { app, url } = await serveRun(t)
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => { sockets.push(socket) })
  const listeners = async (): Promise<number[]> => {
    while (sockets.length === 0) await once(app.server, 'connection')
    return ['drain', 'close'].map((name) => sockets[0]!.listenerCount(name))
  }
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8')
  let before: number[] | null = null
  for (let time = 0; time < 3; time++) {
    socket.write('GET /sessions/s/stream?until=complete HTTP/1.1\r\nhost: x\r\n\r\n')
    let answer = ''
    while (!answer.endsWith('\r\n0\r\n\r\n')) answer += String((await once(socket, 'data'))[0])
    t.match(answer, /^HTTP\/1.1 200 /)
    t.strictSame([...answer.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)), [0, 1, 2, 3])
    before ??= await listeners()
    t.strictSame(await listeners(), before)
  }
  socket.destroy()
})

test('a host that has put itself between gets every byte', async (t) => {
  const { app, client } = await serveRun(t)
  const { payload } = await app.inject('/sessions/s/stream?until=complete')
  t.equal(payload, client.raw)
})

test('a response whose head has not reached the socket takes every byte itself: none overtakes the head', (t) => {
  const written: string[] = []
  const socket = { bytesWritten: 0, writable: true, writableLength: 0, write: () => t.fail('written past the head') }
  const response = Object.create(ServerResponse.prototype, Object.getOwnPropertyDescriptors({
    socket, chunkedEncoding: true, writeHead () { written.push('head') }, flushHeaders () {}
  })) as ServerResponse
  const writer = new ResponseWriter(response, {})
  t.equal(writer.chunked, false)
  t.strictSame(written, ['head'])
  Object.assign(socket, { bytesWritten: 0 })
  Object.defineProperty(response, 'flushHeaders', { value: () => { socket.bytesWritten = 100 } })
  t.equal(new ResponseWriter(response, {}).chunked, true)
  t.end()
})

test('no text is no chunk: an empty one would end the body', async (t) => {
  const server = createServer((_request, response) => {
    const writer = new ResponseWriter(response, {})
    for (const text of ['one', '', 'two']) writer.text(text)
    writer.end()
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.equal(await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { headers: { connection: 'close' } })).text(), 'onetwo')
})

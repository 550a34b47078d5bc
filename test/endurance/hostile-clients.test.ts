/* Clients that go away in every way there is, or come in crowds, against the standalone server in a process of its own. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'tap'
import { random } from '../helpers/random.ts'
import { exchange, rawRequest } from '../helpers/raw-request.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { WatchedServer } from '../helpers/watched-server.ts'

const CHURN = Number(process.env['CHURN'] ?? 3_000)
const STORM = 300

/** Runs a script of the echo in session `id`, to its end. */
async function play (url: string, id: string, demo: object): Promise<void> {
  const client = await SseClient.open(`${url}/sessions/${id}/messages`, {
    method: 'POST', headers: { accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify({ content: JSON.stringify({ demo }) })
  })
  await client.ended()
}

/** A stream on a bare socket, of which `bytes` have been read; then nothing more is. */
async function openRaw (url: string, path: string, bytes: number): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  for (let read = 0; read < bytes;) {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) await once(socket, 'readable')
    else read += chunk.length
  }
  return socket
}

test('a client may go away in the middle of a replay by FIN, by RST, by half a close, or dead behind a full socket', async (t) => {
  const server = await WatchedServer.start(t, ['--subscribers-per-session', '4', '--stall-timeout-ms', '600000', '--heartbeat-ms', '400'])
  const { url } = server
  // More than sockets can hold.
  await play(url, 's', { mode: 'burst', n: 300, size: 100_000 })
  const idle = await server.reportOnce(({ connections }) => connections === 0)
  const ways: Record<string, (socket: Socket) => unknown> = {
    FIN: (socket) => { socket.pause().end() },
    RST: (socket) => { socket.resetAndDestroy() },
    'half a close': (socket) => { socket.end() }
  }
  for (const [way, leave] of Object.entries(ways)) {
    for (const bytes of [1, 70_000, 3_000_000]) {
      const sockets = await Promise.all(Array.from({ length: 4 }, () => openRaw(url, '/sessions/s/stream', bytes)))
      const refused = await exchange(url, rawRequest('/sessions/s/stream'))
      t.equal(refused.status, 429, 'a fifth is one too many')
      for (const socket of sockets) {
        leave(socket)
        if (way === 'half a close') socket.resume()
      }
      await server.reportOnce(({ connections }) => connections === 0)
      const again = await exchange(url, rawRequest('/sessions/s/stream'), { enough: (text) => text.includes('chat_subscribed') })
      t.equal(again.status, 200, `${way} after ${bytes} bytes: its place is free`)
      await server.reportOnce(({ connections }) => connections === 0)
    }
  }
  // Those that are still being written to, and take nothing.
  const full = await Promise.all(Array.from({ length: 4 }, () => openRaw(url, '/sessions/s/stream', 1)))
  await play(url, 's', { mode: 'burst', n: 100, size: 100_000 })
  for (const socket of full) socket.resetAndDestroy()
  const after = await server.reportOnce(({ connections, fds }) => connections === 0 && fds <= idle.fds)
  t.strictSame(after.complaints, [])
})

test(`a storm of ${STORM} clients that are all cut at once and all come back gets everything, once and in order`, async (t) => {
  const server = await WatchedServer.start(t)
  const { url } = server
  await play(url, 's', { n: 498, kind: 'text' })
  const expected = Array.from({ length: 500 }, (_, index) => index + 1).join()
  const storm = (cursor: number) => Promise.all(Array.from({ length: STORM }, () => SseClient.open(`${url}/sessions/s/stream`, { headers: { 'last-event-id': String(cursor) } })))
  const first = await storm(0)
  await Promise.all(first.map((client, i) => client.until(({ events }) => events.length > i % 400)))
  const busy = fetch(`${url}/sessions/s`)
  for (const client of first) client.cut()
  const second = await Promise.all(first.map((client) => SseClient.open(`${url}/sessions/s/stream`, { headers: { 'last-event-id': client.lastEventId! } })))
  await Promise.all(second.map((client) => client.frame('chat_subscribed')))
  await Promise.all(second.map((client, i) => client.until(({ events }) => (events.at(-1) ?? first[i]!.events.at(-1))!.seq === 500)))
  t.equal((await busy).status, 200)
  t.equal(second.filter((client, i) => [...first[i]!.seqs, ...client.seqs].join() === expected).length, STORM)
  for (const client of second) client.cut()
  await server.reportOnce(({ connections }) => connections <= 1)
})

test(`${CHURN} clients that come and go at any moment leave nothing behind`, async (t) => {
  const server = await WatchedServer.start(t, ['--subscribers', '64', '--log-level', 'error'])
  const { url } = server
  await play(url, 's', { n: 200, kind: 'stream_delta', size: 2_000 })
  const { below, pick } = random(1)
  const churn = async (clients: number): Promise<void> => {
    let left = clients
    await Promise.all(Array.from({ length: 32 }, async () => {
      while (left-- > 0) {
        const path = pick(['/sessions/s/stream', '/sessions/s/stream?lastEventId=150', '/sessions/s/stream?lastEventId=latest', '/sessions/none/stream', '/sessions/s/stream?until=complete'])
        const socket = connect(Number(new URL(url).port), '127.0.0.1')
        socket.on('error', () => {})
        const closed = once(socket, 'close')
        const enough = below(3) === 0 ? 0 : below(60_000)
        let read = 0
        socket.on('data', (chunk) => { if ((read += chunk.length) >= enough) leave() })
        const leave = pick([() => socket.destroy(), () => socket.resetAndDestroy(), () => socket.end()])
        socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
        // Some do not even wait for the answer; those that have all there is leave a little later.
        if (enough === 0) leave()
        else socket.setTimeout(20, leave)
        await closed
      }
    }))
  }
  await churn(300)
  const before = await server.reportOnce(({ connections }) => connections === 0)
  await churn(CHURN)
  const after = await server.reportOnce(({ connections, fds }) => connections === 0 && fds <= before.fds)
  t.comment(JSON.stringify({ before, after }))
  t.strictSame(after.complaints, [])
  t.ok(after.heapUsed < before.heapUsed + 8e6, `from ${Math.round(before.heapUsed / 1e6)} to ${Math.round(after.heapUsed / 1e6)} MB`)
  const clients = await Promise.all(Array.from({ length: 64 }, () => SseClient.open(`${url}/sessions/s/stream`)))
  t.strictSame(clients.map(({ response }) => response.statusCode), clients.map(() => 200), 'every place is free again')
  t.equal((await SseClient.open(`${url}/sessions/s/stream`)).response.statusCode, 429, 'and not one more')
  for (const client of clients) client.cut()
})

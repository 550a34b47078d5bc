import { once } from 'node:events'
import { statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const MEGABYTES = 60
/** What buffers may hold of it: of each stalled reader a page or two, and the page that is on its way. */
const BUFFER_LIMIT = 10e6
/** A checkpoint is due at 8,000 pages of 4 KiB; one transaction may come on top. */
const WAL_LIMIT = 45e6

test('readers that stall cost the others nothing and the server no memory, and miss nothing when they go on', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const server = spawnScript(t, 'serve-flood.ts', [database, String(MEGABYTES)])
  const url = (await server.line('listening ')).split(' ')[1]!
  const buffered = async (): Promise<number> => (await (await fetch(`${url}/memory`)).json() as { arrayBuffers: number }).arrayBuffers
  const stalled = await Promise.all(Array.from({ length: 10 }, () => SseClient.open(`${url}/sessions/s/stream`)))
  for (const client of stalled) client.stall()
  const fast = await SseClient.open(`${url}/sessions/s/stream`)
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  let peak = 0
  await fast.until(({ events }) => events.length > MEGABYTES * 25)
  peak = Math.max(peak, await buffered())
  await fast.frame('complete')
  peak = Math.max(peak, await buffered())
  t.strictSame(fast.seqs, fast.seqs.map((_, index) => index + 1))
  t.equal(fast.seqs.length, MEGABYTES * 50 + 2)
  t.ok(peak < BUFFER_LIMIT, `${Math.round(peak / 1e6)} MB in buffers while ${MEGABYTES} MB were streamed past ten stalled readers`)
  // What is read of it in one go is short: nothing keeps SQLite from starting its log file anew.
  t.ok(statSync(`${database}-wal`).size < WAL_LIMIT, 'no reader holds up the checkpoints')
  for (const client of stalled) client.resume()
  await stalled[0]!.frame('complete')
  t.strictSame(stalled[0]!.seqs, fast.seqs)
  for (const client of [fast, ...stalled]) client.cut()
})

test('a reader that takes no byte for stallTimeoutMs is cut; its cursor brings it back to everything', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, stallTimeoutMs: 500 })
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => { sockets.push(socket) })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  const [stalled, quiet] = await Promise.all(['s', 'quiet'].map((id) => SseClient.open(`${url}/sessions/${id}/stream`)))
  await stalled!.frame('text')
  stalled!.stall()
  for (let i = 0; i < 100; i++) await run.emit({ kind: 'text', content: 'x'.repeat(100_000) })
  run.end()
  // The client cannot tell: it does not read.
  const socket = sockets.find(({ remotePort }) => remotePort === stalled!.response.socket.localPort)!
  if (!socket.closed) await once(socket, 'close')
  stalled!.resume()
  await stalled!.ended()
  t.notOk(stalled!.kinds.includes('complete'))
  const again = await SseClient.open(`${url}/sessions/s/stream`, { headers: { 'last-event-id': stalled!.lastEventId! } })
  await again.frame('complete')
  again.cut()
  const seqs = [...stalled!.seqs, ...again.seqs]
  t.strictSame(seqs, Array.from({ length: 102 }, (_, index) => index + 1))
  await postJson(`${url}/sessions/quiet/messages`, { content: 'hello' })
  ;(await agent.next()).end()
  t.match(await quiet!.frame('complete'), { seq: 2 }, 'a stream that is merely silent is no stall')
  quiet!.cut()
})

test('a page of the history of which no byte is taken for stallTimeoutMs is cut too', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, stallTimeoutMs: 500 })
  const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  for (let i = 0; i < 40; i++) await run.emit({ kind: 'text', content: 'x'.repeat(100_000) })
  run.end()
  await app.agentRuns.abortRun({ sessionId: 's', runId })
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => { sockets.push(socket) })
  const stalled = connect(Number(new URL(url).port), '127.0.0.1')
  t.teardown(() => stalled.destroy())
  stalled.write('GET /sessions/s/events?limit=500 HTTP/1.1\r\nhost: x\r\n\r\n')
  stalled.pause()
  while (sockets.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
  if (!sockets[0]!.closed) await once(sockets[0]!, 'close')
  t.equal((await (await fetch(`${url}/sessions/s/events?limit=500`)).json() as { events: unknown[] }).events.length, 42)
})

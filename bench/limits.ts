/*
 * What single requests and tasks cost at their limits, with default options: bytes answered or held, and for how long the event
 * loop stood still. `npm run bench:limits`
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import Database from 'better-sqlite3'
import Fastify from 'fastify'
import { sqliteStore } from '../db/sqlite/store.ts'
import agentRuns, { type Provider } from '../index.ts'

const TOMBSTONES = 1_000_000
const DELTAS = 100_000

const database = new Database(':memory:')
const asks: Provider = {
  async * run ({ requestPermission, signal }) {
    for (let index = 0; index < 60; index++) requestPermission({ toolName: 'write', input: 'x'.repeat(1_000_000) }).catch(() => {})
    yield { kind: 'status', text: 'asked' }
    await once(signal, 'abort')
  }
}
const streams: Provider = { async * run () { for (let index = 0; index < DELTAS; index++) yield { kind: 'stream_delta', messageId: 'm', content: `word ${index} ` } } }
const spends: Provider = { async * run () { yield { kind: 'complete', usage: { note: 'x'.repeat(100_000_000) } } } }

const app = Fastify({ forceCloseConnections: true })
await app.register(agentRuns, {
  providers: { asks, streams, spends },
  store: sqliteStore({ database }),
  identify: ({ headers }) => headers['x-user'] as string | undefined,
  limits: { maxBytesPerRun: 2 ** 30 }
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })
const headers = { 'x-user': 'alice', 'content-type': 'application/json' }

/** Does something, and says for how long the loop stood still at most, and at p99. */
async function measured (name: string, work: () => Promise<string>): Promise<void> {
  await pause(200)
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const start = performance.now()
  const note = await work()
  const took = performance.now() - start
  await pause(20)
  delay.disable()
  process.stdout.write(`${name}: ${note}; ${took.toFixed(0)} ms, loop held ${(delay.max / 1e6).toFixed(0)} ms at most, p99 ${(delay.percentile(99) / 1e6).toFixed(0)} ms\n`)
}

for (let index = 0; index < 250; index++) await app.agentRuns.createSession({ id: `s${index}`, owner: 'alice', metadata: { filler: 'x'.repeat(16_000) } })
await measured('GET /sessions?limit=490 of 250 sessions with 16 KiB of metadata', async () => {
  const text = await (await fetch(`${url}/sessions?limit=490`, { headers })).text()
  return `${(text.length / 1e6).toFixed(1)} MB`
})

await measured('POST /ai-sdk of 16 MB without an identity', async () => {
  const response = await fetch(`${url}/ai-sdk`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: `{"id":"s","messages":[${'{"a":{}},'.repeat(1_750_000)}{}]}` })
  return String(response.status)
})
await measured('POST /ai-sdk of 16 MB with one, of 8 million numbers', async () => {
  const response = await fetch(`${url}/ai-sdk`, { method: 'POST', headers, body: `{"id":"s","messages":[{"id":"m","role":"user","parts":[${'0,'.repeat(8_000_000)}0]}]}` })
  return String(response.status)
})

const before = process.memoryUsage().rss
const halves = await Promise.all(Array.from({ length: 90 }, async () => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {}).write(`POST /ai-sdk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 16000000\r\n\r\n${'x'.repeat(15_000_000)}`)
  return socket
}))
await pause(3_000)
process.stdout.write(`90 half-sent bodies of 16 MB without an identity: ${((process.memoryUsage().rss - before) / 1e6).toFixed(0)} MB more resident, of which ${((90 * 15_000_000) / 1e6).toFixed(0)} MB were sent by this same process\n`)
for (const socket of halves) socket.destroy()

database.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${TOMBSTONES}) INSERT INTO agent_runs_sessions (id, owner, metadata, status, created_at, updated_at) SELECT 'gone-' || i, 'bob', '{}', 'deleted', 0, 0 FROM n`)
for (const id of ['a', 'b', 'c']) await app.agentRuns.createSession({ id, owner: 'bob' })
await measured(`GET /sessions of three beside ${TOMBSTONES} tombstones`, async () => {
  const { sessions } = await (await fetch(`${url}/sessions`, { headers: { 'x-user': 'bob' } })).json() as { sessions: unknown[] }
  return `${sessions.length} sessions`
})

await measured('complete with 100 MB of usage', async () => {
  const { runId, cursor } = await app.agentRuns.startRun({ sessionId: 'spends', owner: 'alice', provider: 'spends', content: 'go' })
  for await (const event of app.agentRuns.subscribe('spends', { after: cursor })) if (event.kind === 'complete') break
  return JSON.stringify((await app.agentRuns.getRun(runId))?.reason)
})

await app.agentRuns.startRun({ sessionId: 'asks', owner: 'alice', provider: 'asks', content: 'go' })
await pause(500)
await measured('20 readers that take nothing of 60 approvals of 1 MB', async () => {
  const buffers = process.memoryUsage().arrayBuffers
  const readers = await Promise.all(Array.from({ length: 20 }, async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.pause().write('GET /sessions/asks/stream HTTP/1.1\r\nhost: x\r\nx-user: alice\r\n\r\n')
    return socket
  }))
  await pause(1_000)
  const held = process.memoryUsage().arrayBuffers - buffers
  for (const socket of readers) socket.destroy()
  return `${(held / 1e6).toFixed(0)} MB in buffers`
})
await measured('a replay of them', async () => {
  let bytes = 0
  for await (const event of app.agentRuns.replayEvents('asks')) bytes += JSON.stringify(event).length
  return `${(bytes / 1e6).toFixed(0)} MB`
})
await app.agentRuns.abortRun({ sessionId: 'asks' })

await measured(`a running run of ${DELTAS} deltas, compacted as it goes`, async () => {
  const { cursor } = await app.agentRuns.startRun({ sessionId: 'streams', owner: 'alice', provider: 'streams', content: 'go' })
  let last = 0
  for await (const event of app.agentRuns.subscribe('streams', { after: cursor })) {
    if ('seq' in event) last = event.seq
    if (event.kind === 'complete') break
  }
  return `${last} events`
})
await app.close()

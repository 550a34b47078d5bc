import Fastify from 'fastify'
import { test } from 'tap'
import agentRuns from '../../index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { latch } from '../helpers/latch.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('close lets runs finish in their grace, and each stream ends behind the terminal', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, closeGraceMs: 60_000 })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  await client.frame('text')
  const closed = app.agentRuns.close()
  await t.rejects(app.agentRuns.startRun({ sessionId: 'other', content: 'x' }), { code: 'AGENT_RUNS_SHUTTING_DOWN', statusCode: 503 })
  await run.emit({ kind: 'text', content: 'last words' })
  run.end()
  await closed
  await client.ended()
  t.strictSame(client.kinds, ['chat_subscribed', 'text', 'text', 'complete', 'stream_closing'])
  t.match(client.events.at(-1), { reason: 'finished' })
  t.match(client.frames.at(-1)?.data, { kind: 'stream_closing', sessionId: 's', retryMs: Number })
})

test('close interrupts runs that go on, delivers their terminals, and ends every stream: idle, waiting and stalled ones', async (t) => {
  const agent = scriptedProvider()
  const closedProvider = latch()
  const { app, url } = await serveApp(t, { providers: { agent: { ...agent, close: async () => closedProvider.open() } }, closeGraceMs: 0 }, { forceCloseConnections: false })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'half' })
  await app.agentRuns.createSession({ id: 'idle' })
  const [busy, idle, waiting, stalled] = await Promise.all(['s', 'idle', 'unborn', 's'].map((id) => SseClient.open(`${url}/sessions/${id}/stream`)))
  await busy!.until(({ seqs }) => seqs.includes(2))
  stalled!.stall()
  for (let i = 0; i < 60; i++) await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'x'.repeat(100_000) })
  await busy!.until(({ seqs }) => seqs.includes(62))
  await app.close()
  await run.stopped.promise
  await closedProvider.promise
  await Promise.all([busy, idle, waiting].map((client) => client!.ended()))
  t.strictSame(busy!.kinds.slice(-3), ['text', 'complete', 'stream_closing'])
  t.match(busy!.events.at(-1), { kind: 'complete', reason: 'interrupted', success: false, aborted: false, exitCode: 1 })
  t.strictSame(idle!.kinds, ['chat_subscribed', 'stream_closing'])
  t.strictSame(waiting!.kinds, ['chat_subscribed', 'stream_closing'])
  stalled!.resume()
  await stalled!.ended()
})

test('closing takes no longer than its grace and 1.75 s, whatever hangs: the agent, its provider, and a reader', async (t) => {
  const never = new Promise<void>(() => {})
  const begun = latch()
  const stuck = {
    async * run () {
      for (let i = 0; i < 60; i++) yield { kind: 'stream_delta' as const, messageId: 'm', content: 'x'.repeat(100_000) }
      begun.open()
      await never
    },
    close: async () => never
  }
  const build = (pluginTimeout: number) => serveApp(t, { providers: { stuck }, closeGraceMs: 200 }, { pluginTimeout, forceCloseConnections: false })
  const { app, url } = await build(200 + 1_750 + 250)
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const reader = await SseClient.open(`${url}/sessions/s/stream`)
  reader.stall()
  await begun.promise
  // Fastify gives up, and rejects, when it takes longer than that.
  await t.resolves(app.close())
  reader.resume()
  await reader.ended()
})

test('with return503OnClosing false, who comes while the server closes is served to the end, and messages are refused by code', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, closeGraceMs: 60_000 }, { return503OnClosing: false, pluginTimeout: 0 })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  const before = await SseClient.open(`${url}/sessions/s/stream`)
  await before.frame('text')
  const closed = app.close()
  // Until the closing has come to the registry.
  let refused = await postJson(`${url}/sessions/other/messages`, { content: 'x' })
  while (refused.status === 202) {
    (await agent.next()).end()
    refused = await postJson(`${url}/sessions/other/messages`, { content: 'x' })
  }
  t.match(refused, { status: 503, body: { code: 'SHUTTING_DOWN', retryAfter: 5 } })
  before.cut()
  const after = await SseClient.open(`${url}/sessions/s/stream`, { headers: { 'last-event-id': '1' } })
  await after.frame('chat_subscribed')
  await run.emit({ kind: 'text', content: 'last words' })
  run.end()
  await after.ended()
  await closed
  t.strictSame(after.kinds, ['chat_subscribed', 'text', 'complete', 'stream_closing'])
  const { retryMs } = after.frames.at(-1)!.data as { retryMs: number }
  t.match(after.raw, `\nretry: ${retryMs}\ndata: {"kind":"stream_closing"`)
})

test('a stream that is being opened while the server closes ends too', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:', closeGraceMs: 0 })
  const opening = await app.agentRuns.openSubscription({ sessionId: 's', owner: null, after: 0, until: null })
  await app.agentRuns.close()
  const written: string[] = []
  const ended = latch()
  opening.start({ format: { encode: () => '' }, events: () => true, frame: ({ kind }) => { written.push(kind) }, end: () => ended.open() })
  await ended.promise
  t.strictSame(written, ['chat_subscribed', 'stream_closing'])
})

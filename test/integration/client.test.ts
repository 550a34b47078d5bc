/* The client library against the real server, over both transports. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { type ConnectionState, createClient, emptyTranscript, fold, type RunsClient, type StreamItem, type Transcript } from '../../client/index.ts'
import { echo } from '../../providers/echo/echo.ts'
import { serveApp } from '../helpers/build-app.ts'
import { latch } from '../helpers/latch.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { stateShortly, takeAll } from '../helpers/taken.ts'

for (const transport of ['sse', 'websocket'] as const) {
  const connect = (url: string): RunsClient => createClient(url, { transport, WebSocket, retry: { minMs: 1, maxMs: 20 } })

  test(`${transport}: a message, its run, and its end`, async (t) => {
    const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) }, prefix: '/api' })
    const client = connect(`${url}/api`)
    const started = await client.send('s', 'ping pong')
    t.match(started, { sessionId: 's', cursor: 0, status: 'running' })
    const states: string[] = []
    let transcript = emptyTranscript
    for await (const item of client.follow('s', { until: 'complete', onState: (state) => states.push(stateShortly(state)) })) transcript = fold(transcript, item)
    t.match(transcript, { cursor: 6, runs: [{ runId: started.runId, status: 'completed', complete: { reason: 'finished' }, parts: [{ role: 'user', content: 'ping pong' }, { role: 'assistant', content: 'ping pong' }] }] })
    t.equal(states.at(-1), 'closed well')
    t.strictSame(await takeAll(client.follow('s', { until: 'complete', cursor: 6 })), transport === 'sse' ? [] : ['chat_subscribed'], 'who has it all is done')
    t.strictSame(await client.send('s', 'ping pong', { idempotencyKey: 'k' }), await client.send('s', 'ping pong', { idempotencyKey: 'k' }).then((again) => ({ ...again, status: 'running' })))
    t.match(await client.abort('s', { runId: started.runId }), { kind: 'complete', seq: 6 })
    client.close()
  })

  test(`${transport}: an approval is asked for and given; a run is stopped; a session is deleted under its followers`, async (t) => {
    const agent = scriptedProvider()
    const { url } = await serveApp(t, { providers: { agent } })
    const client = connect(url)
    let transcript: Transcript = emptyTranscript
    let waiting = { until: (_: StreamItem): boolean => false, latch: latch() }
    const until = (so: (item: StreamItem) => boolean): Promise<void> => {
      waiting = { until: so, latch: latch() }
      return waiting.latch.promise
    }
    const subscription = client.subscribe('s', (item) => {
      transcript = fold(transcript, item)
      if (waiting.until(item)) waiting.latch.open()
    })
    const asked = until(({ kind }) => kind === 'permission_request')
    await client.send('s', 'go')
    const run = await agent.next()
    const decision = run.context.requestPermission({ toolName: 'rm', input: {} })
    await asked
    const part = transcript.runs[0]!.parts[1]!
    t.match(part, { type: 'permission', outcome: null })
    const requestId = part.type === 'permission' ? part.requestId : ''
    const told = until(({ kind }) => kind === 'permission_resolved')
    await client.approve('s', requestId, { allow: true })
    t.match(await decision, { allow: true })
    await told
    t.match(transcript.runs[0]!.parts[1], { outcome: { allow: true } })
    await t.rejects(client.approve('s', requestId, { allow: false }), { code: 'PERMISSION_ALREADY_RESOLVED' })
    await t.rejects(client.send('s', 'too'), { code: 'RUN_IN_PROGRESS', runId: run.context.runId })
    const queued = await client.send('s', { content: 'later', onBusy: 'queue' })
    t.equal(await client.abort('s', { runId: queued.runId }), null)

    const over = until(({ kind }) => kind === 'complete')
    const aborted = client.abort('s')
    await run.stopped.promise
    run.end()
    t.match(await aborted, { kind: 'complete', reason: 'aborted' })
    await over
    const gone = until(({ kind }) => kind === 'session_deleted')
    await client.deleteSession('s')
    await gone
    await subscription.closed
    await t.rejects(takeAll(client.follow('s')), { code: 'SESSION_DELETED' })
    client.close()
  })

  test(`${transport}: whose identity has expired is told so, and does not come back`, async (t) => {
    let isKnown = true
    const { url } = await serveApp(t, {
      providers: { echo: echo() },
      heartbeatMs: 100,
      identify: () => isKnown ? { owner: 'me', expiresAt: new Date(Date.now() + 100) } : null
    })
    const client = connect(url)
    const states: string[] = []
    const all = takeAll(client.follow('s', {
      onState: (state: ConnectionState) => {
        states.push(stateShortly(state))
        if (state.status === 'live') isKnown = false
      }
    }))
    await t.rejects(all, { code: 'UNAUTHENTICATED' })
    t.equal(states.at(-1), 'closed UNAUTHENTICATED')
  })

  test(`${transport}: a client that leaves is gone from the server, too`, async (t) => {
    const requests: FastifyRequest[] = []
    const { url } = await serveApp(t, { providers: { echo: echo() }, onRequest: async (request: FastifyRequest) => { requests.push(request) } })
    const client = connect(url)
    for (let times = 0; times < 5; times++) {
      for await (const { kind } of client.follow('s')) {
        if (kind === 'chat_subscribed') break
      }
    }
    // Node's fetch may keep connections in reserve; those that were used are gone.
    while (!requests.every(({ raw }) => raw.socket.destroyed)) await nextTurn()
    t.equal(requests.length, 5)
  })
}

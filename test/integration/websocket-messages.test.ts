/* What a client does over a WebSocket: send, abort, and what it is told of that. */
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import type { AcceptedFrame } from '../../lib/protocol/words.ts'
import { serveApp } from '../helpers/build-app.ts'
import { latch } from '../helpers/latch.ts'
import { SocketClient, type SocketMessage } from '../helpers/read-socket.ts'
import { postJson } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, ...options })
  const client = await SocketClient.open(url)
  t.teardown(() => client.cut())
  return { app, url, agent, client }
}

/** A frame in a line. */
function line (frame: SocketMessage): string {
  return 'seq' in frame ? `${frame.seq} ${frame.kind}` : frame.kind
}

test('the sender of a message follows its session from the first event of the run on, behind chat_accepted', async (t) => {
  const { agent, client, url } = await serve(t)
  await postJson(`${url}/sessions/s/messages`, { content: 'earlier' })
  ;(await agent.next()).end()
  await (await fetch(`${url}/sessions/s/stream?until=complete`)).text()
  client.send({ type: 'chat.send', sessionId: 's', content: 'go', requestId: 'mine' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'hello' })
  run.end()
  await client.frame('complete')
  t.strictSame(client.frames.map(line), ['chat_accepted', 'chat_subscribed', '3 text', '4 text', '5 complete'])
  t.strictSame(client.frames[0], { kind: 'chat_accepted', requestId: 'mine', sessionId: 's', runId: run.context.runId, cursor: 2, status: 'running' })
  t.match(client.frames[1], { sessionId: 's', cursor: 2, runId: run.context.runId })
})

test('a sender that follows its session already is not subscribed again, and gets each event once', async (t) => {
  const { agent, client } = await serve(t)
  client.subscribe({ s: 0 })
  await client.frame('chat_subscribed')
  for (const end of [3, 6]) {
    client.send({ type: 'chat.send', sessionId: 's', content: 'go' })
    const run = await agent.next()
    await run.emit({ kind: 'text', content: 'hello' })
    run.end()
    await client.until(({ seqs }) => seqs.at(-1) === end)
  }
  await client.served()
  const ofSession = client.session('s').frames
  t.strictSame(ofSession.filter((frame) => 'seq' in frame).map(line), ['1 text', '2 text', '3 complete', '4 text', '5 text', '6 complete'])
  t.strictSame(ofSession.filter((frame) => !('seq' in frame)).map(line), ['chat_subscribed', 'chat_accepted', 'chat_accepted'])
})

test('a sender whose subscription to what is new has yet to begin gets its run from the first event all the same', async (t) => {
  const { agent, client, url } = await serve(t)
  await postJson(`${url}/sessions/large/messages`, { content: 'go' })
  const large = await agent.next()
  for (let i = 0; i < 120; i++) await large.emit({ kind: 'text', content: 'x'.repeat(100_000) })
  // It has its turn behind all of the other.
  client.stall()
  client.subscribe({ large: 0 }).subscribe({ s: 'latest' })
  client.send({ type: 'chat.send', sessionId: 's', content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'hello' })
  client.resume()
  await client.frame('chat_subscribed', 's')
  run.end()
  await client.frame('complete', 's')
  t.strictSame(client.session('s').frames.map(line), ['chat_accepted', 'chat_subscribed', '1 text', '2 text', '3 complete'])
})

test('a message that is sent again because its answer was lost is the same run, and the sender follows it from its beginning', async (t) => {
  const { agent, client, url } = await serve(t)
  const message = { type: 'chat.send' as const, sessionId: 's', content: 'go', idempotencyKey: 'k1' }
  // Its answer is lost with the connection.
  client.send(message)
  const run = await agent.next()
  client.cut()
  await run.emit({ kind: 'text', content: 'hello' })
  const again = await SocketClient.open(url)
  again.send({ ...message, requestId: 'second' })
  await again.until(({ seqs }) => seqs.at(-1) === 2)
  again.send({ ...message, requestId: 'third' })
  run.end()
  await again.frame('complete')
  again.send({ ...message, requestId: 'fourth' }, { ...message, content: 'another' })
  t.strictSame(await again.frame('protocol_error'), {
    kind: 'protocol_error', code: 'IDEMPOTENCY_KEY_REUSED', error: 'The idempotency key was used for another message.', sessionId: 's'
  })
  const accepted = again.frames.filter((frame): frame is AcceptedFrame => frame.kind === 'chat_accepted')
  t.match(accepted.map(({ requestId, runId, cursor }) => [requestId, runId, cursor]), [
    ['second', run.context.runId, 0], ['third', run.context.runId, 0], ['fourth', run.context.runId, 0]
  ])
  t.strictSame([accepted[0]!.status, accepted[2]!.status], ['running', 'completed'])
  t.strictSame(again.seqs, [1, 2, 3])
  again.cut()
})

test('messages that were sent again and again from socket to socket while connections break are one run each', async (t) => {
  const { agent, url, app } = await serve(t)
  for (const sessionId of ['a', 'b', 'c']) {
    const message = { type: 'chat.send' as const, sessionId, content: 'go', idempotencyKey: 'k' }
    const clients = await Promise.all([1, 2, 3, 4].map(() => SocketClient.open(url)))
    for (const client of clients) client.send(message, message)
    for (const client of clients.slice(0, 2)) client.cut()
    const run = await agent.next()
    await Promise.all(clients.slice(2).map((client) => client.frame('chat_accepted', sessionId, 2)))
    run.end()
    await Promise.all(clients.slice(2).map((client) => client.frame('complete')))
    t.strictSame((await app.agentRuns.listRuns(sessionId)).runs.map(({ runId }) => runId), [run.context.runId])
    for (const client of clients.slice(2)) {
      t.strictSame(client.session(sessionId).seqs, [1, 2])
      client.cut()
    }
  }
})

test('a session that is busy refuses a message, and names the run that is in the way; with onBusy it waits or takes its place', async (t) => {
  const { agent, client } = await serve(t)
  client.send({ type: 'chat.send', sessionId: 's', content: 'first' })
  const first = await agent.next()
  client.send({ type: 'chat.send', sessionId: 's', content: 'second', requestId: 'r2' })
  t.strictSame(await client.frame('protocol_error'), {
    kind: 'protocol_error', code: 'RUN_IN_PROGRESS', error: 'Session "s" is busy with another run.', sessionId: 's', requestId: 'r2', runId: first.context.runId
  })
  client.send({ type: 'chat.send', sessionId: 's', content: 'third', onBusy: 'queue', requestId: 'r3' })
  t.match(await client.frame('chat_accepted', 's', 2), { requestId: 'r3', status: 'queued' })
  client.send({ type: 'chat.send', sessionId: 's', content: 'fourth', onBusy: 'interrupt', requestId: 'r4' })
  const fourth = await agent.next()
  t.match(await client.frame('chat_accepted', 's', 3), { requestId: 'r4', status: 'running', runId: fourth.context.runId })
  fourth.end()
  ;(await agent.next()).end()
  await client.frame('complete', 's', 3)
  t.match(client.events.map((event) => [event.kind, 'content' in event ? event.content : 'reason' in event && event.reason]), [
    ['text', 'first'], ['complete', 'aborted'], ['text', 'fourth'], ['complete', 'finished'], ['text', 'third'], ['complete', 'finished']
  ])
})

test('an abort is answered with the end that holds, whichever run it means, and however late it comes', async (t) => {
  const { agent, client } = await serve(t)
  client.send({ type: 'chat.send', sessionId: 's', content: 'one' })
  const one = await agent.next()
  await client.frame('chat_accepted')
  client.send({ type: 'chat.send', sessionId: 's', content: 'two', onBusy: 'queue' })
  const { runId: waiting } = await client.frame('chat_accepted', 's', 2) as AcceptedFrame
  client.send({ type: 'chat.abort', sessionId: 's', runId: waiting, requestId: 'a0' })
  t.strictSame(await client.frame('chat_aborted'), { kind: 'chat_aborted', requestId: 'a0', sessionId: 's', runId: waiting, complete: null }, 'its end comes in its turn')
  client.send({ type: 'chat.abort', sessionId: 's', requestId: 'a1' })
  const aborted = await client.frame('chat_aborted', 's', 2)
  await one.stopped.promise
  const complete = await client.frame('complete')
  t.match(complete, { reason: 'aborted', aborted: true, runId: one.context.runId })
  t.strictSame(aborted, { kind: 'chat_aborted', requestId: 'a1', sessionId: 's', runId: one.context.runId, complete })
  await client.frame('complete', 's', 2)

  client.send({ type: 'chat.abort', sessionId: 's', runId: one.context.runId })
  t.strictSame(await client.frame('chat_aborted', 's', 3), { kind: 'chat_aborted', sessionId: 's', runId: one.context.runId, complete }, 'the end that it has')
  client.send(
    { type: 'chat.abort', sessionId: 's', requestId: 'idle' }, { type: 'chat.abort', sessionId: 's', runId: 'none' }, { type: 'chat.abort', sessionId: 'nowhere' }
  )
  await client.frame('protocol_error', 'nowhere')
  t.match(client.frames.filter(({ kind }) => kind === 'protocol_error'), [
    { code: 'NO_ACTIVE_RUN', sessionId: 's', requestId: 'idle' }, { code: 'RUN_NOT_FOUND', sessionId: 's' }, { code: 'SESSION_NOT_FOUND', sessionId: 'nowhere' }
  ])
  t.strictSame(client.seqs, [1, 2, 3, 4])
})

test('an abort that names its message stops that and no other, also before it comes', async (t) => {
  const { agent, client } = await serve(t)
  client.send({ type: 'chat.send', sessionId: 's', content: 'one', messageId: 'm1', idempotencyKey: 'k1' })
  const one = await agent.next()
  client.send({ type: 'chat.abort', sessionId: 's', messageId: 'm2', requestId: 'early' })
  t.match(await client.frame('chat_aborted'), { requestId: 'early', runId: null, complete: null, expiresAt: String })
  client.send({ type: 'chat.send', sessionId: 's', content: 'two', messageId: 'm2', onBusy: 'queue' })
  await client.frame('chat_accepted', 's', 2)
  t.equal(one.context.signal.aborted, false, 'the running one is another')
  client.send({ type: 'chat.abort', sessionId: 's', idempotencyKey: 'k1', requestId: 'late' })
  t.match(await client.frame('chat_aborted', 's', 2), { requestId: 'late', complete: { runId: one.context.runId, reason: 'aborted' } })
  await client.frame('complete', 's', 2)
  t.match(client.events.map((event) => [event.kind, 'content' in event ? event.content : 'reason' in event && event.reason]), [['text', 'one'], ['complete', 'aborted'], ['text', 'two'], ['complete', 'aborted']])
})

test('messages are served in the order in which they were sent, however long one takes', async (t) => {
  const { agent, client } = await serve(t, { authorize: (_request, { action }) => action !== 'send' || new Promise((resolve) => { setImmediate(resolve, true) }) })
  const names = Array.from({ length: 30 }, (_, i) => `n${i}`)
  client.sendTogether(...names.flatMap((name, i) => [
    i % 2 === 0 ? { type: 'chat.send' as const, sessionId: name, content: 'go', requestId: name } : { type: 'chat.abort' as const, sessionId: name, requestId: name },
    { type: 'chat.unsubscribe' as const, sessions: [{ sessionId: name }] }
  ]))
  await client.frame('chat_unsubscribed', 'n29')
  const answers = client.frames.filter(({ kind }) => ['chat_accepted', 'protocol_error', 'chat_unsubscribed'].includes(kind))
  t.strictSame(answers.map(({ kind, sessionId }) => `${sessionId} ${kind}`), names.flatMap((name, i) => [
    `${name} ${i % 2 === 0 ? 'chat_accepted' : 'protocol_error'}`, `${name} chat_unsubscribed`
  ]))
  for (let i = 0; i < 15; i++) (await agent.next()).end()
})

test('messages of a session are served in their order; those of others do not wait for them', async (t) => {
  const held = latch()
  const { client } = await serve(t, {
    providers: { agent: { async * run () {} } },
    authorize: async (_request, { session, action }) => {
      if (session?.id === 'slow' && action === 'send') await held.promise
      return true
    }
  })
  client.send({ type: 'chat.send', sessionId: 'slow', content: 'go', requestId: 'slow-1' })
  await client.until(({ frames }) => frames.some(({ kind }) => kind === 'complete'))
  client.send({ type: 'chat.send', sessionId: 'slow', content: 'go', requestId: 'slow-2' })
  client.send({ type: 'chat.unsubscribe', sessions: [{ sessionId: 'slow' }, { sessionId: 'other' }] })
  client.send({ type: 'chat.send', sessionId: 'other', content: 'go', requestId: 'other-1' })
  await client.until(({ frames }) => frames.some((frame) => 'requestId' in frame && frame.requestId === 'other-1'))
  const told = (): unknown[] => client.frames.filter(({ kind }) => kind === 'chat_accepted' || kind === 'chat_unsubscribed')
    .map((frame) => 'requestId' in frame ? frame.requestId : `unsubscribed ${String(frame.sessionId)}`)
  t.strictSame(told(), ['slow-1', 'unsubscribed other', 'other-1'])
  held.open()
  await client.until(() => told().length === 5)
  t.strictSame(told().slice(3), ['slow-2', 'unsubscribed slow'])
})

import { test, type Test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { type ScriptedProvider, scriptedProvider } from '../helpers/scripted-provider.ts'

async function build (t: Test) {
  const agent: ScriptedProvider = scriptedProvider({ optionsSchema: { type: 'object' } as never })
  const { app, url } = await serveApp(t, { providers: { agent } })
  const post = (key: string | undefined, body: unknown, session = 's') =>
    postJson(`${url}/sessions/${session}/messages`, body, key === undefined ? {} : { 'idempotency-key': key })
  return { agent, app, url, post }
}

test('the same key and request is the same run: at once, while it runs, and after its end', async (t) => {
  const { agent, app, post } = await build(t)
  const answers = await Promise.all(Array.from({ length: 20 }, () => post('k1', { content: 'hi' })))
  t.strictSame(new Set(answers.map(({ status, body }) => `${status} ${String(body['runId'])} ${String(body['cursor'])}`)).size, 1)
  const { status, body: first } = answers[0]!
  t.equal(status, 202)
  const run = await agent.next()
  t.match(await post('k1', { content: 'hi' }), { status: 202, body: { ...first, status: 'running' } })
  run.end()
  while (await app.agentRuns.isProcessing('s')) await new Promise(setImmediate)
  t.match(await post('k1', { content: 'hi' }), { status: 202, body: { ...first, status: 'completed' } })
  t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)
})

test('the same key with anything else in the request is refused; the order of keys is nothing else', async (t) => {
  const { post } = await build(t)
  const options = { a: 1, b: { c: 2, d: [3] } }
  const { body: { runId } } = await post('k', { content: 'hi', options, onBusy: 'queue' })
  t.match(await post('k', { onBusy: 'queue', options: { b: { d: [3], c: 2 }, a: 1 }, content: 'hi' }), { status: 202, body: { runId } })
  for (const other of [{ content: 'ho' }, { content: 'hi' }, { content: 'hi', options, onBusy: 'reject' }, { content: 'hi', options: { a: 1 }, onBusy: 'queue' }, { content: 'hi', options, onBusy: 'queue', provider: 'agent' }]) {
    t.match(await post('k', other), { status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
  }
})

test('a key belongs to its session, and is recorded only with a message that was accepted', async (t) => {
  const { post } = await build(t)
  const { body: one } = await post('k', { content: 'hi' })
  const { body: other } = await post('k', { content: 'hi' }, 'other')
  t.not(one['runId'], other['runId'])
  t.match(await post('k2', { content: 'next' }), { status: 409, body: { code: 'RUN_IN_PROGRESS', runId: one['runId'] } })
  t.match(await post('k2', { content: 'next', onBusy: 'queue' }), { status: 202, body: { status: 'queued' } }, 'the refused one left no trace')
})

test('a repeat of a message that waited answers with the same cursor, whatever has become of it', async (t) => {
  const { agent, app, post } = await build(t)
  await post(undefined, { content: 'one' })
  const queued = await post('k', { content: 'two', onBusy: 'queue' })
  t.match(queued.body, { status: 'queued', cursor: 1 })
  ;(await agent.next()).end()
  const second = await agent.next()
  t.match((await post('k', { content: 'two', onBusy: 'queue' })).body, { ...queued.body, status: 'running' })
  second.end()
  while (await app.agentRuns.isProcessing('s')) await new Promise(setImmediate)
  t.match((await post('k', { content: 'two', onBusy: 'queue' })).body, { ...queued.body, status: 'completed' })
})

test('a repeat is answered even while the server closes, when nothing else is', async (t) => {
  const { agent, app } = await build(t)
  const first = await app.agentRuns.startRun({ sessionId: 's', content: 'hi', idempotencyKey: 'k' })
  const run = await agent.next()
  void app.agentRuns.startRun({ sessionId: 's', content: 'later', onBusy: 'queue' })
  const closing = app.agentRuns.close()
  await t.rejects(app.agentRuns.startRun({ sessionId: 'new', content: 'hi', idempotencyKey: 'other' }), { code: 'AGENT_RUNS_SHUTTING_DOWN' })
  await t.rejects(app.agentRuns.startRun({ sessionId: 'new', content: 'hi' }), { code: 'AGENT_RUNS_SHUTTING_DOWN' })
  t.match(await app.agentRuns.startRun({ sessionId: 's', content: 'hi', idempotencyKey: 'k' }), { runId: first.runId, cursor: 0 })
  run.end()
  await closing
})

test('a repeat that asks for the stream gets the run\'s own, from its beginning to its end', async (t) => {
  const { agent, url, post } = await build(t)
  await post('k', { content: 'hi' })
  ;(await agent.next()).end()
  const repeat = async (held: Record<string, string>): Promise<SseClient> => {
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream', 'idempotency-key': 'k', ...held }
    const again = await SseClient.open(`${url}/sessions/s/messages`, { method: 'POST', headers, body: '{"content":"hi"}' })
    await again.ended()
    return again
  }
  t.strictSame((await repeat({})).kinds, ['chat_subscribed', 'text', 'complete'])
  t.strictSame((await repeat({ 'last-event-id': '1' })).kinds, ['chat_subscribed', 'complete'], 'or from where the client was')
  t.strictSame((await repeat({ 'last-event-id': 'x' })).kinds, ['chat_subscribed', 'text', 'complete'])
  t.equal((await repeat({ 'last-event-id': '2' })).response.statusCode, 204, 'which may be its end')
})

test('a key that is none is refused by name', async (t) => {
  const { post } = await build(t)
  for (const key of ['', 'with space', 'x'.repeat(256)]) t.match(await post(key, { content: 'hi' }), { status: 400, body: { code: 'INVALID_REQUEST' } })
})

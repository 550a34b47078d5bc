/* Stop before the run exists, as people press it: while the message is still on its way. */
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import { aiSdkDialect } from '../../transports/dialects/index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { latch } from '../helpers/latch.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, dialects: { 'ai-sdk': aiSdkDialect() }, ...options })
  const post = async (path: string, body?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, { method: 'POST', headers: { ...body && { 'content-type': 'application/json' }, ...headers }, ...body && { body: JSON.stringify(body) } })
    const text = await response.text()
    return { status: response.status, text, json: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown> }
  }
  const story = async () => (await app.agentRuns.history('s')).events.map((event) => event.kind === 'complete' ? event.reason : event.kind)
  return { app, agent, post, story }
}

for (const [what, name, headers] of [['its id', { messageId: 'm' }, {}], ['its key', { idempotencyKey: 'k' }, { 'idempotency-key': 'k' }]] as const) {
  test(`a stop that names a message by ${what} holds, though the message is still being authorized`, async (t) => {
    const [asked, allowed] = [latch(), latch()]
    const { app, agent, post, story } = await serve(t, {
      authorize: async (_request, { action }) => {
        if (action !== 'send') return true
        asked.open()
        await allowed.promise
        return true
      }
    })
    const sending = post('/sessions/s/messages', { content: 'go', messageId: 'm' }, headers)
    await asked.promise
    const stopped = await post('/sessions/s/abort', name)
    t.match([stopped.status, stopped.json], [202, { status: 'pending', expiresAt: /^20\d\d-/ }])
    allowed.open()
    t.match(await sending, { status: 202, json: { status: 'completed' } })
    t.strictSame(await story(), ['text', 'aborted'])
    t.match(await post('/sessions/s/abort', name), { status: 200, json: { kind: 'complete', reason: 'aborted' } }, 'again it is told the end')
    t.equal(app.agentRuns.drivenRuns, 0)
    await app.agentRuns.startRun({ sessionId: 's', content: 'next' })
    t.equal((await agent.next()).context.content, 'next', 'the agent hears of the next message only')
  })
}

test('a stop that names a message stops its run, and no later one', async (t) => {
  const { agent, post, story, app } = await serve(t)
  await post('/sessions/s/messages', { content: 'one', messageId: 'one' })
  await agent.next()
  await post('/sessions/s/messages', { content: 'two', messageId: 'two', onBusy: 'queue' })
  t.match(await post('/sessions/s/abort', { messageId: 'two' }), { status: 202, json: { status: 'queued', aborted: true } })
  t.match(await post('/sessions/s/abort', { messageId: 'one' }), { status: 200, json: { kind: 'complete', reason: 'aborted' } })
  t.strictSame(await story(), ['text', 'aborted', 'text', 'aborted'])
  await post('/sessions/s/messages', { content: 'three', messageId: 'three' })
  const run = await agent.next()
  t.match(await post('/sessions/s/abort', { messageId: 'one' }), { status: 200, json: { reason: 'aborted' } })
  t.equal((await app.agentRuns.getSession('s'))?.runId, run.context.runId)
})

test('useChat\'s message is stopped before it comes: its stream says so', async (t) => {
  const { post } = await serve(t)
  t.equal((await post('/sessions/s/abort', { messageId: 'user-1' })).status, 202)
  const { status, text } = await post('/ai-sdk', { id: 's', messages: [{ id: 'user-1', role: 'user', parts: [{ type: 'text', text: 'go' }] }], trigger: 'submit-message' })
  t.equal(status, 200)
  t.match(text, '"type":"abort"')
})

test('a stop names one thing, and is bounded; a session of others is like none', async (t) => {
  const { app, post } = await serve(t, { identify: (request) => String(request.headers['x-user'] ?? 'ada') })
  for (const body of [{ messageId: '' }, { messageId: 'm', idempotencyKey: 'k' }, { runId: 'r', messageId: 'm' }, { idempotencyKey: 'a b' }, { messageId: 5 }]) {
    t.match(await post('/sessions/s/abort', body), { status: 400, json: { code: 'INVALID_REQUEST' } }, JSON.stringify(body))
  }
  await app.agentRuns.createSession({ id: 'hers', owner: 'ada' })
  for (const sessionId of ['hers', 'none']) t.match(await post(`/sessions/${sessionId}/abort`, { messageId: 'm' }, { 'x-user': 'bob' }), { status: 202, json: { status: 'pending' } })
  for (let n = 0; n < 98; n++) await app.agentRuns.stopMessage({ sessionId: 's', messageId: `${n}`, owner: 'bob' })
  t.match(await post('/sessions/s/abort', { messageId: 'more' }, { 'x-user': 'bob' }), { status: 429, json: { code: 'TOO_MANY_STOPS' } })
  t.match(await post('/sessions/s/abort', { messageId: 'more' }), { status: 202 })
})

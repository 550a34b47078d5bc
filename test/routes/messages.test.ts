import { test } from 'tap'
import { ProviderError } from '../../index.ts'
import { buildApp, serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('of 100 simultaneous POSTs to one session one is accepted, 99 are told which run is running and where', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent } })
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => postJson(`${url}/sessions/s/messages`, { content: `message ${i}` })))
  const accepted = answers.filter(({ status }) => status === 202)
  const refused = answers.filter(({ status }) => status === 409)
  t.equal(accepted.length, 1)
  t.equal(refused.length, 99)
  const { runId, ...rest } = accepted[0]!.body
  t.strictSame(rest, { sessionId: 's', cursor: 0, status: 'running' })
  t.equal(accepted[0]!.headers.get('location'), '/sessions/s/stream?lastEventId=0')
  for (const { body, headers } of refused) {
    t.strictSame(body, { statusCode: 409, code: 'RUN_IN_PROGRESS', error: 'Conflict', message: 'Session "s" is busy with another run.', runId })
    t.equal(headers.get('location'), '/sessions/s/stream?lastEventId=0')
  }
  t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)
  const events = []
  for await (const { kind, seq } of app.agentRuns.replayEvents('s')) events.push([seq, kind])
  t.strictSame(events, [[1, 'text']], 'what was refused left no trace')
})

test('POST with Accept: text/event-stream answers with that run\'s own stream, which ends behind its complete', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent }, prefix: '/api/v1' })
  const post = (content: string) => SseClient.open(`${url}/api/v1/sessions/s/messages`, {
    method: 'POST', headers: { accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify({ content })
  })
  const first = post('one')
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'yes' })
  run.end()
  const client = await (await first).ended()
  t.equal(client.response.statusCode, 200)
  t.equal(client.response.headers.location, '/api/v1/sessions/s/stream?lastEventId=0')
  t.match(client.response.headers, { 'content-type': /^text\/event-stream/, 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no', 'x-content-type-options': 'nosniff' })
  t.strictSame(client.frames.map(({ id, data }) => [id, data.kind]), [['0', 'chat_subscribed'], ['1', 'text'], ['2', 'text'], ['3', 'complete']])

  const second = post('two')
  ;(await agent.next()).end()
  t.strictSame((await (await second).ended()).frames.map(({ id, data }) => [id, data.kind]), [['3', 'chat_subscribed'], ['4', 'text'], ['5', 'complete']])
})

test('an abort answers with the terminal without waiting for the provider, and nothing of the run comes after it', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } })
  const { body: { runId } } = await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'half a sen' })
  const aborted = await postJson(`${url}/sessions/s/abort`, { runId })
  t.equal(aborted.status, 200)
  t.match(aborted.body, { kind: 'complete', runId, exitCode: 1, success: false, aborted: true, reason: 'aborted', actualSessionId: 's' })
  await run.stopped.promise
  void run.emit({ kind: 'text', content: 'late' })

  t.strictSame((await postJson(`${url}/sessions/s/abort`, { runId })).body, aborted.body, 'twice is once')
  await postJson(`${url}/sessions/s/messages`, { content: 'next' })
  const next = await agent.next()
  t.strictSame((await postJson(`${url}/sessions/s/abort`, { runId })).body, aborted.body, 'a late abort does not hit the next run')
  await next.emit({ kind: 'text', content: 'alive' })
  next.end()

  const client = await SseClient.open(`${url}/sessions/s/stream`)
  await client.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length === 2)
  client.cut()
  t.strictSame(client.events.map((event) => [event.kind, 'content' in event ? event.content : 'reason' in event && event.reason]), [
    ['text', 'go'], ['stream_delta', 'half a sen'], ['text', 'half a sen'], ['complete', 'aborted'],
    ['text', 'next'], ['text', 'alive'], ['complete', 'finished']
  ])
})

test('aborts that hit nothing say so', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent } })
  const abort = async (id: string, payload?: object) => {
    const { statusCode, body } = await app.inject({ method: 'POST', url: `/sessions/${id}/abort`, ...(payload && { payload }) })
    return [statusCode, (JSON.parse(body) as { code: string }).code]
  }
  t.strictSame(await abort('none'), [404, 'SESSION_NOT_FOUND'])
  await app.agentRuns.createSession({ id: 'idle' })
  t.strictSame(await abort('idle'), [409, 'NO_ACTIVE_RUN'])
  t.strictSame(await abort('idle', {}), [409, 'NO_ACTIVE_RUN'])
  t.strictSame(await abort('idle', { runId: 'unknown' }), [404, 'RUN_NOT_FOUND'])
  const { runId } = await app.agentRuns.startRun({ sessionId: 'other', content: 'x' })
  t.strictSame(await abort('idle', { runId }), [404, 'RUN_NOT_FOUND'], 'a run of another session')
  ;(await agent.next()).end()
})

test('an abort racing the provider\'s own end leaves one terminal, and both are told the same', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent }, store: ':memory:' })
  const reasons = new Set<string>()
  for (let round = 0; round < 200; round++) {
    const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: 'x' })
    const run = await agent.next()
    const aborting = app.agentRuns.abortRun({ sessionId: 's', runId })
    for (let turn = 0; turn < round % 20; turn++) await Promise.resolve()
    run.end()
    const complete = (await aborting)!
    reasons.add(complete.reason)
    t.match(await app.agentRuns.getRun(runId), { status: 'completed', reason: complete.reason, completeSeq: complete.seq })
  }
  const completes = []
  for await (const { kind, runId } of app.agentRuns.replayEvents('s')) if (kind === 'complete') completes.push(runId)
  t.equal(completes.length, 200)
  t.equal(new Set(completes).size, 200)
  t.strictSame([...reasons].sort(), ['aborted', 'finished'], 'both outcomes were seen')
})

test('which provider runs: the message\'s, else the session\'s, else the default', async (t) => {
  const [one, two] = [scriptedProvider(), scriptedProvider()]
  const app = await buildApp(t, { providers: { one, two } })
  const post = async (id: string, payload: object) => {
    const { statusCode, body } = await app.inject({ method: 'POST', url: `/sessions/${id}/messages`, payload })
    return [statusCode, (JSON.parse(body) as { code?: string, message?: string }).message]
  }
  t.strictSame(await post('s', { content: 'x' }), [400, 'The message must name a provider: "one", "two".'])
  t.strictSame(await post('s', { content: 'x', provider: 'three' }), [400, 'There is no provider "three", only "one", "two".'])
  t.equal(await app.agentRuns.getSession('s'), null, 'what was refused created nothing')
  t.strictSame(await post('s', { content: 'x', provider: 'two' }), [202, undefined])
  ;(await two.next()).end()
  await app.agentRuns.createSession({ id: 'ours', provider: 'one' })
  t.strictSame(await post('ours', { content: 'x' }), [202, undefined])
  ;(await one.next()).end()
})

test('options reach the provider only if its schema allows them', async (t) => {
  const free = scriptedProvider()
  const strict = scriptedProvider({ optionsSchema: { type: 'object', properties: { model: { type: 'string' } }, required: ['model'], additionalProperties: false } })
  const app = await buildApp(t, { providers: { free, strict } })
  const post = async (provider: string, options: object) => {
    const { statusCode, body } = await app.inject({ method: 'POST', url: `/sessions/${provider}/messages`, payload: { content: 'x', provider, options } })
    return [statusCode, (JSON.parse(body) as { code?: string }).code]
  }
  t.strictSame(await post('free', { cwd: '/' }), [400, 'INVALID_OPTIONS'])
  t.strictSame(await post('strict', { model: 5 }), [400, 'INVALID_OPTIONS'])
  t.strictSame(await post('strict', {}), [400, 'INVALID_OPTIONS'])
  t.strictSame(await post('strict', { model: 'm' }), [202, undefined])
  const run = await strict.next()
  t.strictSame(run.context.options, { model: 'm' })
  run.end()
  t.strictSame(await post('free', {}), [202, undefined])
  ;(await free.next()).end()
})

test('a body that is not what the route takes is refused with one code and a reason', async (t) => {
  const app = await buildApp(t, { providers: { agent: scriptedProvider() } })
  const post = async (payload: string, contentType = 'application/json') => {
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/sessions/s/messages', payload, headers: { 'content-type': contentType } })
    const { code, message } = JSON.parse(body) as { code: string, message: string }
    return `${statusCode} ${code} ${message}`
  }
  t.equal(await post('{"content":5}'), '400 INVALID_REQUEST body/content must be string')
  t.equal(await post('{"content":null}'), '400 INVALID_REQUEST body/content must be string')
  t.match(await post('{"content":""}'), /^400 INVALID_REQUEST body\/content/)
  t.match(await post('{"content":[]}'), /^400 INVALID_REQUEST/)
  t.match(await post('{"content":[{"type":"image","mimeType":"image/png"}]}'), /^400 INVALID_REQUEST/)
  t.equal(await post('{"content":[{"type":"text"}]}'), '400 INVALID_REQUEST body/content/0 must have required properties text')
  t.equal(await post('{"content":"x","onBusy":"wait"}'), '400 INVALID_REQUEST body/onBusy must be "reject" or "queue" or "interrupt"')
  t.equal(await post('{"content":"x","onbusy":"queue"}'), '400 INVALID_REQUEST body has no property "onbusy"')
  t.match(await post('{}'), /^400 INVALID_REQUEST body must have required properties content/)
  t.match(await post('{"content":'), /^400 INVALID_REQUEST/)
  t.match(await post(''), /^400 INVALID_REQUEST/)
  t.match(await post('{"content":"x","__proto__":{"a":1}}'), /^400 INVALID_REQUEST/)
  t.match(await post('content=x', 'application/x-www-form-urlencoded'), /^415 UNSUPPORTED_MEDIA_TYPE/)
  t.match(await post('{"content":"x"}', 'text/plain'), /^415 UNSUPPORTED_MEDIA_TYPE/)
  t.match(await post(JSON.stringify({ content: 'x'.repeat(2_000_000) })), /^413 BODY_TOO_LARGE/)
  t.equal(await app.agentRuns.getSession('s'), null)
})

test('a session id is safe in a URL, a log and a file name, or it is refused', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent } })
  for (const id of ['..%2f..%2fetc', '%00', 'a%0d%0ab', '%e2%80%a8', '__proto__', '.hidden', 'x'.repeat(101)]) {
    const { statusCode } = await app.inject({ method: 'POST', url: `/sessions/${id}/messages`, payload: { content: 'x' } })
    t.ok([400, 404, 414].includes(statusCode), `${id}: ${statusCode}`)
    t.strictSame((await app.inject(`/sessions/${id}/stream`)).statusCode, statusCode, 'the same on the stream')
  }
  t.strictSame(await app.agentRuns.listSessions(), { sessions: [], hasMore: false })
  await t.rejects(app.agentRuns.startRun({ sessionId: '../etc', content: 'x' }), { code: 'AGENT_RUNS_INVALID_REQUEST' })
  await t.rejects(app.agentRuns.createSession({ id: '' }), { code: 'AGENT_RUNS_INVALID_REQUEST' })
})

test('content in parts reaches the provider and the log as it is', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent } })
  const content = [{ type: 'text' as const, text: 'look' }, { type: 'image' as const, mimeType: 'image/png', data: 'AAAA', name: 'a.png' }]
  await app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content } })
  const run = await agent.next()
  t.strictSame(run.context.content, content)
  run.fail(new ProviderError('no images here', { code: 'NO_IMAGES', exitCode: 4 }))
  const { value: first } = await app.agentRuns.replayEvents('s').next()
  t.match(first, { seq: 1, kind: 'text', role: 'user', content })
})

test('with createOnMessage false a message needs a session that exists', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent }, createOnMessage: false })
  const post = () => app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content: 'x' } })
  t.equal((await post()).statusCode, 404)
  await app.agentRuns.createSession({ id: 's' })
  t.equal((await post()).statusCode, 202)
  ;(await agent.next()).end()
})

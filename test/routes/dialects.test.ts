import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { test, type Test } from 'tap'
import { type AgentRunsOptions } from '../../index.ts'
import type { Dialect } from '../../transports/dialects/index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { collectGarbage } from '../helpers/collect-garbage.ts'
import { scriptedProvider, type ScriptedRun } from '../helpers/scripted-provider.ts'
import { tracingDialect } from '../helpers/tracing-dialect.ts'

const json = { method: 'POST', headers: { 'content-type': 'application/json' } }

/** An app with the dialect at /tracing. */
async function serve (t: Test, options: Partial<AgentRunsOptions> = {}, server: FastifyServerOptions = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, dialects: { tracing: tracingDialect() }, ...options }, server)
  const post = async (body: object): Promise<Response> => fetch(`${url}/tracing`, { ...json, body: JSON.stringify({ sessionId: 's', ...body }) })
  const get = async (query = ''): Promise<Response> => fetch(`${url}/tracing/s/stream${query}`)
  return { app, agent, url, post, get }
}

/** What a stream has told when it ends. */
const told = async (response: Response): Promise<string[]> => (await response.text()).match(/^data: .*$/gm)!.map((line) => line.slice(6))

const say = (content: string): object => ({ message: { content } })

/** Lets a run that was just posted say a text and end. */
async function finish (run: ScriptedRun, content: string): Promise<void> {
  await run.emit({ kind: 'text', role: 'assistant', messageId: 'm', content })
  run.end()
}

/** A run of the session that is over. */
async function completed (app: FastifyInstance, agent: ReturnType<typeof scriptedProvider>, content: string): Promise<string> {
  const { runId, cursor } = await app.agentRuns.startRun({ sessionId: 's', content })
  await finish(await agent.next(), `${content}!`)
  for await (const event of app.agentRuns.subscribe('s', { after: cursor })) if (event.kind === 'complete') break
  return runId
}

test('a post answers with the stream of its run, from the first event to the last', async (t) => {
  const { agent, post } = await serve(t)
  const response = await post(say('hello'))
  const run = await agent.next()
  t.strictSame([response.status, response.headers.get('content-type'), response.headers.get('x-dialect')], [200, 'text/event-stream; charset=utf-8', 'tracing'])
  await finish(run, 'hi')
  t.strictSame(await told(response), ['begin post', 'text hello', 'text hi', 'complete'])
})

test('the stream opens at once, though the run has to wait for its turn; of other runs nothing is told', async (t) => {
  const { agent, post } = await serve(t)
  const first = await post(say('one'))
  const running = await agent.next()
  const second = await post({ message: { content: 'two', onBusy: 'queue' } })
  const reader = second.body!.getReader()
  let opened = ''
  while (!opened.includes('begin')) opened += Buffer.from((await reader.read()).value!).toString()
  await finish(running, 'first')
  t.strictSame(await told(first), ['begin post', 'text one', 'text first', 'complete'])
  await finish(await agent.next(), 'second')
  let rest = opened
  for (let read = await reader.read(); !read.done; read = await reader.read()) rest += Buffer.from(read.value).toString()
  t.strictSame(rest.match(/^data: .*$/gm), ['data: begin post', 'data: text two', 'data: text second', 'data: complete'])
})

test('who comes back gets the whole run again; where nothing runs, 204', async (t) => {
  const { agent, post, get } = await serve(t)
  t.equal((await get()).status, 204, 'before there is a session')
  await (await post(say('hello'))).body!.cancel()
  const run = await agent.next()
  await run.emit({ kind: 'text', role: 'assistant', messageId: 'm', content: 'hi' })
  const again = await get()
  await finish(run, 'bye')
  t.strictSame(await told(again), ['begin get', 'text hello', 'text hi', 'text bye', 'complete'])
  t.equal((await get()).status, 204, 'afterwards')
})

test('a run that has completed since the history was read is told all the same', async (t) => {
  const { app, agent, url, get } = await serve(t)
  await completed(app, agent, 'one')
  const { cursor } = await (await fetch(`${url}/tracing/s/messages`)).json() as { cursor: number }
  t.equal((await get(`?lastEventId=${cursor}`)).status, 204)
  await completed(app, agent, 'two')
  t.equal((await get('?lastEventId=latest')).status, 204)
  t.strictSame(await told(await get(`?lastEventId=${cursor}`)), ['begin get', 'text two', 'text two!', 'complete'])
  t.strictSame((await (await get('?lastEventId=x')).json() as { code: string }).code, 'INVALID_CURSOR')
})

test('a repeat attaches to the run that there is, running or over', async (t) => {
  const { app, agent, post } = await serve(t)
  const message = { message: { content: 'hello', idempotencyKey: 'k' } }
  const first = await post(message)
  const run = await agent.next()
  const second = await post(message)
  await finish(run, 'hi')
  for (const response of [first, second, await post(message)]) t.strictSame(await told(response), ['begin post', 'text hello', 'text hi', 'complete'])
  t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)
})

test('an approval pauses the stream; the answer\'s stream goes on behind it, and a replay knows what was answered', async (t) => {
  const { agent, post, get } = await serve(t)
  const asking = await post(say('go'))
  const run = await agent.next()
  const decision = run.context.requestPermission({ toolName: 'rm', input: {} })
  t.strictSame(await told(asking), ['begin post', 'text go', 'permission_request paused'])
  t.strictSame(await told(await get()), ['begin get', 'text go', 'permission_request paused'], 'who comes back meanwhile')
  const [{ requestId }] = (await (await fetch(`${asking.url.replace('/tracing', '/sessions/s')}`)).json() as { pendingPermissions: Array<{ requestId: string }> }).pendingPermissions as [{ requestId: string }]

  const going = await post({ answers: [{ requestId, allow: true }] })
  t.equal((await decision).allow, true)
  // Somebody else's click comes late, and sees the same.
  const late = await post({ answers: [{ requestId, allow: false }] })
  const replay = await get()
  await finish(run, 'done')
  const rest = ['begin post', 'skipped text permission_request', 'permission_resolved', 'text done', 'complete']
  const merged = (words: string[]): string => words.join('; ')
  t.equal(merged(await told(going)), merged(rest))
  t.equal(merged(await told(late)), merged(rest))
  t.strictSame(await told(replay), ['begin get', 'text go', 'permission_request', 'permission_resolved', 'text done', 'complete'])
})

test('of several answers in one post the stream goes on behind the last that was asked for', async (t) => {
  const { app, agent, post } = await serve(t)
  const asking = await post(say('go'))
  const run = await agent.next()
  const decisions = ['one', 'two'].map((toolName) => run.context.requestPermission({ toolName, input: {} }))
  await told(asking)
  const { cursor } = (await app.agentRuns.listRuns('s')).runs[0]!
  const requests: string[] = []
  for await (const event of app.agentRuns.subscribe('s', { after: cursor })) {
    if (event.kind === 'permission_request' && requests.push(event.requestId) === 2) break
  }
  const going = await post({ answers: requests.reverse().map((requestId) => ({ requestId, allow: true })) })
  t.strictSame((await Promise.all(decisions)).map(({ allow }) => allow), [true, true])
  await finish(run, 'done')
  t.strictSame(await told(going), ['begin post', 'skipped text permission_request permission_request', 'permission_resolved', 'permission_resolved', 'text done', 'complete'])
})

test('who comes back to a run that waits for one of the process\'s slots is told it in its turn', async (t) => {
  const { app, agent, post, get } = await serve(t, { limits: { runningRuns: 1 } })
  await app.agentRuns.startRun({ sessionId: 'other', content: 'first' })
  const first = await agent.next()
  const posted = await post({ message: { content: 'hello', onBusy: 'queue' } })
  const back = await get()
  t.equal(back.status, 200)
  first.end()
  await finish(await agent.next(), 'hi')
  t.strictSame(await told(back), ['begin get', 'text hello', 'text hi', 'complete'])
  t.strictSame(await told(posted), ['begin post', 'text hello', 'text hi', 'complete'])
})

test('of many answers to one approval the first holds and the store is asked once; many approvals are too many', async (t) => {
  const { app, agent, post } = await serve(t)
  const asking = await post(say('go'))
  const run = await agent.next()
  const decision = run.context.requestPermission({ toolName: 'one', input: {} })
  await told(asking)
  const [pending] = (await app.agentRuns.getSession('s'))!.pendingPermissions
  const { agentRuns } = app
  let asked = 0
  const { getPermission } = agentRuns
  agentRuns.getPermission = async function (...args) { asked++; return getPermission.apply(agentRuns, args) }
  const going = await post({ answers: Array.from({ length: 1_000 }, (_, index) => ({ requestId: pending!.requestId, allow: index === 0 })) })
  t.strictSame([await decision, asked], [{ allow: true }, 1])
  await finish(run, 'done')
  await told(going)
  const many = await post({ answers: Array.from({ length: 201 }, (_, index) => ({ requestId: `r${index}`, allow: true })) })
  t.match(await many.json(), { statusCode: 400, code: 'INVALID_REQUEST', message: /at most 200 approvals/ })
})

test('answers to what nobody has asked for are refused, and to nothing', async (t) => {
  const { app, agent, post } = await serve(t)
  await completed(app, agent, 'one')
  const problem = async (body: object): Promise<unknown> => {
    const { statusCode, code } = await (await post(body)).json() as { statusCode: number, code: string }
    return [statusCode, code]
  }
  t.strictSame(await problem({ answers: [{ requestId: 'nothing', allow: true }] }), [404, 'PERMISSION_NOT_FOUND'])
  t.strictSame(await problem({ answers: [] }), [400, 'INVALID_REQUEST'])
  t.strictSame(await problem({ message: { content: '' } }), [400, 'INVALID_REQUEST'])
  t.strictSame(await problem({ message: { content: 'x', provider: 'nobody' } }), [400, 'UNSUPPORTED_PROVIDER'])
})

test('a stream that ends before its run says so in the dialect', async (t) => {
  const { app, agent, post } = await serve(t)
  const response = await post(say('hello'))
  await agent.next()
  await app.agentRuns.deleteSession('s')
  t.strictSame(await told(response), ['begin post', 'text hello', 'broken session_deleted'])
})

test('without words for it the connection is cut: an end would look like success', async (t) => {
  const { app, agent, post } = await serve(t, { dialects: { tracing: tracingDialect({ last: '' }) } })
  const response = await post(say('hello'))
  await agent.next()
  await app.agentRuns.deleteSession('s')
  await t.rejects(response.text(), { message: 'terminated' })
})

test('an encoder that throws cuts its own stream, and no other', async (t) => {
  const { agent, post, get, url } = await serve(t, { dialects: { tracing: tracingDialect({ throwAt: 'hi' }), other: tracingDialect() } })
  const broken = await post(say('hello'))
  const run = await agent.next()
  const sound = await fetch(`${url}/other/s/stream`)
  await finish(run, 'hi')
  await t.rejects(broken.text(), { message: 'terminated' })
  t.strictSame(await told(sound), ['begin get', 'text hello', 'text hi', 'complete'])
  t.equal((await get()).status, 204)
})

test('the history is that of whole runs, and ends with the message of a run that is running', async (t) => {
  const { app, agent, url } = await serve(t)
  const page = async (query: string) => await (await fetch(`${url}/tracing/s/messages${query}`)).json() as { messages: string[], hasMore: boolean, before: number | null, cursor: number, waiting: unknown[], runs: unknown[] }
  t.strictSame(await page(''), { messages: [], hasMore: false, before: null, cursor: 0, waiting: [], runs: [] })
  for (const content of ['one', 'two', 'three']) await completed(app, agent, content)
  await app.agentRuns.startRun({ sessionId: 's', content: 'four' })
  const run = await agent.next()
  await run.emit({ kind: 'text', role: 'assistant', messageId: 'm', content: 'not yet' })
  const ofRun = (content: string): string[] => [`user: ${content}`, `assistant: ${content}!`, 'complete']
  const all = await page('')
  t.strictSame(all.messages, [...ofRun('one'), ...ofRun('two'), ...ofRun('three'), 'user: four'])
  t.equal(all.hasMore, false)
  t.match(all.runs, [...['one', 'two', 'three'].map(() => ({ runId: String, messageId: String, reason: 'finished' })), { messageId: String, reason: null }])
  await app.agentRuns.startRun({ sessionId: 's', content: 'five', onBusy: 'queue' })
  t.match((await page('')).waiting, [{ preview: 'five' }])
  // Pages end in the middle of runs; these do not.
  for (const limit of [1, 2, 3]) {
    const newest = await page(`?limit=${limit}`)
    t.strictSame(newest.messages, [...ofRun('three'), 'user: four'], `limit ${limit}`)
    t.equal(newest.hasMore, true)
    const older = await page(`?limit=${limit}&before=${newest.before!}`)
    t.strictSame(older.messages, ofRun('two'))
    const oldest = await page(`?limit=${limit}&before=${older.before!}`)
    t.strictSame([oldest.messages, oldest.hasMore], [ofRun('one'), false])
  }
})

test('bodies may be as large as whole conversations, within their own limit', async (t) => {
  const { agent, post, url } = await serve(t, { limits: { bodyBytes: 100, dialectBodyBytes: 1_000 } })
  const response = await post({ ...say('hello'), more: 'x'.repeat(500) })
  await finish(await agent.next(), 'hi')
  t.strictSame(await told(response), ['begin post', 'text hello', 'text hi', 'complete'])
  t.equal((await post({ ...say('hello'), more: 'x'.repeat(1_000) })).status, 413)
  t.equal((await fetch(`${url}/sessions/s/messages`, { ...json, body: JSON.stringify({ content: 'x'.repeat(500) }) })).status, 413)
})

test('a stream does not keep what was posted for it, for as long as it lasts', async (t) => {
  const bodies: Array<WeakRef<object>> = []
  const tracing = tracingDialect()
  const dialect: Dialect = {
    ...tracing,
    read (body) {
      bodies.push(new WeakRef(body as object))
      return tracing.read(body)
    },
    encoder: ({ sessionId, runId, waits }) => tracing.encoder({ sessionId, runId, waits, body: {} })
  }
  // Who logs requests keeps them until they are answered.
  const { agent, post } = await serve(t, { dialects: { tracing: dialect } }, { logger: { level: 'silent' } })
  const response = await post({ ...say('hello'), more: 'x'.repeat(10_000) })
  const run = await agent.next()
  await nextTurn()
  collectGarbage()
  t.strictSame(bodies.map((body) => body.deref()), [undefined])
  await finish(run, 'hi')
  t.strictSame(await told(response), ['begin post', 'text hello', 'text hi', 'complete'])
})

test('the session and the deed that authorize is asked about are those of the body', async (t) => {
  const asked: unknown[] = []
  const { agent, post } = await serve(t, {
    identify: () => 'alice',
    authorize: (_, { action, session }) => {
      asked.push([action, session?.id ?? null])
      return action !== 'approve'
    }
  })
  const response = await post(say('hello'))
  const run = await agent.next()
  run.context.requestPermission({ toolName: 'rm', input: {} }).catch(() => {})
  await told(response)
  const refused = await post({ answers: [{ requestId: 'any', allow: true }] })
  t.equal(refused.status, 403)
  t.strictSame(asked, [['send', null], ['approve', 's']])
})

test('dialects are added to those that there are, and can be turned off', async (t) => {
  const { url } = await serve(t, { dialects: { 'ag-ui': false, tracing: tracingDialect() } })
  const status = async (path: string): Promise<number> => (await fetch(`${url}${path}`)).status
  t.strictSame([await status('/ai-sdk/s/stream'), await status('/ag-ui/s/stream'), await status('/tracing/s/stream')], [204, 404, 204])
})

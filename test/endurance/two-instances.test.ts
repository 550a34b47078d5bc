import { join } from 'node:path'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { RunEnding } from '../../index.ts'
import { buildApp, serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** Two servers on one database: the first runs the agent, clients are at the second. */
async function serveTwo (t: Test) {
  const store = join(tempDir(t), 'runs.db')
  const agent = scriptedProvider()
  const first = await serveApp(t, { providers: { agent }, store })
  const second = await serveApp(t, { providers: { agent: scriptedProvider() }, store })
  return { agent, first, second }
}

test('a stream at one instance follows a run of another, opened before the session, during the run and after it', async (t) => {
  const { agent, first, second } = await serveTwo(t)
  const early = await SseClient.open(`${second.url}/sessions/s/stream`)
  await early.frame('chat_subscribed')
  await postJson(`${first.url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' })
  await early.until(({ seqs }) => seqs.includes(2))
  const during = await SseClient.open(`${second.url}/sessions/s/stream`)
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'two' })
  run.end()
  await Promise.all([early, during].map((client) => client.frame('complete')))
  const after = await (await SseClient.open(`${second.url}/sessions/s/stream?until=complete`)).ended()
  for (const client of [early, during, after]) {
    t.strictSame(client.seqs, [1, 2, 3, 4, 5])
    client.cut()
  }
})

test('an abort at one instance ends a run of another, which stops its provider even if that says nothing', async (t) => {
  const { agent, first, second } = await serveTwo(t)
  const { body: { runId } } = await postJson(`${first.url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'half' })
  const client = await SseClient.open(`${first.url}/sessions/s/stream`)
  const { body } = await postJson(`${second.url}/sessions/s/abort`, {})
  t.match(body, { kind: 'complete', runId, reason: 'aborted', seq: 4 })
  await run.stopped.promise
  await client.frame('complete')
  client.cut()
  t.strictSame(client.events.map(({ seq, kind }) => [seq, kind]), [[1, 'text'], [2, 'stream_delta'], [3, 'text'], [4, 'complete']])
  t.equal((await postJson(`${second.url}/sessions/s/messages`, { content: 'mine' })).status, 202)
})

test('a session is busy for all instances', async (t) => {
  const { agent, first, second } = await serveTwo(t)
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => postJson(`${[first, second][i % 2]!.url}/sessions/s/messages`, { content: 'x' })))
  t.equal(answers.filter(({ status }) => status === 202).length, 1)
  t.equal(answers.filter(({ status, body }) => status === 409 && body['code'] === 'RUN_IN_PROGRESS').length, 39)
  t.match((await (await fetch(`${first.url}/runs`)).json()), await (await fetch(`${second.url}/runs`)).json() as object)
  void agent
})

test('a run that its own process has given up is ended by the session\'s next message, as it was to end', async (t) => {
  const agent = scriptedProvider()
  const store = sqliteStore({ path: ':memory:' })
  t.teardown(() => store.close())
  const app = await buildApp(t, { providers: { agent }, store })
  const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  const { append, closeRun } = store
  const endings: RunEnding[] = []
  store.append = () => Promise.reject(new Error('broken'))
  store.closeRun = async (_, ending) => {
    endings.push(ending)
    throw new Error('broken')
  }
  await run.emit({ kind: 'text', content: 'lost' })
  await run.stopped.promise
  await t.rejects(app.agentRuns.abortRun({ sessionId: 's' }), { code: 'AGENT_RUNS_STORE_UNAVAILABLE', statusCode: 503 })
  t.match(endings.map(({ error }) => error?.code), ['STORE_REFUSED', 'STORE_REFUSED', undefined, undefined], 'at last without any words')
  Object.assign(store, { append, closeRun })
  t.match(await app.agentRuns.startRun({ sessionId: 's', content: 'again' }), { status: 'running' })
  t.match(await app.agentRuns.getRun(runId), { status: 'completed', reason: 'failed' })
})

test('a message that waits is run by whichever instance ends the run before it, and both see that', async (t) => {
  const store = join(tempDir(t), 'runs.db')
  const [here, there] = [scriptedProvider(), scriptedProvider()]
  const first = await serveApp(t, { providers: { agent: here }, store })
  const second = await serveApp(t, { providers: { agent: there }, store })
  const clients = await Promise.all([first, second].map(({ url }) => SseClient.open(`${url}/sessions/s/stream`)))
  const post = (url: string, content: string) => postJson(`${url}/sessions/s/messages`, { content, onBusy: 'queue' })
  await post(first.url, 'one')
  t.match(await post(second.url, 'two'), { status: 202, body: { status: 'queued' } })
  t.match(await post(second.url, 'three'), { status: 202, body: { status: 'queued' } })
  ;(await here.next()).end()
  const two = await here.next()
  t.equal(two.context.content, 'two')
  await postJson(`${second.url}/sessions/s/abort`, {})
  await two.stopped.promise
  const three = await there.next()
  t.equal(three.context.content, 'three', 'the instance that ended the run goes on')
  t.match(await postJson(`${first.url}/sessions/s/messages`, { content: 'now', onBusy: 'interrupt' }), { body: { status: 'running' } })
  await three.stopped.promise
  ;(await here.next()).end()
  for (const client of clients) {
    await client.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length === 4)
    t.strictSame(client.events.map((event) => event.kind === 'complete' ? event.reason : event.kind), ['text', 'finished', 'text', 'aborted', 'text', 'aborted', 'text', 'finished'])
    t.strictSame(client.seqs, [1, 2, 3, 4, 5, 6, 7, 8])
    client.cut()
  }
})

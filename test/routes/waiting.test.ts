/* Messages that wait, as their clients see them: after a reload, live, from another instance. */
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, ...options })
  const send = async (content: string) => (await postJson(`${url}/sessions/s/messages`, { content, messageId: content, onBusy: 'queue' })).body as { runId: string }
  const get = async (path: string) => (await fetch(url + path)).json() as Promise<Record<string, unknown>>
  return { app, url, agent, send, get }
}

/** What each frame of the stream says that waits. */
const told = (client: SseClient): string[] => client.frames.flatMap(({ data }) => 'waiting' in (data as object) ? [(data as { waiting: Array<{ preview: string }> }).waiting.map(({ preview }) => preview).join()] : [])

test('what waits can be read after a reload: in the view, in chat_subscribed, and whole by its run', async (t) => {
  const { url, agent, send, get } = await serve(t)
  const { runId: running } = await send('one')
  await agent.next()
  const long = 'two '.repeat(60).trim()
  const { runId } = await send(long)
  const waiting = [{ runId, messageId: long, preview: long.slice(0, 200), createdAt: String }]
  t.match(await get('/sessions/s'), { queue: [runId], waiting })
  t.match(await (await SseClient.open(`${url}/sessions/s/stream`)).frame('chat_subscribed'), { waiting })
  t.match(await get(`/runs/${runId}`), { status: 'queued', message: { messageId: long, content: long } })
  t.match(await get(`/runs/${running}`), { status: 'running', message: { messageId: 'one', content: 'one' } })
})

test('each change is told live: a message waits, has its turn, is stopped', async (t) => {
  const { url, agent, send } = await serve(t)
  await send('one')
  const run = await agent.next()
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  await client.frame('text')
  await send('two')
  await client.until((client) => told(client).includes('two'))
  const { runId: third } = await send('three')
  await client.until((client) => told(client).includes('two,three'))
  run.end()
  await client.until((client) => told(client).at(-1) === 'three')
  await postJson(`${url}/sessions/s/abort`, { runId: third })
  await client.until((client) => told(client).at(-1) === '')
  t.strictSame(told(client), ['', 'two', 'two,three', 'three', ''])
  const at = (preview: string): number => client.frames.findIndex(({ data }) => JSON.stringify(data).includes(`"preview":"${preview}"`))
  t.ok(at('two') > 0)
})

test('another instance on the same database tells its clients too', async (t) => {
  const store = join(tempDir(t), 'runs.db')
  const [one, other] = [await serve(t, { store }), await serve(t, { store })]
  await one.send('one')
  const run = await one.agent.next()
  const client = await SseClient.open(`${other.url}/sessions/s/stream`)
  await client.frame('text')
  await one.send('two')
  await client.until((client) => told(client).at(-1) === 'two')
  run.end()
  await client.until((client) => told(client).at(-1) === '')
  t.match(client.events.filter(({ kind }) => kind === 'text').map((event) => 'content' in event && event.content), ['one', 'two'])
})

/* @microsoft/fetch-event-source as it is published, in a real browser, on a page whose connections break. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import Fastify from 'fastify'
import type { Page } from 'playwright-core'
import { test, type Test } from 'tap'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import type { Event } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import { newPage, noChromium as skip } from '../helpers/chromium-page.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { frameLine } from '../helpers/frame-line.ts'
import { postJson } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

/** `follow(url, init)` follows a stream as the package's README says; `messages` are those that it told of, `comments` the server's. */
const FOLLOWER = `
  const messages = []
  const ends = []
  let comments = 0
  async function count (stream) {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) comments += chunk.split('\\n').filter((line) => line.startsWith(':')).length
  }
  async function counted (...request) {
    const response = await fetch(...request)
    if (response.body === null) return response
    const [mine, theirs] = response.body.tee()
    count(mine).catch(() => {})
    return new Response(theirs, response)
  }
  function follow (url, init = {}) {
    client.fetchEventSource(url, {
      ...init,
      fetch: counted,
      openWhenHidden: true,
      onmessage: (message) => { messages.push(message) },
      onclose: () => { ends.push('closed') }
    }).then(() => { ends.push('resolved') }, (error) => { ends.push(error.message) })
  }
`

interface Message {
  id: string
  event: string
  data: string
}

/** A page with the package behind a proxy, and the Last-Event-ID of each request for a stream. */
async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const stdin = { contents: 'export { fetchEventSource } from \'@microsoft/fetch-event-source\'', resolveDir: fileURLToPath(new URL('.', import.meta.url)) }
  const { outputFiles: [bundle] } = await build({ stdin, bundle: true, format: 'iife', globalName: 'client', write: false })
  const asked: Array<string | null> = []
  const agent = scriptedProvider()
  // A browser keeps connections in reserve; a server that closes would wait for them for ever.
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.addHook('onRequest', async ({ headers }) => {
    if (headers.accept === 'text/event-stream') asked.push(headers['last-event-id']?.toString() ?? null)
  })
  app.get('/', (_, reply) => reply.type('text/html').send(`<!doctype html><title>Test</title><link rel="icon" href="data:,"><script>${bundle!.text}</script><script>${FOLLOWER}</script>`))
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0, ...options })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const proxy = await CuttingProxy.open(t, url)
  const page = await newPage(t)
  await page.goto(proxy.url)
  return { app, agent, url, proxy, page, asked }
}

/** Each message in a line: its id, and of its JSON what tells it from others. */
async function linesOf (page: Page): Promise<string[]> {
  const messages = await page.evaluate<Message[]>('messages')
  return messages.map(({ id, event, data }) => `${id}${event} ${frameLine(JSON.parse(data) as Event | Frame)}`)
}

async function gotId (page: Page, id: number): Promise<void> {
  await page.waitForFunction(`messages.some(({ id }) => id === '${id}')`)
}

test('neither heartbeats nor retry lines are messages, and a stream that breaks goes on after the last id', { skip }, async (t) => {
  const { agent, url, proxy, page, asked } = await serve(t, { heartbeatMs: 100 })
  await page.evaluate('follow("/sessions/s/stream?until=complete")')
  await page.waitForFunction('comments >= 3')
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' })
  await gotId(page, 2)
  await page.evaluate('comments = 0')
  await page.waitForFunction('comments >= 2')
  for (const word of ['@@two@@', '@@three@@']) {
    const cut = proxy.cutInside(word)
    await run.emit({ kind: 'text', content: word })
    await cut
    await gotId(page, word === '@@two@@' ? 3 : 4)
  }
  run.end()
  await page.waitForFunction('ends.length === 2')

  t.strictSame(await linesOf(page), [
    '0 chat_subscribed 0', '1 text go', '2 text one',
    '2 chat_subscribed 2', '3 text @@two@@',
    '3 chat_subscribed 3', '4 text @@three@@', '5 complete finished'
  ])
  t.strictSame(asked, [null, '2', '3'])
  t.strictSame(await page.evaluate('ends'), ['closed', 'resolved'], 'the end of the run is the end of the stream')
})

test('a message that is posted with it is answered by its run\'s own stream; when that breaks, the rest of the same run comes', { skip }, async (t) => {
  const { app, agent, proxy, page, asked } = await serve(t)
  const post = { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': 'k' }, body: JSON.stringify({ content: 'go' }) }
  await page.evaluate(`follow('/sessions/s/messages', ${JSON.stringify(post)})`)
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' })
  await gotId(page, 2)
  const cut = proxy.cutInside('@@two@@')
  await run.emit({ kind: 'text', content: '@@two@@' })
  await cut
  await gotId(page, 3)
  run.end()
  await page.waitForFunction('ends.length === 2')
  t.strictSame(await linesOf(page), [
    '0 chat_subscribed 0', '1 text go', '2 text one',
    '2 chat_subscribed 2', '3 text @@two@@', '4 complete finished'
  ])
  t.strictSame([asked, await page.evaluate('ends')], [[null, '2'], ['closed', 'resolved']])
  t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)
})

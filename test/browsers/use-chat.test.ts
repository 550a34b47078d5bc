/* The unmodified `useChat` of AI SDK 5, 6 and 7 in a real browser, whose connections break. */
import Fastify from 'fastify'
import type { Page } from 'playwright-core'
import { test, type Test } from 'tap'
import agentRuns from '../../index.ts'
import { type ChatMessage, type Version } from '../helpers/ai-sdk-chats.ts'
import { newPage, noChromium } from '../helpers/chromium-page.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { postJson } from '../helpers/read-sse.ts'
import { type ScriptedRun, scriptedProvider } from '../helpers/scripted-provider.ts'
import { eventually } from '../helpers/serve-sockets.ts'
import { HTML, useChatPage } from '../helpers/use-chat-page.ts'

const scripts = new Map<Version, Promise<string>>()

/** A page on which a chat has begun, behind a proxy that cuts. */
async function openChat (t: Test, version: Version, query = '') {
  if (!scripts.has(version)) scripts.set(version, useChatPage(version))
  const script = await scripts.get(version)!
  const agent = scriptedProvider()
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  const requests: string[] = []
  app.addHook('onResponse', async ({ method, url }, { statusCode }) => { if (url.startsWith('/ai-sdk')) requests.push(`${method} ${url} ${statusCode}`) })
  app.get('/', (_request, reply) => reply.type('text/html').send(HTML))
  app.get('/page.js', (_request, reply) => reply.type('text/javascript').send(script))
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0 })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const proxy = await CuttingProxy.open(t, url)
  const page = await newPage(t)
  const mounted = async (): Promise<void> => { await page.waitForFunction('statuses.length > 0 && chat.status === "ready"') }
  await page.goto(`${proxy.url}/${query}`)
  await mounted()
  return { agent, app, url, proxy, page, requests, mounted }
}

const say = async (run: ScriptedRun, ...words: string[]): Promise<void> => {
  for (const content of words) await run.emit({ kind: 'stream_delta', messageId: 'm', content })
}
const send = (page: Page, text: string): Promise<void> => page.evaluate(`void chat.sendMessage({ text: ${JSON.stringify(text)} })`)
const messagesOf = (page: Page): Promise<ChatMessage[]> => page.evaluate<ChatMessage[]>('chat.messages')
const partsOf = async (page: Page): Promise<unknown[]> => (await messagesOf(page)).at(-1)!.parts.map(({ type, text, state }) => text ?? state ?? type)

/** What the page shows, once its chat has that status, and its last message that text. */
async function shown (page: Page, status: string, text: string): Promise<string[]> {
  await page.waitForFunction(`document.querySelector('main')?.dataset.status === ${JSON.stringify(status)} && document.querySelector('main').lastElementChild?.textContent === ${JSON.stringify(text)}`)
  const messages = await messagesOf(page)
  if (new Set(messages.map(({ id }) => id)).size < messages.length) throw new Error('two messages with one id')
  return page.evaluate('[...document.querySelectorAll("p")].map(({ textContent }) => textContent)')
}

/** A run whose stream was cut in the middle of its second word. */
async function openBroken (t: Test, version: Version, query = '') {
  const opened = await openChat(t, version, query)
  const { agent, proxy, page } = opened
  await send(page, 'hi')
  const run = await agent.next()
  await say(run, 'one, ')
  await shown(page, 'streaming', 'assistant: one, ')
  const cut = proxy.cutInside('two, ')
  await say(run, 'two, ')
  await cut
  t.strictSame(await shown(page, 'error', 'assistant: one, '), ['user: hi', 'assistant: one, '])
  return { ...opened, run }
}

for (const version of [5, 6, 7] as Version[]) {
  test(`useChat ${version} is asked for nothing that is not there, sends, and has the whole answer in one message`, { skip: noChromium }, async (t) => {
    const { app, agent, page, requests } = await openChat(t, version)
    await eventually(() => requests.length === 2)
    t.strictSame(requests, ['GET /ai-sdk/s/messages 200', 'GET /ai-sdk/s/stream 204'])
    await send(page, 'hi')
    const run = await agent.next()
    await say(run, 'one, ', 'two, ')
    await shown(page, 'streaming', 'assistant: one, two, ')
    await run.emit({ kind: 'tool_use', toolId: '1', toolName: 'ls', toolInput: {} }, { kind: 'tool_result', toolId: '1', toolResult: { content: 'a', isError: false } })
    await run.emit({ kind: 'text', messageId: 'm', content: 'one, two, three' })
    run.end()
    t.strictSame(await shown(page, 'ready', 'assistant: one, two, three'), ['user: hi', 'assistant: one, two, three'])
    t.strictSame(await partsOf(page), ['step-start', 'one, two, ', 'output-available', 'step-start', 'three'])
    t.equal((await messagesOf(page))[1]!.id, (await app.agentRuns.listRuns('s')).runs[0]!.runId)
    t.strictSame((await page.evaluate<string[]>('statuses')).slice(-2), ['streaming', 'ready'])
  })

  test(`useChat ${version}, whose connection broke and which is mounted anew on the history, has all of the run once`, { skip: noChromium }, async (t) => {
    const { page, run } = await openBroken(t, version)
    t.match(await page.evaluate('String(chat.error)'), /^TypeError: network error/)
    await page.evaluate('mount()')
    await shown(page, 'streaming', 'assistant: one, two, ')
    await say(run, 'three')
    run.end()
    t.strictSame(await shown(page, 'ready', 'assistant: one, two, three'), ['user: hi', 'assistant: one, two, three'])
    t.strictSame(await partsOf(page), ['step-start', 'one, two, three'])
  })

  test(`useChat ${version}, mounted anew after a run that has ended without it, has that from the history`, { skip: noChromium }, async (t) => {
    const { app, page, run } = await openBroken(t, version)
    await say(run, 'three')
    run.end()
    for await (const event of app.agentRuns.subscribe('s')) if (event.kind === 'complete') break
    await page.evaluate('mount()')
    t.strictSame(await shown(page, 'ready', 'assistant: one, two, three'), ['user: hi', 'assistant: one, two, three'])
  })

  test(`useChat ${version} on a page that is reloaded in mid-run has all of the run once`, { skip: noChromium }, async (t) => {
    const { agent, page } = await openChat(t, version)
    await send(page, 'hi')
    const run = await agent.next()
    await say(run, 'one, ')
    await shown(page, 'streaming', 'assistant: one, ')
    const reloaded = page.reload()
    await say(run, 'two, ')
    await reloaded
    await shown(page, 'streaming', 'assistant: one, two, ')
    await say(run, 'three')
    run.end()
    t.strictSame(await shown(page, 'ready', 'assistant: one, two, three'), ['user: hi', 'assistant: one, two, three'])
    t.strictSame(await partsOf(page), ['step-start', 'one, two, three'])
  })

  test(`useChat ${version} is told of an abort, and of a run that is in the way`, { skip: noChromium }, async (t) => {
    const { agent, url, page } = await openChat(t, version)
    await send(page, 'hi')
    const run = await agent.next()
    await say(run, 'I was')
    await shown(page, 'streaming', 'assistant: I was')
    await postJson(`${url}/sessions/s/abort`, {})
    t.strictSame(await shown(page, 'ready', 'assistant: I was'), ['user: hi', 'assistant: I was'])

    await postJson(`${url}/sessions/s/messages`, { content: 'another device' })
    await send(page, 'now')
    await shown(page, 'error', 'user: now')
    t.match(JSON.parse(await page.evaluate('chat.error.message')), { statusCode: 409, code: 'RUN_IN_PROGRESS' });
    (await agent.next()).end()
  })
}

test('useChat 7, and 6 with a Chat of the page\'s, resume a broken stream where they are', { skip: noChromium }, async (t) => {
  for (const [version, query] of [[7, ''], [6, '?shared']] as const) {
    const { page, run } = await openBroken(t, version, query)
    await page.evaluate('void chat.resumeStream()')
    await shown(page, 'streaming', 'assistant: one, two, ')
    await say(run, 'three')
    run.end()
    t.strictSame(await shown(page, 'ready', 'assistant: one, two, three'), ['user: hi', 'assistant: one, two, three'])
    t.strictSame(await partsOf(page), ['step-start', 'one, two, three'])
  }
})

test('useChat 5, and 6 without a Chat of the page\'s, put what is resumed behind what they have: pages must mount them anew', { skip: noChromium }, async (t) => {
  for (const version of [5, 6] as const) {
    const { page, run } = await openBroken(t, version)
    await page.evaluate('void chat.resumeStream()')
    await shown(page, 'streaming', 'assistant: one, one, two, ')
    run.end()
    await shown(page, 'ready', 'assistant: one, one, two, ')
  }
})

for (const version of [6, 7] as Version[]) {
  for (const approved of [true, false]) {
    test(`useChat ${version}: an approval that is ${approved ? 'granted' : 'denied'} on the page, which was reloaded meanwhile, reaches the agent, and the message goes on`, { skip: noChromium }, async (t) => {
      const { app, agent, page, requests } = await openChat(t, version)
      await send(page, 'go')
      const run = await agent.next()
      await say(run, 'May I')
      await run.emit({ kind: 'tool_use', toolId: '1', toolName: 'rm', toolInput: { path: '/' } })
      const decided = run.context.requestPermission({ toolId: '1', toolName: 'rm', input: { path: '/' } })
      await shown(page, 'ready', 'assistant: May I')
      await page.reload()
      t.strictSame(await shown(page, 'ready', 'assistant: May I'), ['user: go', 'assistant: May I'])
      t.strictSame(await partsOf(page), ['step-start', 'May I', 'approval-requested'])
      await page.evaluate(`void chat.addToolApprovalResponse({ id: chat.messages[1].parts[2].approval.id, approved: ${approved} })`)
      t.strictSame(await decided, { allow: approved })
      await run.emit({ kind: 'tool_result', toolId: '1', toolResult: { content: 'so be it', isError: !approved } })
      await say(run, '? So be it')
      run.end()
      t.strictSame(await shown(page, 'ready', 'assistant: May I? So be it'), ['user: go', 'assistant: May I? So be it'])
      t.strictSame(await partsOf(page), ['step-start', 'May I', approved ? 'output-available' : 'output-denied', 'step-start', '? So be it'])
      t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)
      t.equal(requests.filter((request) => request.startsWith('POST')).length, 2)
    })
  }
}

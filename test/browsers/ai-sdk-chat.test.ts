/* `useChat` of AI SDK 5, 6 and 7 with the chat of the client library, in a real browser: cut, in the background, reloaded, in two tabs. */
import Fastify from 'fastify'
import type { Page } from 'playwright-core'
import { test, type Test } from 'tap'
import agentRuns from '../../index.ts'
import type { Version } from '../helpers/ai-sdk-chats.ts'
import { newPage, noChromium } from '../helpers/chromium-page.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { type ScriptedRun, scriptedProvider } from '../helpers/scripted-provider.ts'
import { HTML, useChatPage } from '../helpers/use-chat-page.ts'

async function serve (t: Test, version: Version) {
  const script = await useChatPage(version, true)
  const agent = scriptedProvider()
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.get('/', (_request, reply) => reply.type('text/html').send(HTML))
  app.get('/page.js', (_request, reply) => reply.type('text/javascript').send(script))
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0 })
  const proxy = await CuttingProxy.open(t, await app.listen({ port: 0, host: '127.0.0.1' }))
  const open = async (): Promise<Page> => {
    const page = await newPage(t)
    await page.goto(proxy.url)
    await page.waitForFunction('"chat" in window')
    return page
  }
  return { agent, app, proxy, open }
}

const say = async (run: ScriptedRun, ...words: string[]): Promise<void> => {
  for (const content of words) await run.emit({ kind: 'stream_delta', messageId: 'm', content })
}
const send = (page: Page, text: string): Promise<void> => page.evaluate(`void chat.sendMessage({ text: ${JSON.stringify(text)} })`)

/** The page comes to show this, with this status. */
async function shows (page: Page, status: string, ...lines: string[]): Promise<void> {
  await page.waitForFunction(`document.querySelector('main')?.dataset.status === ${JSON.stringify(status)} &&
    JSON.stringify([...document.querySelectorAll('p')].map(({ textContent }) => textContent)) === ${JSON.stringify(JSON.stringify(lines))}`)
}

for (const version of [5, 6, 7] as const) {
  test(`AI SDK ${version}: cut, hidden and shown, reloaded, in a second tab, with a queue and a stop, the page shows what the log has`, { skip: noChromium }, async (t) => {
    const { agent, proxy, open } = await serve(t, version)
    const page = await open()
    await send(page, 'hi')
    const run = await agent.next()
    await say(run, 'one, ')
    await shows(page, 'streaming', 'user: hi', 'assistant: one, ')
    const cut = proxy.cutInside('two, ')
    await say(run, 'two, ')
    await cut
    await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))')
    await page.evaluate('void chat.resumeStream()')
    await shows(page, 'streaming', 'user: hi', 'assistant: one, two, ')
    const twin = await open()
    await shows(twin, 'streaming', 'user: hi', 'assistant: one, two, ')
    await send(twin, 'next')
    for (const each of [page, twin]) await shows(each, 'streaming', 'user: hi', 'assistant: one, two, ', 'user: next')
    await page.reload()
    await shows(page, 'streaming', 'user: hi', 'assistant: one, two, ', 'user: next')
    await say(run, 'three')
    run.end()
    const second = await agent.next()
    await say(second, 'four')
    for (const each of [page, twin]) await shows(each, 'streaming', 'user: hi', 'assistant: one, two, three', 'user: next', 'assistant: four')
    await page.evaluate('void chat.stop()')
    await second.stopped.promise
    for (const each of [page, twin]) await shows(each, 'ready', 'user: hi', 'assistant: one, two, three', 'user: next', 'assistant: four')
    t.strictSame(await page.evaluate('chat.messages.map(({ metadata }) => metadata.run.reason)'), ['finished', 'finished', 'aborted', 'aborted'])
    await page.goto('about:blank')
    await page.goBack()
    await shows(page, 'ready', 'user: hi', 'assistant: one, two, three', 'user: next', 'assistant: four')
  })
}

/* The client library in a real browser, as a module of a page whose connections break. */
import { join } from 'node:path'
import { build } from 'esbuild'
import Fastify from 'fastify'
import type { Page } from 'playwright-core'
import { test, type Test } from 'tap'
import agentRuns from '../../index.ts'
import { newPage, noChromium } from '../helpers/chromium-page.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { type ScriptedProvider, scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** Follows the session `s` for as long as it is there; `seqs`, `transcript` and `connections` say what came of it. */
const PAGE = `<!doctype html><title>Test</title><link rel="icon" href="data:,"><script type="module">
  import { createClient, emptyTranscript, fold } from '/client.js'
  const client = createClient('/', { transport: new URLSearchParams(location.search).get('transport') ?? undefined, retry: { minMs: 20, maxMs: 50 } })
  Object.assign(globalThis, { client, transcript: emptyTranscript, seqs: [], connections: 0, states: [] })
  globalThis.subscription = client.subscribe('s', (item) => {
    transcript = fold(transcript, item)
    if (item.kind === 'chat_subscribed') connections++
    if ('seq' in item) seqs.push(item.seq)
  }, { onState: ({ status }) => states.push(status) })
</script>`

async function openPage (t: Test, url: string): Promise<Page> {
  const page = await newPage(t)
  await page.goto(url)
  return page
}

async function serveWithPage (t: Test): Promise<{ agent: ScriptedProvider, url: string }> {
  const { outputFiles } = await build({ entryPoints: ['client/index.ts'], bundle: true, format: 'esm', platform: 'browser', write: false })
  const agent = scriptedProvider()
  // A browser keeps connections in reserve; a server that closes would wait for them for ever.
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.get('/', (_request, reply) => reply.type('text/html').send(PAGE))
  app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(outputFiles[0]!.text))
  await app.register(agentRuns, { store: join(tempDir(t), 'runs.db'), closeGraceMs: 0, providers: { agent } })
  return { agent, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

for (const transport of ['sse', 'websocket']) {
  test(`${transport}: a page whose connection breaks again and again has every event once and in order, and the whole text`, { skip: noChromium }, async (t) => {
    const { agent, url } = await serveWithPage(t)
    const proxy = await CuttingProxy.open(t, url)
    const page = await openPage(t, `${proxy.url}/?transport=${transport}`)
    await page.waitForFunction('connections === 1')
    const sent = page.evaluate<{ runId: string, status: string }>('client.send("s", "go")')
    const run = await agent.next()
    t.strictSame(await sent, { sessionId: 's', runId: run.context.runId, cursor: 0, status: 'running' })
    let said = 0
    const sayThrough = async (last: number): Promise<void> => {
      while (said < last) await run.emit({ kind: 'stream_delta', messageId: 'm', content: `@@${++said}@@` })
    }
    for (const [breaks, at] of [40, 100, 160].entries()) {
      const cut = proxy.cutInside(`@@${at}@@`)
      await sayThrough(at)
      await cut
      await sayThrough(at + 40)
      await page.waitForFunction(`connections >= ${breaks + 2}`)
    }
    await sayThrough(220)
    run.end()
    await page.waitForFunction('transcript.runs[0]?.complete')

    t.strictSame(await page.evaluate('seqs'), Array.from({ length: 223 }, (_, index) => index + 1))
    const text = Array.from({ length: 220 }, (_, index) => `@@${index + 1}@@`).join('')
    t.strictSame(await page.evaluate('transcript.runs[0].parts.map(({ content, streaming }) => [content, streaming])'), [['go', false], [text, false]])
    t.strictSame(await page.evaluate('[transcript.cursor, subscription.cursor, transcript.runs[0].complete.reason]'), [223, 223, 'finished'])
    t.equal(await page.evaluate('connections'), 4)

    await page.evaluate('client.close()')
    await page.evaluate('subscription.closed')
    t.equal(await page.evaluate('states.at(-1)'), 'closed')
  })
}

for (const transport of ['sse', 'websocket']) {
  test(`${transport}: a page whose network is gone notices when the browser is online again, long before the idle timeout`, { skip: noChromium }, async (t) => {
    const { agent, url } = await serveWithPage(t)
    const proxy = await CuttingProxy.open(t, url)
    const page = await openPage(t, `${proxy.url}/?transport=${transport}`)
    await page.evaluate('client.send("s", "go")')
    const run = await agent.next()
    await run.emit({ kind: 'text', content: 'before' })
    await page.waitForFunction('seqs.at(-1) === 2')
    proxy.swallow()
    await run.emit({ kind: 'text', content: 'meanwhile' })
    await page.context().setOffline(true)
    await page.context().setOffline(false)
    await page.waitForFunction('seqs.at(-1) === 3')
    t.strictSame(await page.evaluate('seqs'), [1, 2, 3])
    run.end()
    await page.waitForFunction('seqs.at(-1) === 4')
  })
}

test('a page that follows many sessions over HTTP/1.1 can still send and ask, and hears of all', { skip: noChromium }, async (t) => {
  const { agent, url } = await serveWithPage(t)
  const page = await openPage(t, url)
  await page.evaluate(`{
    globalThis.heard = {}
    for (let n = 0; n < 10; n++) client.subscribe('s' + n, (item) => { (heard['s' + n] ??= []).push(item.kind) })
  }`)
  await page.waitForFunction('Object.keys(heard).length === 10')
  for (let n = 0; n < 10; n++) {
    const sent = page.evaluate(`client.send('s${n}', 'go')`)
    const run = await agent.next()
    await sent
    run.end()
  }
  await page.waitForFunction('Object.values(heard).every((kinds) => kinds.includes("complete"))')
  t.strictSame(await page.evaluate('heard.s9'), ['chat_subscribed', 'text', 'complete'])
  t.equal(await page.evaluate('(async () => (await client.listSessions()).length)()'), 10)
})

test('a page that is not secure, and has no randomUUID, sends its messages all the same', { skip: noChromium }, async (t) => {
  const { agent, url } = await serveWithPage(t)
  const page = await openPage(t, `${url.replace('127.0.0.1', 'insecure.test')}/?transport=sse`)
  t.strictSame(await page.evaluate('[isSecureContext, typeof crypto.randomUUID]'), [false, 'undefined'])
  const sent = page.evaluate<{ runId: string }>('client.send("s", "go")')
  const run = await agent.next()
  t.equal((await sent).runId, run.context.runId)
  run.end()
  await page.waitForFunction('transcript.runs[0]?.complete')
})

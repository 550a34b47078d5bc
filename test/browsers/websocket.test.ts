/* A real browser's WebSocket, on a page of the server's own origin, whose connections break. */
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { test, type Test } from 'tap'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import { newPage, noChromium as skip } from '../helpers/chromium-page.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** Follows two sessions over one WebSocket that it opens again whenever it is lost; `frames` holds all that any of them received. */
const CLIENT = `
  const frames = []
  const cursors = { s: 0, t: 0 }
  const closes = []
  let socket = null
  function connect () {
    socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws')
    socket.onopen = () => {
      const sessions = Object.entries(cursors).map(([sessionId, lastSeq]) => ({ sessionId, lastSeq }))
      socket.send(JSON.stringify({ type: 'chat.subscribe', sessions }))
    }
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data)
      frames.push(frame)
      if (frame.seq !== undefined) cursors[frame.sessionId] = frame.seq
    }
    socket.onclose = ({ code }) => {
      closes.push(code)
      connect()
    }
  }
  connect()
`
const html = `<!doctype html><title>Test</title><link rel="icon" href="data:,"><script>${CLIENT}</script>`

async function openPage (t: Test, url: string): Promise<Page> {
  const page = await newPage(t)
  await page.goto(url)
  return page
}

async function serveWithPage (t: Test, options: AgentRunsOptions): Promise<{ app: FastifyInstance, url: string }> {
  // A browser keeps connections in reserve; a server that closes would wait for them for ever.
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.get('/', (_request, reply) => reply.type('text/html').send(html))
  await app.register(agentRuns, { store: join(tempDir(t), 'runs.db'), closeGraceMs: 0, ...options })
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

/** Resolves once the page has the n-th frame of that kind of a session. */
async function got (page: Page, sessionId: string, kind: string, n = 1): Promise<void> {
  await page.waitForFunction(`frames.filter((frame) => frame.kind === '${kind}' && frame.sessionId === '${sessionId}').length >= ${n}`)
}

interface Shown { kind: string, sessionId: string, seq?: number, content?: string, reason?: string, cursor?: number, runId: string }

test('a page that follows sessions over a WebSocket, cut off again and again in the middle of a run, gets every event once and in order', { skip }, async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveWithPage(t, { providers: { agent } })
  const proxy = await CuttingProxy.open(t, url)
  const page = await openPage(t, proxy.url)
  await got(page, 't', 'chat_subscribed')
  await page.evaluate('socket.send(JSON.stringify({ type: "chat.send", sessionId: "s", content: "go", idempotencyKey: "k", requestId: "r" }))')
  const run = await agent.next()
  await got(page, 's', 'chat_accepted')
  await page.evaluate('socket.send(JSON.stringify({ type: "chat.send", sessionId: "t", content: "beside" }))')
  const beside = await agent.next()
  let said = 0
  const sayThrough = async (last: number): Promise<void> => {
    while (said < last) {
      await run.emit({ kind: 'stream_delta', messageId: 'm', content: `@@${++said}@@` })
      if (said % 10 === 0) await beside.emit({ kind: 'text', content: `${said}` })
    }
  }

  for (const [breaks, at] of [40, 100, 160, 220].entries()) {
    const cut = proxy.cutInside(`@@${at}@@`)
    await sayThrough(at)
    await cut
    await sayThrough(at + 20)
    await page.waitForFunction(`closes.length >= ${breaks + 1}`)
    // While it comes back: part of these it reads from the log, part of them live.
    await sayThrough(at + 40)
    await got(page, 't', 'chat_subscribed', breaks + 2)
  }
  // The next time it breaks inside the first frame.
  const cut = proxy.cutInside('chat_subscribed')
  proxy.cut()
  await sayThrough(280)
  await cut
  await sayThrough(300)
  run.end()
  beside.end()
  await got(page, 's', 'complete')
  await got(page, 't', 'complete')

  const frames = await page.evaluate<Shown[]>('frames')
  const lines = (id: string): string[] => frames.filter(({ seq, sessionId }) => seq !== undefined && sessionId === id).map(({ seq, kind, content, reason }) => `${seq} ${kind} ${content ?? reason}`)
  const contents = Array.from({ length: 300 }, (_, i) => `@@${i + 1}@@`)
  t.strictSame(lines('s'), [
    '1 text go',
    ...contents.map((content, i) => `${i + 2} stream_delta ${content}`),
    `302 text ${contents.join('')}`,
    '303 complete finished'
  ])
  t.strictSame(lines('t'), ['1 text beside', ...Array.from({ length: 30 }, (_, i) => `${i + 2} text ${10 * i + 10}`), '32 complete finished'])
  // Each time it went on from where it was.
  const held: Record<string, number> = { s: 0, t: 0 }
  for (const { kind, sessionId, seq, cursor } of frames) {
    if (seq !== undefined) held[sessionId] = seq
    else if (kind === 'chat_subscribed') t.equal(cursor, held[sessionId])
  }
  t.strictSame(frames.filter(({ kind }) => kind === 'chat_accepted').map(({ sessionId, runId }) => [sessionId, runId]), [['s', run.context.runId], ['t', beside.context.runId]])
  t.strictSame(await page.evaluate('closes'), [1006, 1006, 1006, 1006, 1006, 1006])
})

test('a page whose server closes has the last event, is told to come back by each session, and by the code of the WebSocket', { skip }, async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveWithPage(t, { providers: { agent } })
  const page = await openPage(t, url)
  await got(page, 't', 'chat_subscribed')
  await page.evaluate('socket.send(JSON.stringify({ type: "chat.send", sessionId: "s", content: "go" }))')
  const run = await agent.next()
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'half' })
  await got(page, 's', 'stream_delta')
  await page.evaluate('connect = () => {}')
  await app.close()
  await page.waitForFunction('closes.length > 0')
  t.strictSame(await page.evaluate('closes'), [1012])
  const kinds = (await page.evaluate<Shown[]>('frames')).filter(({ sessionId, kind }) => sessionId === 's' && kind !== 'chat_accepted').map(({ kind }) => kind)
  t.strictSame(kinds, ['chat_subscribed', 'text', 'stream_delta', 'text', 'complete', 'stream_closing'])
})

import { connect } from 'node:http2'
import Fastify from 'fastify'
import { test } from 'tap'
import agentRuns from '../../index.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('over HTTP/2 a stream replays, goes live, survives more than a window, and ends with the server', async (t) => {
  const agent = scriptedProvider()
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0 })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connect(url)
  t.teardown(() => session.destroy())
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  const stream = session.request({ ':path': '/sessions/s/stream' })
  let raw = ''
  const ended = new Promise((resolve) => { stream.on('close', resolve) })
  stream.setEncoding('utf8').on('data', (text: string) => { raw += text })
  for (let i = 0; i < 40; i++) await run.emit({ kind: 'text', content: 'x'.repeat(50_000) })
  run.end()
  while (!raw.includes('"kind":"complete"')) await new Promise((resolve) => { stream.once('data', resolve) })
  t.strictSame([...raw.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)), Array.from({ length: 43 }, (_, index) => index))
  session.close()
  await app.close()
  await ended
})

test('over HTTP/2 too a stream is cut whose peer takes no byte, and not one that is merely silent', async (t) => {
  const agent = scriptedProvider()
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0, stallTimeoutMs: 300 })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const cut: string[] = []
  const over = new Promise<void>((resolve) => {
    app.server.on('stream', (stream, headers) => stream.on('close', () => {
      cut.push(headers[':path']!)
      resolve()
    }))
  })
  const session = connect(url)
  t.teardown(() => session.destroy())
  // Nobody reads the first one.
  session.request({ ':path': '/sessions/s/stream' }).on('error', () => {})
  session.request({ ':path': '/sessions/silent/stream' }).on('error', () => {}).resume()
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  for (let i = 0; i < 10; i++) await run.emit({ kind: 'text', content: 'x'.repeat(50_000) })
  await over
  t.strictSame(cut, ['/sessions/s/stream'])
})

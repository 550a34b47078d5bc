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
  await app.runs.startRun({ sessionId: 's', content: 'go' })
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

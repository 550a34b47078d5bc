import { test } from 'tap'
import { SseClient, postJson } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { serveApp } from '../helpers/build-app.ts'

test('GET /sessions/:id/stream replays everything after Last-Event-ID, then goes live', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } })
  await postJson(`${url}/sessions/s/messages`, { content: 'hi' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' }, { kind: 'text', content: 'two' })

  const client = await SseClient.open(`${url}/sessions/s/stream`, { headers: { 'last-event-id': '2' } })
  await client.until(({ seqs }) => seqs.includes(3))
  await run.emit({ kind: 'text', content: 'three' })
  run.end()
  await client.frame('complete')
  client.cut()

  t.strictSame(client.kinds, ['chat_subscribed', 'text', 'text', 'complete'])
  t.strictSame(client.frames.map(({ id }) => id), ['2', '3', '4', '5'])
  t.strictSame(client.seqs, [3, 4, 5])
})

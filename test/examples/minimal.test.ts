import { test } from 'tap'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { startExample } from '../helpers/start-example.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('examples/minimal: a run is started, followed, and resumed after a seq', async (t) => {
  const { url } = await startExample(t, 'minimal', tempDir(t))
  const { status, body } = await postJson(`${url}/sessions/demo/messages`, { content: 'Hello from the log' })
  t.match([status, body], [202, { sessionId: 'demo', cursor: 0, status: 'running' }])
  const whole = await (await SseClient.open(`${url}/sessions/demo/stream?until=complete`)).ended()
  t.strictSame(whole.events.map(({ seq, kind }) => `${seq} ${kind}`), [
    '1 text', '2 stream_delta', '3 stream_delta', '4 stream_delta', '5 stream_delta', '6 stream_end', '7 text', '8 complete'
  ])
  const rest = await (await SseClient.open(`${url}/sessions/demo/stream?until=complete`, { headers: { 'last-event-id': '3' } })).ended()
  t.strictSame(rest.events, whole.events.slice(3))
})

test('examples/minimal: what a killed server leaves is there when it is started again', async (t) => {
  const directory = tempDir(t)
  const before = await startExample(t, 'minimal', directory)
  await postJson(`${before.url}/sessions/demo/messages`, { content: '{"demo":{"mode":"hang","n":3}}' })
  const client = await SseClient.open(`${before.url}/sessions/demo/stream`)
  await client.until(({ events }) => events.length === 2)
  await before.server.kill('SIGKILL')
  const { url } = await startExample(t, 'minimal', directory)
  const { events } = await (await SseClient.open(`${url}/sessions/demo/stream?until=complete`)).ended()
  t.match(events.map(({ kind }) => kind), ['text', 'text', 'complete'])
  t.match(events.at(-1), { reason: 'interrupted' })
})

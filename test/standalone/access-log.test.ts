import { test } from 'tap'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'
import { SseClient } from '../helpers/read-sse.ts'

const TOKEN = 'the-token-of-alice+/='
const MARKER = 'sesame-0123456789'

test('whatever is said, asked or answered, no line of the log has a word of it', async (t) => {
  const { app, lines } = await buildStandalone(t, ['--tokens', tokensFile(t, [{ token: TOKEN, owner: 'alice' }]), '--event-bytes', '5000'])
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const authorization = `Bearer ${TOKEN}`
  const send = (method: 'POST' | 'PATCH', path: string, payload: unknown, headers: Record<string, string> = {}) => app.inject({
    method, url: path, body: typeof payload === 'string' ? payload : JSON.stringify(payload), headers: { authorization, 'content-type': 'application/json', ...headers }
  })
  const statuses = [
    await send('POST', '/sessions', { id: 's', title: MARKER, metadata: { [MARKER]: MARKER } }),
    await send('POST', '/sessions', { id: 's', title: MARKER }),
    await send('PATCH', '/sessions/s', { title: MARKER }),
    await send('POST', '/sessions/s/messages', { content: MARKER }, { 'idempotency-key': MARKER, cookie: `session=${MARKER}`, referer: `http://x/${MARKER}`, 'user-agent': MARKER }),
    await send('POST', '/sessions/s/messages', { content: MARKER, onBusy: 'queue' }),
    await send('POST', '/sessions/s/messages', { content: MARKER, onBusy: 'interrupt' }),
    // What cannot be read, or is not what the route takes.
    await send('POST', '/sessions/s/messages', `{"content":${MARKER}}`),
    await send('POST', '/sessions/s/messages', { content: 'x', [MARKER]: MARKER }),
    await send('POST', '/sessions/s/messages', { content: 'x', provider: MARKER }),
    await send('POST', '/sessions/s/messages', { content: 'x', options: { [MARKER]: MARKER } }),
    await send('POST', '/sessions/s/messages', MARKER, { 'content-type': 'text/plain' }),
    await send('POST', '/sessions/s/messages', { content: MARKER }, { authorization: `Bearer ${MARKER}` }),
    await send('POST', '/sessions/s/abort', { runId: MARKER })
  ].map(({ statusCode }) => statusCode)
  t.strictSame(statuses, [201, 409, 200, 202, 202, 202, 400, 400, 400, 400, 415, 401, 404])
  const client = await SseClient.open(`${url}/sessions/s/stream`, { headers: { authorization, 'last-event-id': MARKER } })
  await client.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length === 3)
  client.cut()
  // What the agent says, and how it fails: one event is too large, another no JSON.
  for (const demo of [{ mode: 'ok', n: 3, nonce: MARKER }, { mode: 'huge', nonce: MARKER }, { mode: 'unserialisable', nonce: MARKER }, { mode: 'emitAfter', nonce: MARKER }]) {
    const run = await SseClient.open(`${url}/sessions/s/messages`, { method: 'POST', headers: { authorization, 'content-type': 'application/json', accept: 'text/event-stream' }, body: JSON.stringify({ content: JSON.stringify({ demo }) }) })
    await run.ended()
    t.match(run.raw, MARKER, demo.mode)
  }
  t.match((await app.inject({ url: '/sessions/s/messages', headers: { authorization } })).body, MARKER)
  t.ok(lines.some((line) => line.includes('"url":"/sessions/s/messages"')), 'the requests are in the log')
  t.ok(lines.some((line) => line.includes('an event cannot be written')), 'and what went wrong')
  t.strictSame(lines.filter((line) => line.includes(MARKER) || line.includes(TOKEN)), [])
})

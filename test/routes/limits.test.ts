import { test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('streams above their limits are refused before they begin, and those that are there do not notice', async (t) => {
  const { url } = await serveApp(t, { providers: { agent: scriptedProvider() }, limits: { subscribersPerSession: 2, subscribers: 3 } })
  const first = await SseClient.open(`${url}/sessions/a/stream`)
  await SseClient.open(`${url}/sessions/a/stream`)
  const refused = await fetch(`${url}/sessions/a/stream`)
  t.equal(refused.status, 429)
  t.equal(refused.headers.get('retry-after'), '5')
  t.match(await refused.json(), { code: 'TOO_MANY_SUBSCRIBERS', message: 'The session has as many streams as it may.', retryAfter: 5 })
  const other = await SseClient.open(`${url}/sessions/b/stream`)
  t.match(await (await fetch(`${url}/sessions/c/stream`)).json(), { code: 'TOO_MANY_SUBSCRIBERS', message: 'The server has as many streams as it may.' })
  await postJson(`${url}/sessions/a/messages`, { content: 'go' })
  await first.frame('text')
  other.cut()
  let again
  do again = await SseClient.open(`${url}/sessions/c/stream`)
  while (again.response.statusCode === 429)
  t.equal(again.response.statusCode, 200, 'a place that comes free is free')
})

test('a body above its limit is refused by its length, and one that lies about it too', async (t) => {
  const { url } = await serveApp(t, { providers: { agent: scriptedProvider() }, limits: { bodyBytes: 1_000 } })
  t.match(await postJson(`${url}/sessions/s/messages`, { content: 'x'.repeat(1_000) }), { status: 413, body: { code: 'BODY_TOO_LARGE' } })
  t.match(await postJson(`${url}/sessions`, { metadata: { x: 'x'.repeat(1_000) } }), { status: 413, body: { code: 'BODY_TOO_LARGE' } })
  t.equal((await postJson(`${url}/sessions/s/messages`, { content: 'x'.repeat(900) })).status, 202)
  t.end()
})

test('bodies, metadata and options that are too deep are refused by name, whatever Node reads them', async (t) => {
  const agent = scriptedProvider({ optionsSchema: { type: 'object' } as never })
  const { app, url } = await serveApp(t, { providers: { agent } })
  const deep = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
  const post = async (path: string, body: string) => {
    const response = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    return { status: response.status, body: await response.json() as unknown }
  }
  for (const levels of [255, 20_000]) {
    const body = { status: 413, body: { code: 'BODY_TOO_COMPLEX' } }
    t.match(await post('/sessions', `{"metadata":{"x":${deep(levels)}}}`), body)
    t.match(await post('/sessions/s/messages', `{"content":"hi","options":{"x":${deep(levels)}}}`), body)
  }
  t.match(await post('/sessions', `{"id":"deep","metadata":{"x":${deep(254)}}}`), { status: 201 })
  t.match(await fetch(`${url}/sessions/deep`).then((response) => response.text()), deep(254))
  for (const levels of [256, 3_000]) {
    const options = { x: JSON.parse(deep(levels)) as unknown }
    await t.rejects(app.agentRuns.createSession({ metadata: options }), { code: 'AGENT_RUNS_INVALID_REQUEST', message: /256 levels/ })
    await t.rejects(app.agentRuns.startRun({ sessionId: 's', content: 'hi', options }), { code: 'AGENT_RUNS_INVALID_OPTIONS', message: /256 levels/ })
  }
  t.equal((await fetch(`${url}/sessions/s`)).status, 404)
})

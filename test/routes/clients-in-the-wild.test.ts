/* What real clients do: browsers cache, wrappers type empty bodies, libraries make ids that begin with "_" or "-". */
import { test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { exchange, rawRequest } from '../helpers/raw-request.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { agUiDialect, aiSdkDialect } from '../../transports/dialects/index.ts'

const dialects = { 'ag-ui': agUiDialect(), 'ai-sdk': aiSdkDialect() }

test('no answer but a stream may be kept by a cache', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent }, dialects })
  await fetch(`${url}/sessions/s/messages`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"content":"go"}' })
  ;(await agent.next()).end()
  const requests: Array<[string, string]> = [
    ['GET', '/sessions'], ['GET', '/sessions/s'], ['HEAD', '/sessions/s'], ['GET', '/sessions/s/messages'], ['GET', '/sessions/s/events'], ['GET', '/sessions/s/runs'], ['GET', '/sessions/none'],
    ['GET', '/runs'], ['GET', '/ai-sdk/s/messages'], ['GET', '/ai-sdk/s/stream'], ['GET', '/ag-ui/s/messages'], ['GET', '/ag-ui/s/stream'], ['POST', '/sessions/s/abort'], ['POST', '/sessions/s/messages'],
    ['GET', '/sessions/s/stream?lastEventId=x'], ['DELETE', '/sessions/s'], ['GET', '/sessions/s']
  ]
  for (const [method, path] of requests) {
    const response = await fetch(url + path, { method })
    await response.text()
    t.equal(response.headers.get('cache-control'), 'no-store', `${method} ${path} ${response.status}`)
  }
})

/** Types that wrappers give requests without a body. */
const TYPES = ['application/json', 'application/json; charset=utf-8', 'application/x-www-form-urlencoded', 'application/x-www-form-urlencoded; charset=UTF-8', 'text/plain;charset=UTF-8', 'application/octet-stream', 'multipart/form-data']

test('an empty body is none, on every route that needs none, under any type', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent } })
  for (const [index, type] of TYPES.entries()) {
    // As `fetch` does it with '', and as others do it, without a length.
    for (const length of ['0', null]) {
      const sessionId = `s${index}${length ?? ''}`
      const ask = async (method: string, path: string): Promise<number | null> => {
        const headers: Array<[string, string]> = [['content-type', type], ...length === null ? [] : [['content-length', length] as [string, string]]]
        return (await exchange(url, rawRequest(path, { method, headers }))).status
      }
      await app.agentRuns.startRun({ sessionId, content: 'go' })
      t.strictSame([
        await ask('POST', '/sessions'), await ask('PATCH', `/sessions/${sessionId}`), await ask('POST', `/sessions/${sessionId}/abort`), await ask('GET', `/sessions/${sessionId}`),
        await ask('DELETE', `/sessions/${sessionId}`), await ask('POST', `/sessions/${sessionId}-new/messages`)
      ], [201, 200, 200, 200, 204, 400], `${type} ${length}`)
    }
  }
  const chunked = rawRequest('/sessions', { method: 'POST', headers: [['content-type', 'application/json'], ['transfer-encoding', 'chunked']] })
  t.equal((await exchange(url, Buffer.concat([chunked, Buffer.from('0\r\n\r\n')]))).status, 201, 'an empty body in chunks')
})

test('ids that popular libraries make are ids of sessions, on every door', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, dialects })
  const ids = ['_V1StGXR8_Z5jdHi6B-my', '-N8x_Yq1Zk0f3Qw9aBcD', '__LOCALID_1a2b3c', '~tilde~', 'V1StGXR8_Z5jdHi6B-', '01ARZ3NDEKTSV4RRFFQ69G5FAV', 'a.b-c_d~e', 'x'.repeat(100), '_', '-']
  for (const id of ids) {
    t.equal((await fetch(`${url}/sessions/${id}/messages`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"content":"go"}' })).status, 202, id)
    const run = await agent.next()
    run.end()
    t.equal((await (await fetch(`${url}/ai-sdk/${id}/messages`)).json() as { messages: unknown[] }).messages.length, 2, id)
    t.equal((await app.agentRuns.getSession(id))?.id, id)
  }
  for (const id of ['.hidden', 'dot.', '__proto__', '..', '.', 'a%2Fb', 'a%20b', 'a:b', 'ü']) {
    const { status } = await fetch(`${url}/sessions/${id}`)
    t.ok(status === 400 || status === 404, `${id} ${status}`)
    await t.rejects(app.agentRuns.createSession({ id: decodeURIComponent(id) }), { code: 'AGENT_RUNS_INVALID_REQUEST' })
  }
})

/* The echo asks for leave, as one would rehearse it with curl. */
import { test, type Test } from 'tap'
import type { Event, EventOf } from '../../index.ts'
import { echo } from '../../providers/echo/echo.ts'
import { story } from '../helpers/approvals.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'

/** Has the echo ask, and gives the answer that `answer` makes of its request; what the client saw. */
async function rehearse (t: Test, answer: (url: string, request: EventOf<'permission_request'>) => Promise<{ status: number }>, demo: object = {}): Promise<Event[]> {
  const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) }, store: ':memory:' })
  const client = await SseClient.open(`${url}/sessions/s/messages`, {
    method: 'POST', headers: { accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify({ content: JSON.stringify({ demo: { mode: 'approval', n: 3, nonce: 'n', ...demo } }) })
  })
  const request = await client.frame('permission_request') as EventOf<'permission_request'>
  t.match(await (await fetch(`${url}/sessions/s`)).json(), { pendingPermissions: [request] })
  t.equal((await answer(url, request)).status, 200)
  await client.ended()
  t.strictSame(client.seqs, client.seqs.map((_, index) => index + 1))
  return client.events.slice(1)
}

const decide = (decision: object) => (url: string, { requestId }: { requestId: string }) => postJson(`${url}/sessions/s/permissions/${requestId}`, decision)

test('mode approval asks for leave to use a tool, and says what was allowed', async (t) => {
  const events = await rehearse(t, decide({ allow: true, optionId: 'once', updatedInput: { nonce: 'changed' }, message: 'go' }), { at: 2 })
  t.strictSame(story(events), ['assistant @@n:1@@', 'assistant @@n:2@@', 'tool_use', 'asks 1', 'resolved 1 true once', 'tool_result', 'assistant @@n:3@@', 'complete finished'])
  const [, , use, request, , result] = events as [Event, Event, EventOf<'tool_use'>, EventOf<'permission_request'>, Event, EventOf<'tool_result'>]
  t.strictSame([request.toolId, request.toolName, request.input], [use.toolId, use.toolName, use.toolInput], 'the tool that it asks for is the one that waits')
  t.match(request.options, [{ optionId: 'once', kind: 'allow_once' }, { optionId: 'never', kind: 'reject_once' }])
  t.strictSame([result.toolId, result.toolResult], [use.toolId, { content: { said: 'allowed', optionId: 'once', message: 'go', input: { nonce: 'changed' } }, isError: false }])
})

test('mode approval says what was refused, and that without words the input is its own', async (t) => {
  const refused = await rehearse(t, decide({ allow: false }))
  t.strictSame(story(refused), ['assistant @@n:1@@', 'tool_use', 'asks 1', 'resolved 1 false', 'tool_result', 'assistant @@n:2@@', 'assistant @@n:3@@', 'complete finished'])
  t.match(refused[4], { toolResult: { content: { said: 'refused' }, isError: true } })
  const allowed = await rehearse(t, decide({ allow: true }))
  t.strictSame((allowed[4] as EventOf<'tool_result'>).toolResult, { content: { said: 'allowed', input: { nonce: 'n' } }, isError: false })
})

test('mode approval lets go when it is aborted', async (t) => {
  const events = await rehearse(t, (url) => postJson(`${url}/sessions/s/abort`, {}))
  t.strictSame(story(events), ['assistant @@n:1@@', 'tool_use', 'asks 1', 'cancelled 1 aborted', 'complete aborted'])
})

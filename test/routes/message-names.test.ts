/* A message has one name: its client's id is in the log and in every history, and under it the message is the same run, by any door. */
import { test, type Test } from 'tap'
import { agUiDialect, aiSdkDialect } from '../../transports/dialects/index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

async function serve (t: Test) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, dialects: { 'ag-ui': agUiDialect(), 'ai-sdk': aiSdkDialect() } })
  const post = async (path: string, body: unknown) => {
    const response = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return { status: response.status, text: await response.text() }
  }
  const send = (body: object) => post('/sessions/s/messages', body)
  const agUi = (messages: unknown[]) => post('/ag-ui', { threadId: 's', runId: `client-${Math.random()}`, messages, tools: [], context: [], state: {}, forwardedProps: {} })
  const aiSdk = (messages: unknown[], more: object = {}) => post('/ai-sdk', { id: 's', messages, trigger: 'submit-message', ...more })
  const history = async <M>(dialect: string) => (await (await fetch(`${url}/${dialect}/s/messages`)).json() as { messages: M[] }).messages
  const runs = async () => (await app.agentRuns.listRuns('s')).runs.map(({ runId }) => runId)
  return { app, agent, send, agUi, aiSdk, history, runs }
}

test('the id that a client gives its message is in the log and in every history', async (t) => {
  const { app, agent, send, history } = await serve(t)
  t.equal((await send({ content: 'go', messageId: 'mine' })).status, 202)
  ;(await agent.next()).end()
  for await (const { kind } of app.agentRuns.subscribe('s')) if (kind === 'complete') break
  t.match((await app.agentRuns.history('s')).events[0], { kind: 'text', messageId: 'mine' })
  for (const dialect of ['ag-ui', 'ai-sdk']) t.match(await history(dialect), [{ id: 'mine', role: 'user' }])
})

test('a page that was reloaded with the history, and runs again, gets the run that there is: one that failed without a word, too', async (t) => {
  const { agent, send, agUi, aiSdk, history, runs } = await serve(t)
  // Sent by a client that names nothing: the log names it.
  await send({ content: 'go' })
  const run = await agent.next()
  run.fail(new Error('no word'))
  const failed = await agUi(await history('ag-ui'))
  t.match(failed.text, 'RUN_ERROR')
  t.match((await aiSdk(await history('ai-sdk'))).text, '"type":"error"')
  t.equal((await runs()).length, 1)
  // By the client's own id.
  const messages = [{ id: 'own-1', role: 'user', content: 'again' }]
  const first = agUi(messages)
  const second = await agent.next()
  second.end()
  await first
  t.strictSame((await agUi(messages)).status, 200)
  t.strictSame((await aiSdk([{ id: 'own-1', role: 'user', parts: [{ type: 'text', text: 'again' }] }])).status, 200, 'by the door of another client, too')
  t.equal((await runs()).length, 2)
})

test('the same id for something else is an error; an edit, and another answer to the same message, are runs of their own', async (t) => {
  const { agent, send, aiSdk, runs } = await serve(t)
  await send({ content: 'go', messageId: 'm' })
  ;(await agent.next()).end()
  t.match((await send({ content: 'stop', messageId: 'm' })).text, 'IDEMPOTENCY_KEY_REUSED')
  for (const [index, more] of [{ messageId: 'm' }, { trigger: 'regenerate-message', messageId: 'answer' }, { trigger: 'regenerate-message' }].entries()) {
    const answer = aiSdk([{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'go' }] }], more)
    ;(await agent.next()).end()
    t.equal((await answer).status, 200)
    t.equal((await runs()).length, index + 2)
  }
})

test('an id is text of 1 to 256 characters', async (t) => {
  const { send } = await serve(t)
  for (const messageId of ['', 'x'.repeat(257), 5, null]) t.match(await send({ content: 'go', messageId }), { status: 400, text: /INVALID_REQUEST/ })
  t.equal((await send({ content: 'go', messageId: 'ü 💥'.padEnd(256, 'x') })).status, 202)
})

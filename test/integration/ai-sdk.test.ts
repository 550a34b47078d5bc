/* The AI SDK's own client code, 5, 6 and 7, over HTTP. */
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import { aiSdkDialect } from '../../transports/dialects/index.ts'
import { type ChatMessage, conversation, type PlainChat, plainChat, type Version } from '../helpers/ai-sdk-chats.ts'
import { serveApp } from '../helpers/build-app.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { postJson } from '../helpers/read-sse.ts'
import { type ScriptedRun, scriptedProvider } from '../helpers/scripted-provider.ts'

const VERSIONS: Version[] = [5, 6, 7]
const WITH_APPROVALS: Version[] = [6, 7]

async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, store: ':memory:', ...options })
  const history = async (): Promise<ChatMessage[]> => ((await (await fetch(`${url}/ai-sdk/s/messages`)).json()) as { messages: ChatMessage[] }).messages
  const open = (version: Version, more = {}): PlainChat => plainChat(version, { api: `${url}/ai-sdk`, id: 's', ...more })
  return { app, agent, url, history, open }
}

const say = async (run: ScriptedRun, ...words: string[]): Promise<void> => {
  for (const content of words) await run.emit({ kind: 'stream_delta', messageId: 'm', content })
}
const textOf = (chat: PlainChat): string => conversation(chat).at(-1)!
const hasSaid = (chat: PlainChat, text: string): Promise<void> => chat.until(() => textOf(chat) === `assistant: ${text}`)

for (const version of VERSIONS) {
  test(`AI SDK ${version}: what is sent is answered, in one message with the id of the run`, async (t) => {
    const { app, agent, open, history } = await serve(t)
    const chat = open(version)
    const sent = chat.sendMessage({ text: 'hi' })
    const run = await agent.next()
    t.equal(run.context.content, 'hi')
    await say(run, 'Hel')
    await hasSaid(chat, 'Hel')
    t.equal(chat.status, 'streaming')
    await say(run, 'lo')
    await run.emit({ kind: 'tool_use', toolId: '1', toolName: 'ls', toolInput: {} }, { kind: 'tool_result', toolId: '1', toolResult: { content: 'a b', isError: false } })
    run.end()
    await sent
    t.equal(chat.status, 'ready')
    t.strictSame(conversation(chat), ['user: hi', 'assistant: Hello'])
    t.equal(chat.messages[1]!.id, (await app.agentRuns.listRuns('s')).runs[0]!.runId)
    t.strictSame(chat.messages[1]!.parts.map(({ type, state }) => [type, state]), [['step-start', undefined], ['text', 'done'], ['dynamic-tool', 'output-available']])
    t.strictSame((await history()).map(({ id, role }) => [id, role])[1], [chat.messages[1]!.id, 'assistant'])
  })

  test(`AI SDK ${version}: a client that comes to a run that is running gets all of it, and nothing when none is`, async (t) => {
    const { agent, url, open, history } = await serve(t)
    const nobody = open(version)
    await nobody.resumeStream()
    t.strictSame([nobody.status, nobody.messages], ['ready', []])

    await postJson(`${url}/sessions/s/messages`, { content: 'hi' })
    const run = await agent.next()
    await say(run, 'one, ', 'two')
    const chat = open(version, { messages: await history() })
    const resumed = chat.resumeStream()
    await hasSaid(chat, 'one, two')
    await say(run, ', three')
    run.end()
    await resumed
    t.strictSame([chat.status, conversation(chat)], ['ready', ['user: hi', 'assistant: one, two, three']])

    const idle = open(version, { messages: await history() })
    await idle.resumeStream()
    t.strictSame([idle.status, conversation(idle)], ['ready', ['user: hi', 'assistant: one, two, three']])
  })

  test(`AI SDK ${version}: a client that comes with the cursor of the history is told of a run that has ended since`, async (t) => {
    const { agent, url, open, history } = await serve(t)
    const { cursor } = await (await fetch(`${url}/ai-sdk/s/messages`)).json() as { cursor: number }
    const chat = open(version, { prepareReconnectToStreamRequest: () => ({ api: `${url}/ai-sdk/s/stream?lastEventId=${cursor}` }) })
    const sent = open(version).sendMessage({ text: 'hi' })
    const run = await agent.next()
    await say(run, 'Hello')
    run.end()
    await sent
    await chat.resumeStream()
    t.strictSame([chat.status, conversation(chat)], ['ready', ['assistant: Hello']])
    t.equal(chat.messages[0]!.id, (await history())[1]!.id)
  })

  test(`AI SDK ${version}: a connection that breaks in mid-run does not stop the run; a new chat on the history resumes it`, async (t) => {
    const { agent, url, open, history } = await serve(t)
    const proxy = await CuttingProxy.open(t, url)
    const chat = plainChat(version, { api: `${proxy.url}/ai-sdk`, id: 's' })
    const sent = chat.sendMessage({ text: 'hi' })
    const run = await agent.next()
    await say(run, 'one, ')
    await hasSaid(chat, 'one, ')
    proxy.cut()
    await sent
    t.strictSame([chat.status, conversation(chat)], ['error', ['user: hi', 'assistant: one, ']])
    await say(run, 'two, ')

    const next = open(version, { messages: await history() })
    const resumed = next.resumeStream()
    await hasSaid(next, 'one, two, ')
    await say(run, 'three')
    run.end()
    await resumed
    t.strictSame([next.status, conversation(next)], ['ready', ['user: hi', 'assistant: one, two, three']])
    t.equal(next.messages[1]!.id, chat.messages[1]!.id)
  })

  test(`AI SDK ${version}: a run that is aborted ends its stream, and keeps what it said`, async (t) => {
    const { agent, url, open, history } = await serve(t)
    const chat = open(version)
    const sent = chat.sendMessage({ text: 'hi' })
    const run = await agent.next()
    await say(run, 'I was')
    await run.emit({ kind: 'tool_use', toolId: '1', toolName: 'ls', toolInput: {} })
    await hasSaid(chat, 'I was')
    t.equal((await postJson(`${url}/sessions/s/abort`, {})).status, 200)
    await sent
    t.strictSame([chat.status, conversation(chat)], ['ready', ['user: hi', 'assistant: I was']])
    t.equal(chat.messages[1]!.parts.at(-1)!.state, 'output-error')
    // A text that was not finished is kept at the end.
    t.strictSame((await history())[1]!.parts.map(({ type, state }) => [type, state]), [['step-start', undefined], ['dynamic-tool', 'output-error'], ['text', 'done']])
  })

  test(`AI SDK ${version}: what went wrong is the chat's error`, async (t) => {
    const { agent, url, open } = await serve(t)
    await postJson(`${url}/sessions/s/messages`, { content: 'first' })
    const run = await agent.next()
    const chat = open(version)
    await chat.sendMessage({ text: 'second' })
    t.match([chat.status, JSON.parse(chat.error!.message)], ['error', { statusCode: 409, code: 'RUN_IN_PROGRESS' }])
    run.end()

    const patient = open(version, { body: { onBusy: 'queue' } })
    const sent = patient.sendMessage({ text: 'third' })
    const next = await agent.next()
    await say(next, 'I fai')
    next.fail(new Error('secret'))
    await sent
    t.strictSame([patient.status, patient.error!.message, textOf(patient)], ['error', 'The provider failed.', 'assistant: I fai'])

    const strange = plainChat(version, { api: `${url}/ai-sdk`, id: 'a/b' })
    await strange.sendMessage({ text: 'hi' })
    t.match(JSON.parse(strange.error!.message), { code: 'INVALID_REQUEST', message: /is the id of a session/ })
  })

  test(`AI SDK ${version}: a message that is posted twice is one run; an edit and another answer are new ones`, async (t) => {
    const { app, agent, open, history } = await serve(t)
    const [chat, twin] = [open(version), open(version)]
    const message = { id: 'the-message', parts: [{ type: 'text' as const, text: 'hi' }] }
    const sent = Promise.all([chat.sendMessage(message), twin.sendMessage(message)])
    const run = await agent.next()
    await say(run, 'Hello')
    run.end()
    await sent
    t.strictSame(conversation(twin), conversation(chat))
    t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)

    const again = chat.regenerate({ messageId: chat.messages[1]!.id })
    const second = await agent.next()
    t.equal(second.context.content, 'hi')
    await say(second, 'Hello again')
    second.end()
    await again
    t.strictSame(conversation(chat), ['user: hi', 'assistant: Hello again'])

    const edited = chat.sendMessage({ text: 'ho', messageId: 'the-message' })
    const third = await agent.next()
    t.equal(third.context.content, 'ho')
    third.end()
    await edited
    t.equal((await app.agentRuns.listRuns('s')).runs.length, 3)
    // The log forgets nothing.
    t.strictSame((await history()).map(({ role, parts }) => `${role}: ${parts.at(-1)?.text}`), ['user: hi', 'assistant: Hello', 'user: hi', 'assistant: Hello again', 'user: ho', 'assistant: undefined'])
  })
}

for (const version of WITH_APPROVALS) {
  const asking = async (t: Test, ...words: string[]) => {
    const served = await serve(t)
    const chat = served.open(version)
    const sent = chat.sendMessage({ text: 'go' })
    const run = await served.agent.next()
    await say(run, ...words)
    await run.emit({ kind: 'tool_use', toolId: '1', toolName: 'rm', toolInput: { path: '/' } })
    const decided = run.context.requestPermission({ toolId: '1', toolName: 'rm', input: { path: '/' } })
    await sent
    const { approval } = chat.messages[1]!.parts.find(({ state }) => state === 'approval-requested')!
    return { ...served, chat, run, decided, requestId: approval!.id }
  }
  const statesOf = (chat: PlainChat): unknown[] => chat.messages[1]!.parts.map(({ type, state, text }) => text ?? state ?? type)

  test(`AI SDK ${version}: an approval is granted in the chat, and the message goes on`, async (t) => {
    const { app, chat, run, decided, requestId } = await asking(t, 'May I')
    t.strictSame([chat.status, statesOf(chat)], ['ready', ['step-start', 'May I', 'approval-requested']])
    await chat.addToolApprovalResponse({ id: requestId, approved: true, reason: 'Go ahead.' })
    t.strictSame(await decided, { allow: true, message: 'Go ahead.' })
    await run.emit({ kind: 'tool_result', toolId: '1', toolResult: { content: 'gone', isError: false } })
    await say(run, '?')
    await run.emit({ kind: 'text', messageId: 'm', content: 'May I? Thanks.' })
    run.end()
    await chat.until(() => chat.status === 'ready' && textOf(chat).endsWith('Thanks.'))
    t.strictSame(statesOf(chat), ['step-start', 'May I', 'output-available', 'step-start', '? Thanks.'])
    t.equal(chat.messages.length, 2)
    t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)
  })

  test(`AI SDK ${version}: an approval is denied in the chat, and the agent goes on without`, async (t) => {
    const { chat, run, decided, requestId } = await asking(t)
    await chat.addToolApprovalResponse({ id: requestId, approved: false, reason: 'No.' })
    t.strictSame(await decided, { allow: false, message: 'No.' })
    await run.emit({ kind: 'tool_result', toolId: '1', toolResult: { content: 'refused', isError: true } })
    await say(run, 'A pity')
    run.end()
    await chat.until(() => chat.status === 'ready' && textOf(chat) === 'assistant: A pity')
    t.strictSame(statesOf(chat), ['step-start', 'output-denied', 'step-start', 'A pity'])
  })

  test(`AI SDK ${version}: an approval that is answered elsewhere, and a run that ends, do not keep the chat from going on`, async (t) => {
    const { url, chat, run, requestId } = await asking(t)
    t.equal((await postJson(`${url}/sessions/s/permissions/${requestId}`, { allow: false })).status, 200)
    await say(run, 'Well')
    run.end()
    await chat.addToolApprovalResponse({ id: requestId, approved: true })
    await chat.until(() => chat.status === 'ready' && textOf(chat) === 'assistant: Well')
    t.strictSame(statesOf(chat), ['step-start', 'output-denied', 'step-start', 'Well'])
  })

  test(`AI SDK ${version}: a page that is reloaded while an approval waits shows it, and can answer it`, async (t) => {
    const { open, history, run, decided, requestId } = await asking(t, 'May I')
    const chat = open(version, { messages: await history() })
    t.strictSame(conversation(chat), ['user: go'])
    await chat.resumeStream()
    t.strictSame(statesOf(chat), ['step-start', 'May I', 'approval-requested'])
    await chat.addToolApprovalResponse({ id: requestId, approved: true })
    t.strictSame(await decided, { allow: true })
    run.end()
    await chat.until(() => chat.status === 'ready' && statesOf(chat).at(-1) === 'output-error')
    t.strictSame((await history())[1]!.parts.map(({ text, state, type }) => text ?? state ?? type), ['step-start', 'output-error', 'May I'])
  })
}

test('AI SDK 5: an approval is data in the message, and the stream goes on', async (t) => {
  const { agent, url, open } = await serve(t, { dialects: { 'ai-sdk': aiSdkDialect({ approvals: 'data' }) } })
  const chat = open(5)
  const sent = chat.sendMessage({ text: 'go' })
  const run = await agent.next()
  const decided = run.context.requestPermission({ toolName: 'rm', input: {} })
  const asked = (): { requestId: string, outcome?: unknown } | undefined => (chat.messages[1]?.parts.at(-1) as { data?: { requestId: string, outcome?: unknown } } | undefined)?.data
  await chat.until(() => asked() !== undefined)
  await postJson(`${url}/sessions/s/permissions/${asked()!.requestId}`, { allow: true })
  t.strictSame(await decided, { allow: true })
  run.end()
  await sent
  t.strictSame([chat.status, chat.messages[1]!.parts.length, asked()!.outcome], ['ready', 1, { allow: true }])
})

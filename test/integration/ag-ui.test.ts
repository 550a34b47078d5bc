/* The unmodified HttpAgent of AG-UI against a real server. */
import { type AgentSubscriber, HttpAgent } from '@ag-ui/client'
import type { Message } from '@ag-ui/core'
import { test, type Test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

async function serve (t: Test) {
  const provider = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent: provider } })
  return { app, url, provider, agent: new HttpAgent({ url: `${url}/ag-ui`, threadId: 'chat' }) }
}

const user = (id: string, content: string): Message => ({ id, role: 'user', content })

/** What an agent holds, without the ids of messages, and those of calls as the provider has them. */
const told = (messages: Message[]): unknown[] => messages.map(({ id, ...message }) =>
  JSON.parse(JSON.stringify(message).replaceAll(/tool-[0-9a-f-]{36}-/g, '')) as unknown)

const history = async (url: string): Promise<Message[]> => {
  const { messages } = await (await fetch(`${url}/ag-ui/chat/messages`)).json() as { messages: Message[] }
  return messages
}

test('a run: reasoning, a tool, an answer word by word; the history has the same messages under the same ids', async (t) => {
  const { url, provider, agent } = await serve(t)
  agent.addMessage(user('u1', 'What is the weather?'))
  const answered = agent.runAgent()
  const run = await provider.next()
  await run.emit(
    { kind: 'thinking_delta', messageId: 'm0', content: 'Let me ' }, { kind: 'thinking_delta', messageId: 'm0', content: 'look.' }, { kind: 'thinking', messageId: 'm0', content: 'Let me look.' },
    { kind: 'tool_use', toolId: 't1', toolName: 'weather', toolInput: { city: 'Bern' } },
    { kind: 'tool_result', toolId: 't1', toolResult: { content: { celsius: 7 }, isError: false } },
    { kind: 'stream_delta', messageId: 'm1', content: 'It is ' }, { kind: 'stream_delta', messageId: 'm1', content: '7 degr' }, { kind: 'text', role: 'assistant', messageId: 'm1', content: 'It is 7 degrees.' }
  )
  run.end()
  const { newMessages } = await answered
  t.strictSame(told(newMessages), [
    { role: 'reasoning', content: 'Let me look.' },
    { role: 'assistant', toolCalls: [{ id: 't1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } }] },
    { role: 'tool', content: '{"celsius":7}', toolCallId: 't1' },
    { role: 'assistant', content: 'It is 7 degrees.' }
  ])
  t.strictSame(await history(url).then(([, ...answer]) => answer), newMessages)
})

test('what agents number anew in each run is told apart', async (t) => {
  const { provider, agent } = await serve(t)
  for (const [id, content] of [['u1', 'one'], ['u2', 'two']] as const) {
    agent.addMessage(user(id, content))
    const answered = agent.runAgent()
    const run = await provider.next()
    await run.emit(
      { kind: 'tool_use', toolId: 't1', toolName: 'say', toolInput: content }, { kind: 'tool_result', toolId: 't1', toolResult: { content, isError: false } },
      { kind: 'text', role: 'assistant', messageId: 'm1', content }
    )
    run.end()
    await answered
  }
  t.strictSame(agent.messages.filter(({ role }) => role !== 'user' && role !== 'tool').map(({ content, ...rest }) => content ?? (rest as { toolCalls: Array<{ function: { arguments: string } }> }).toolCalls[0]!.function.arguments), ['"one"', 'one', '"two"', 'two'])
  t.equal(new Set(agent.messages.map(({ id }) => id)).size, agent.messages.length)
})

test('a run that fails is an error for the agent, and keeps what it has said', async (t) => {
  const { provider, agent } = await serve(t)
  agent.addMessage(user('u1', 'Go'))
  const errors: unknown[] = []
  const subscriber: AgentSubscriber = { onRunErrorEvent: ({ event: { message, code } }) => { errors.push({ message, code }) } }
  const answered = agent.runAgent({}, subscriber).catch((error: unknown) => { errors.push((error as Error).message) })
  const run = await provider.next()
  await run.emit({ kind: 'stream_delta', messageId: 'm1', content: 'Half' })
  run.fail(new Error('secret'))
  await answered
  t.strictSame(errors.slice(0, 1), [{ message: 'The provider failed.', code: 'PROVIDER_FAILED' }])
  t.strictSame(told(agent.messages).at(-1), { role: 'assistant', content: 'Half' })
})

test('an approval interrupts the stream, an answer goes on behind it, and no text is told twice', async (t) => {
  for (const approved of [true, false]) {
    const { url, provider, agent } = await serve(t)
    agent.addMessage(user('u1', 'Delete it'))
    const asked = agent.runAgent()
    const run = await provider.next()
    await run.emit({ kind: 'stream_delta', messageId: 'm1', content: 'I would ' }, { kind: 'tool_use', toolId: 't1', toolName: 'rm', toolInput: { path: 'x' } })
    const decision = run.context.requestPermission({ toolId: 't1', toolName: 'rm', input: { path: 'x' } })
    await asked
    const [interrupt, ...others] = agent.pendingInterrupts
    t.strictSame(others, [])
    t.strictSame([interrupt!.reason, interrupt!.toolCallId?.slice(-3)], ['approval', '-t1'])

    const answered = agent.runAgent({ resume: [{ interruptId: interrupt!.id, status: 'resolved', payload: { approved } }] })
    t.equal((await decision).allow, approved)
    await run.emit({ kind: 'tool_result', toolId: 't1', toolResult: { content: 'done', isError: !approved } }, { kind: 'stream_delta', messageId: 'm1', content: 'like to.' })
    run.end()
    await answered
    t.strictSame(told(agent.messages), [
      { role: 'user', content: 'Delete it' },
      { role: 'assistant', content: 'I would like to.' },
      { role: 'assistant', toolCalls: [{ id: 't1', type: 'function', function: { name: 'rm', arguments: '{"path":"x"}' } }] },
      { role: 'tool', content: 'done', toolCallId: 't1', ...!approved && { metadata: { isError: true } } }
    ])
    t.strictSame(agent.pendingInterrupts, [])
    t.strictSame(new Set(await history(url).then((messages) => told(messages))).size, 4)
  }
})

test('the same message is the same run, also when it has ended; a second one into a running session is refused', async (t) => {
  const { app, url, provider, agent } = await serve(t)
  agent.addMessage(user('u1', 'Hello'))
  const answered = agent.runAgent()
  const run = await provider.next()
  const again = new HttpAgent({ url: `${url}/ag-ui`, threadId: 'chat', initialMessages: [user('u1', 'Hello')] })
  const attached = again.runAgent()
  const other = new HttpAgent({ url: `${url}/ag-ui`, threadId: 'chat', initialMessages: [user('u2', 'And me')] })
  const refusal = await other.runAgent().then(() => null, (error: Error & { status?: number, payload?: { code: string } }) => error)
  t.strictSame([refusal?.status, refusal?.payload?.code], [409, 'RUN_IN_PROGRESS'])
  await run.emit({ kind: 'text', role: 'assistant', messageId: 'm1', content: 'Hi' })
  run.end()
  t.strictSame(told((await answered).newMessages), [{ role: 'assistant', content: 'Hi' }])
  t.strictSame(told((await attached).newMessages), [{ role: 'assistant', content: 'Hi' }])
  const late = new HttpAgent({ url: `${url}/ag-ui`, threadId: 'chat', initialMessages: [user('u1', 'Hello')] })
  t.strictSame(told((await late.runAgent()).newMessages), [{ role: 'assistant', content: 'Hi' }])
  t.equal((await app.agentRuns.listRuns('chat')).runs.length, 1)
})

test('a run that is aborted ends as cancelled', async (t) => {
  const { url, provider, agent } = await serve(t)
  agent.addMessage(user('u1', 'Hello'))
  const outcomes: unknown[] = []
  const answered = agent.runAgent({}, { onRunFinishedEvent: ({ event }) => { outcomes.push(event.outcome) } })
  await (await provider.next()).emit({ kind: 'stream_delta', messageId: 'm1', content: 'Hi' })
  await fetch(`${url}/sessions/chat/abort`, { method: 'POST' })
  await answered
  t.strictSame(outcomes, [{ type: 'cancelled' }])
})

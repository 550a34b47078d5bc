/* The chat of the AI SDK on a session's log: what is sent, refused, stopped, approved, and how it is shown. */
import { test, type Test } from 'tap'
import { createClient } from '../../client/index.ts'
import type { AgentRunsOptions } from '../../index.ts'
import { type ChatMessage, loggedChat, type Version } from '../helpers/ai-sdk-chats.ts'
import { serveApp } from '../helpers/build-app.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { latch } from '../helpers/latch.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

type Shown = ChatMessage & { metadata: { run: { id: string | null, reason: string | null, pending?: string } } }

async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, ...options })
  const proxy = await CuttingProxy.open(t, url)
  const client = createClient(proxy.url, { retry: { minMs: 1, maxMs: 5, attempts: 3 } })
  t.teardown(() => client.close())
  const open = (version: Version, more: Partial<Parameters<typeof loggedChat>[1]> = {}) => {
    const chat = loggedChat(version, { id: 's', client, ...more })
    t.teardown(chat.connect())
    const messages = (): Shown[] => chat.messages as Shown[]
    return { chat, messages, said: () => messages().map(({ role, parts }) => `${role}: ${parts.map(({ text }) => text ?? '').join('')}`) }
  }
  return { app, agent, proxy, client, open }
}

for (const version of [5, 6, 7] as const) {
  test(`AI SDK ${version}: a message is shown at once, its answer as it grows, and then how it ended; a second tab sees the same`, async (t) => {
    const { agent, open } = await serve(t)
    const [{ chat, messages, said }, twin] = [open(version), open(version)]
    void chat.sendMessage({ text: 'hi' })
    await chat.until(() => said().length === 1)
    t.match(messages(), [{ role: 'user', parts: [{ type: 'text', text: 'hi' }], metadata: { run: { id: null, pending: 'sending' } } }])
    t.equal(chat.status, 'submitted')
    const run = await agent.next()
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'Hel' })
    await chat.until(() => chat.status === 'streaming' && said()[1] === 'assistant: Hel')
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'lo' })
    run.end()
    for (const each of [{ chat, messages, said }, twin]) {
      await each.chat.until(() => each.chat.status === 'ready' && each.said()[1] === 'assistant: Hello')
      t.match(each.messages(), [{ id: messages()[0]!.id, metadata: { run: { id: run.context.runId, reason: 'finished' } } }, { id: run.context.runId, parts: [{ type: 'text', state: 'done' }], metadata: { run: { reason: 'finished' } } }])
    }
  })

  test(`AI SDK ${version}: messages to a busy session wait and are shown, one that is refused is kept to be sent again or taken back`, async (t) => {
    const { app, agent, open } = await serve(t)
    const { chat, messages, said } = open(version)
    void chat.sendMessage({ text: 'one' })
    const run = await agent.next()
    await chat.sendMessage({ text: 'two' })
    await chat.until(() => messages().at(-1)?.metadata.run.pending === 'waiting')
    const twin = open(version)
    await twin.chat.until(() => twin.said().join() === 'user: one,user: two')
    t.match(twin.messages()[1], { id: messages()[1]!.id, metadata: { run: { pending: 'waiting' } } })

    await (chat.sendMessage as (message: object, options: object) => Promise<void>)({ text: 'now' }, { body: { onBusy: 'reject' } })
    await chat.until(() => chat.status === 'error')
    t.match(chat.error, { code: 'RUN_IN_PROGRESS' })
    t.match(messages().at(-1), { parts: [{ text: 'now' }], metadata: { run: { pending: 'failed' } } })
    t.strictSame(chat.takeBack(messages().at(-1)!.id), [{ type: 'text', text: 'now' }])
    ;(chat as unknown as { clearError: () => void }).clearError()
    await chat.until(() => said().join() === 'user: one,user: two' && chat.status === 'submitted')
    t.strictSame(chat.takeBack('nothing'), [])
    run.end()
    const second = await agent.next()
    t.equal(second.context.content, 'two')
    second.end()
    await chat.until(() => chat.status === 'ready' && messages().length === 4)
    t.equal((await app.agentRuns.listRuns('s')).runs.length, 2)
  })

  test(`AI SDK ${version}: stop ends the running run; pressed while the message is on its way, it holds`, async (t) => {
    const [asked, allowed] = [latch(), latch()]
    let isSlow = false
    const { agent, app, open } = await serve(t, {
      authorize: async (_request, { action }) => {
        if (!isSlow || action !== 'send') return true
        asked.open()
        await allowed.promise
        return true
      }
    })
    const { chat, messages } = open(version)
    void chat.sendMessage({ text: 'one' })
    const run = await agent.next()
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'a' })
    await chat.until(() => chat.status === 'streaming')
    await chat.stop()
    await run.stopped.promise
    await chat.until(() => chat.status === 'ready')
    t.match(messages().at(-1), { metadata: { run: { reason: 'aborted' } } })
    isSlow = true
    void chat.sendMessage({ text: 'two' })
    await asked.promise
    await chat.until(() => messages().at(-1)?.metadata.run.pending === 'sending')
    await chat.stop()
    allowed.open()
    await chat.until(() => messages().length === 4 && chat.status === 'ready')
    t.match(messages().slice(2), [{ parts: [{ text: 'two' }] }, { parts: [], metadata: { run: { reason: 'aborted' } } }])
    t.equal(app.agentRuns.drivenRuns, 0)
  })

  test(`AI SDK ${version}: a message that no server took is sent again under its id, and is one run`, async (t) => {
    const { app, agent, proxy, open } = await serve(t)
    const { chat, messages } = open(version)
    await chat.until(() => true)
    // The answer is lost each time; the message has come.
    const cutting = setInterval(() => proxy.cut(), 1)
    await chat.sendMessage({ text: 'hi' })
    await chat.until(() => chat.status === 'error' || messages().at(-1)?.metadata.run.pending !== 'sending')
    clearInterval(cutting)
    for (const { id, metadata } of messages()) if (metadata.run.pending === 'failed') await chat.retry(id)
    const run = await agent.next()
    run.end()
    await chat.until(() => chat.status === 'ready' && messages().length === 2)
    t.equal((await app.agentRuns.listRuns('s')).runs.length, 1)
  })
}

for (const version of [6, 7] as const) {
  test(`AI SDK ${version}: an approval is asked for on its tool, and answered`, async (t) => {
    const { agent, open } = await serve(t)
    const { chat, messages } = open(version)
    void chat.sendMessage({ text: 'go' })
    const run = await agent.next()
    for (const [toolId, approved] of [['t1', true], ['t2', false]] as const) {
      await run.emit({ kind: 'tool_use', toolId, toolName: 'rm', toolInput: { path: '/' } })
      const decided = run.context.requestPermission({ toolId, toolName: 'rm', input: { path: '/' } })
      const part = () => messages().at(-1)?.parts.find(({ toolCallId }) => toolCallId === toolId)
      await chat.until(() => part()?.state === 'approval-requested')
      await chat.addToolApprovalResponse({ id: part()!.approval!.id, approved, reason: 'as I say' })
      t.match(await decided, { allow: approved, message: 'as I say' })
      await run.emit({ kind: 'tool_result', toolId, toolResult: { content: 'done', isError: !approved } })
      await chat.until(() => part()?.state === (approved ? 'output-available' : 'output-denied'))
    }
    run.end()
    await chat.until(() => chat.status === 'ready')
  })
}

test('a run that failed is the chat\'s error, until it is put aside or another message is sent; a reload shows it too', async (t) => {
  const { agent, open } = await serve(t)
  const { chat, messages } = open(7)
  void chat.sendMessage({ text: 'go' })
  ;(await agent.next()).fail(new Error('secret'))
  await chat.until(() => chat.status === 'error')
  t.match(messages().at(-1), { parts: [], metadata: { run: { reason: 'failed', error: { code: 'PROVIDER_FAILED' } } } })
  const reloaded = open(7)
  await reloaded.chat.until(() => reloaded.chat.status === 'error')
  ;(reloaded.chat as unknown as { clearError: () => void }).clearError()
  await reloaded.chat.until(() => reloaded.chat.status === 'ready')
  await chat.regenerate()
  const again = await agent.next()
  t.equal(again.context.content, 'go')
  await chat.until(() => chat.status === 'submitted')
  again.end()
  await chat.until(() => chat.status === 'ready')
})

test('files go with a message, as parts and as a FileList has them, and come back', async (t) => {
  const { agent, open } = await serve(t)
  const { chat, messages } = open(7)
  const file = new File(['aGk'], 'a.txt', { type: 'text/plain' })
  void (chat.sendMessage as (message: object) => Promise<void>)({ text: 'see', files: [file] })
  const run = await agent.next()
  t.strictSame(run.context.content, [{ type: 'file', mimeType: 'text/plain', name: 'a.txt', data: Buffer.from('aGk').toString('base64') }, { type: 'text', text: 'see' }])
  run.end()
  await chat.until(() => chat.status === 'ready')
  t.match(messages()[0]!.parts, [{ type: 'file', mediaType: 'text/plain', filename: 'a.txt', url: 'data:text/plain;base64,YUdr' }, { type: 'text', text: 'see' }])
  await chat.sendMessage({ text: '' })
  await chat.until(() => chat.status === 'error')
  t.match(chat.error, { code: 'INVALID_REQUEST' })
})

test('a long history comes page by page; a session that is deleted says so', async (t) => {
  const { app, agent, open } = await serve(t)
  for (let number = 1; number <= 4; number++) {
    await app.agentRuns.startRun({ sessionId: 's', content: `message ${number}` })
    const run = await agent.next()
    await run.emit({ kind: 'text', content: `answer ${number}` })
    run.end()
    while (await app.agentRuns.isProcessing('s')) await new Promise(setImmediate)
  }
  const { chat, said } = open(6, { limit: 3 })
  await chat.until(() => said().length === 2)
  t.equal(chat.hasOlder, true)
  while (chat.hasOlder) await chat.loadOlder()
  await chat.until(() => said().length === 8)
  t.strictSame(said(), [1, 2, 3, 4].flatMap((number) => [`user: message ${number}`, `assistant: answer ${number}`]))
  await app.agentRuns.deleteSession('s')
  await chat.until(() => chat.status === 'error')
  t.match(chat.error, { code: 'SESSION_DELETED' })
})

test('thousands of deltas that are replayed are shown in a few turns, not one by one', async (t) => {
  const { app, agent, open } = await serve(t)
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  for (let number = 0; number < 4_000; number++) await run.emit({ kind: 'stream_delta', messageId: 'm', content: `${number} ` })
  const { chat, said } = open(6)
  let shown = 0
  await chat.until(() => {
    shown++
    return said()[1]?.endsWith('3999 ') === true
  })
  t.ok(shown < 400, `the page changed ${shown} times for 4,000 deltas`)
  run.end()
  await chat.until(() => chat.status === 'ready')
})

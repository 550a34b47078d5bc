/* Without the SDK: its messages as they were recorded, and an SDK that does as the test says. test/agents has the real one. */
import { createInterface } from 'node:readline'
import { test } from 'tap'
import type { MessageContent } from '../../index.ts'
import { silentLogger } from '../../lib/common/logger.ts'
import type { RunContext } from '../../lib/provider/provider.ts'
import { claude } from '../../providers/claude/index.ts'
import { MessageMapper } from '../../providers/claude/messages.ts'
import { promptOf } from '../../providers/claude/prompt.ts'
import type { PermissionResult, SdkMessage, SpawnedProcess } from '../../providers/claude/sdk.ts'
import { type ClaudeSdkOptions as Options, fakeClaude as world } from '../helpers/fake-claude.ts'
import { latch } from '../helpers/latch.ts'

const start: SdkMessage = { type: 'stream_event', event: { type: 'message_start' } }
const block = (index: number, type: string): SdkMessage => ({ type: 'stream_event', event: { type: 'content_block_start', index, content_block: { type } } })
const delta = (index: number, text: string): SdkMessage => ({ type: 'stream_event', event: { type: 'content_block_delta', index, delta: { type: 'text_delta', text } } })
const whole = (content: { type: string, [field: string]: unknown }, more: object = {}): SdkMessage => ({ type: 'assistant', message: { id: 'msg', content: [content] }, ...more })
const init: SdkMessage = { type: 'system', subtype: 'init', session_id: 'native-0123456789' }
const success: SdkMessage = { type: 'result', subtype: 'success', is_error: false, usage: { input_tokens: 3, output_tokens: 5 }, total_cost_usd: 0.5, num_turns: 1 }

/** The events of messages, with the messageIds numbered as they come. */
function mapped (...messages: SdkMessage[]): object[] {
  const mapper = new MessageMapper()
  const ids: string[] = []
  return messages.flatMap((message) => mapper.map(message)).map((event) => {
    if (!('messageId' in event) || typeof event.messageId !== 'string') return event
    if (!ids.includes(event.messageId)) ids.push(event.messageId)
    return { ...event, messageId: ids.indexOf(event.messageId) }
  })
}

test('each block is a message; the whole replaces its deltas', (t) => {
  t.strictSame(mapped(init, start, block(0, 'thinking'), { type: 'stream_event', event: { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } } },
    whole({ type: 'thinking', thinking: 'hm' }), block(1, 'text'), delta(1, 'a'), delta(1, 'b'), whole({ type: 'text', text: 'ab' }), block(2, 'text'), delta(2, 'c'), whole({ type: 'text', text: 'c' })), [
    { kind: 'session_created', newSessionId: 'native-0123456789' },
    { kind: 'thinking_delta', messageId: 0, content: 'hm' }, { kind: 'thinking', messageId: 0, content: 'hm' },
    { kind: 'stream_delta', messageId: 1, content: 'a' }, { kind: 'stream_delta', messageId: 1, content: 'b' }, { kind: 'text', messageId: 1, content: 'ab' },
    { kind: 'stream_delta', messageId: 2, content: 'c' }, { kind: 'text', messageId: 2, content: 'c' }
  ])
  t.end()
})

test('what a broken stream had begun is replaced by what the next attempt says, streamed or not', (t) => {
  const half = [start, block(0, 'text'), delta(0, 'one ')]
  const expected = [{ kind: 'stream_delta', messageId: 0, content: 'one ' }, { kind: 'text', messageId: 0, content: 'one two' }]
  t.strictSame(mapped(...half, start, block(0, 'text'), delta(0, 'one '), delta(0, 'two'), whole({ type: 'text', text: 'one two' })), expected)
  t.strictSame(mapped(...half, whole({ type: 'text', text: 'one two' })), expected)
  t.end()
})

test('tools, of the agent, its own agents and the model service, and what they give', (t) => {
  const uses = { type: 'tool_use', id: 't', name: 'Bash', input: { command: 'ls' } }
  t.strictSame(mapped(
    whole(uses), { type: 'tool_progress', tool_use_id: 't', elapsed_time_seconds: 2 },
    { type: 'user', message: { content: [{ type: 'tool_result', tool_use_id: 't', content: 'f', is_error: true }, { type: 'text', text: 'noted' }] } },
    { type: 'user', message: { content: 'to itself' } },
    whole({ ...uses, id: 'u' }, { parent_tool_use_id: 't' }), whole({ type: 'text', text: 'below' }, { parent_tool_use_id: 't' }),
    { ...delta(0, 'below'), parent_tool_use_id: 't' } as SdkMessage,
    whole({ type: 'server_tool_use', id: 'w', name: 'web_search', input: {} }), whole({ type: 'web_search_tool_result', tool_use_id: 'w', content: [] })
  ), [
    { kind: 'tool_use', toolId: 't', toolName: 'Bash', toolInput: { command: 'ls' } },
    { kind: 'tool_update', toolId: 't', status: 'in_progress', content: { elapsedSeconds: 2 } },
    { kind: 'tool_result', toolId: 't', toolResult: { content: 'f', isError: true } },
    { kind: 'tool_use', toolId: 'u', toolName: 'Bash', toolInput: { command: 'ls' }, parentToolId: 't' },
    { kind: 'text', messageId: 0, content: 'below', parentToolId: 't' },
    { kind: 'tool_use', toolId: 'w', toolName: 'web_search', toolInput: {} },
    { kind: 'tool_result', toolId: 'w', toolResult: { content: [], isError: false } }
  ])
  t.end()
})

test('the agent tells how it is doing; what nobody knows says nothing', (t) => {
  t.strictSame(mapped(
    { type: 'system', subtype: 'status', status: 'requesting' }, { type: 'system', subtype: 'status', status: null },
    { type: 'system', subtype: 'api_retry', attempt: 1, max_retries: 10 }, { type: 'system', subtype: 'compact_boundary', compact_metadata: { trigger: 'auto' } },
    { type: 'system', subtype: 'hook_response', output: 'of the host' }, { type: 'rate_limit_event' } as unknown as SdkMessage, whole({ type: 'text', text: '' }), whole({ type: 'redacted_thinking', data: 'x' })
  ), [
    { kind: 'status', text: 'requesting' }, { kind: 'status', text: 'retrying (1 of 10)' }, { kind: 'custom', name: 'compact_boundary', data: { trigger: 'auto' } }
  ])
  t.end()
})

test('text, images and PDFs are what a message may hold', (t) => {
  t.equal(promptOf('hello'), 'hello')
  t.strictSame(promptOf([
    { type: 'text', text: 'Look.' }, { type: 'image', mimeType: 'image/png', data: 'AAAA' }, { type: 'image', mimeType: 'image/webp', url: 'https://x/y' },
    { type: 'file', mimeType: 'application/pdf', name: 'a.pdf', data: 'AAAA' }
  ]), [
    { type: 'text', text: 'Look.' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }, { type: 'image', source: { type: 'url', url: 'https://x/y' } },
    { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'AAAA' }, title: 'a.pdf' }
  ])
  for (const part of [{ type: 'image', mimeType: 'image/tiff', data: '' }, { type: 'file', mimeType: 'application/zip', data: '' }, { type: 'hologram', depth: 3 }]) {
    t.throws(() => promptOf([part] as unknown as MessageContent), { code: 'UNSUPPORTED_CONTENT' })
  }
  t.end()
})

function contextOf (signal = new AbortController().signal): RunContext {
  const session = { id: 's', owner: '', metadata: {} }
  return { session, runId: 'r', content: 'go', options: {}, context: undefined, providerSessionId: null, async * history () {}, signal, requestPermission: async () => ({ allow: true }), log: silentLogger }
}

/** An agent of one script, whose lines are messages. */
async function * spawned ({ spawnClaudeCodeProcess }: Options, script: string, taken = (): void => {}): AsyncGenerator<SdkMessage> {
  const { stdout } = spawnClaudeCodeProcess({ command: process.execPath, args: ['-e', script], env: process.env })
  for await (const line of createInterface({ input: stdout })) {
    taken()
    yield JSON.parse(line) as SdkMessage
  }
  throw new Error('Claude Code process exited')
}

test('the end tells what was used; the native session, the mode and the words go out as the host has them', async (t) => {
  const { run, asked } = await world(t, async function * () { yield * [init, success] }, {
    model: 'm',
    permissionMode: 'bypassPermissions',
    mcpServers: ({ session }) => ({ [session.id]: {} }),
    cwd: ({ session }) => `/srv/${session.id}`,
    env: { A: 'b', PATH: undefined },
    systemPrompt: 'Be brief.',
    allowedTools: ['Read'],
    disallowedTools: ['Bash'],
    maxTurns: 3,
    sdkOptions: { effort: 'low', cwd: '/elsewhere', resume: 'another' }
  })
  t.match((await run()).at(-1), { kind: 'complete', exitCode: 0, usage: { inputTokens: 3, outputTokens: 5, turns: 1, sessionCostUsd: 0.5 } })
  await run()
  t.match(asked, [
    {
      cwd: '/srv/s',
      model: 'm',
      settingSources: [],
      permissionMode: 'bypassPermissions',
      allowDangerouslySkipPermissions: true,
      mcpServers: { s: {} },
      systemPrompt: 'Be brief.',
      allowedTools: ['Read'],
      disallowedTools: ['Bash'],
      maxTurns: 3,
      effort: 'low',
      verbatimPrompts: true,
      env: { A: 'b', PATH: undefined }
    },
    { resume: 'native-0123456789' }
  ])
})

for (const [how, error, code] of [
  ['takes as many turns as it may', { subtype: 'error_max_turns', is_error: true }, 'AGENT_MAX_TURNS'],
  ['spends as much as it may', { subtype: 'error_max_budget_usd', is_error: true }, 'AGENT_MAX_BUDGET'],
  ['fails', { subtype: 'error_during_execution', is_error: true, errors: ['at /home/me/secret'] }, 'AGENT_FAILED']
] as const) {
  test(`an agent that ${how} is a failure that says no more than that`, async (t) => {
    const { run } = await world(t, async function * () { yield * [init, { ...success, ...error, errors: ['at /home/me/secret'] } as SdkMessage] })
    const events = await run()
    t.match(events.at(-1), { kind: 'complete', reason: 'failed', error: { code }, usage: { inputTokens: 3 } })
    t.notMatch(JSON.stringify(events), /secret/)
  })
}

test('an agent that ends without a word is one failure, with its exit code and the end of standard error', async (t) => {
  const { run } = await world(t, (options) => spawned(options, `console.log(${JSON.stringify(JSON.stringify(init))}); console.error('out of cheese'); process.exitCode = 3`))
  const events = await run()
  t.match(events.filter(({ kind }) => kind === 'complete'), [{ exitCode: 3, reason: 'failed', error: { code: 'AGENT_EXITED', message: 'The agent ended with code 3: out of cheese' } }])
})

test('an agent that does not have the session any more, also if it only says so on standard error, starts anew', async (t) => {
  const { run, asked } = await world(t, (options) => options.resume === undefined
    ? (async function * () { yield * [init, success] })()
    : spawned(options, 'console.error("No conversation found with session ID: x"); process.exitCode = 1'))
  await run()
  t.match((await run()).filter(({ kind }) => kind !== 'text'), [{ kind: 'error', code: 'AGENT_FORGOT' }, { kind: 'complete', reason: 'finished' }])
  t.strictSame(asked.map(({ resume }) => resume), [undefined, 'native-0123456789', undefined])
})

test('the next message waits until the agent has written its session to the end', async (t) => {
  const states: unknown[] = []
  let before: SpawnedProcess | undefined
  const { run } = await world(t, async function * ({ spawnClaudeCodeProcess }) {
    states.push(before?.exitCode)
    before = spawnClaudeCodeProcess({ command: process.execPath, args: ['-e', 'setTimeout(() => {}, 200)'], env: process.env })
    yield * [init, success]
  })
  for (let i = 0; i < 3; i++) await run()
  t.strictSame(states, [undefined, 0, 0])
})

test('an agent that cannot be started, and a package that is not there, are failures that say so', async (t) => {
  const nowhere = await world(t, (options) => { options.spawnClaudeCodeProcess({ command: '/no/such/agent', args: [], env: {} }); throw new Error('gone') })
  t.match((await nowhere.run()).at(-1), { exitCode: 127, error: { code: 'AGENT_NOT_STARTED' } })
  const broken = await world(t, () => { throw new Error('no binary for this platform at /home/me/secret') })
  t.match((await broken.run()).at(-1), { exitCode: 127, error: { code: 'AGENT_NOT_STARTED', message: 'The agent cannot be started.' } })
  const placeless = await world(t, (options) => { options.spawnClaudeCodeProcess({ command: process.execPath, args: [], cwd: '/no/such/place', env: {} }); throw new Error('gone') }, { cwd: '/no/such/place' })
  t.match((await placeless.run()).at(-1), { exitCode: 127, error: { code: 'AGENT_NOT_STARTED', message: 'The agent cannot be started: its working directory "/no/such/place" does not exist.' } })
  const missing = await world(t, () => { throw new Error('unreachable') }, { sdk: () => import('@anthropic-ai/claude-agent-sdk' as string) })
  t.match((await missing.run()).at(-1), { error: { code: 'PROVIDER_NOT_INSTALLED', message: /npm install @anthropic-ai\/claude-agent-sdk/ } })
})

test('a tool that the agent asks for stands before the request; a request that it takes back is withdrawn', async (t) => {
  const withdrawal = new AbortController()
  const { run, app } = await world(t, async function * ({ canUseTool }) {
    yield init
    const asked = canUseTool('Bash', { command: 'ls' }, { signal: withdrawal.signal, toolUseID: 't' })
    t.match(await asked, { behavior: 'deny', interrupt: true })
    yield success
  })
  const ended = run()
  for await (const event of app.agentRuns.subscribe('s')) if (event.kind === 'permission_request') break
  withdrawal.abort()
  const events = await ended
  t.strictSame(events.map(({ kind }) => kind), ['text', 'tool_use', 'permission_request', 'permission_cancelled', 'complete'])
  t.match(events.at(-2), { kind: 'permission_cancelled', reason: 'withdrawn' })
})

test('an input that is no object is not what a tool gets', async (t) => {
  const answers: PermissionResult[] = []
  const { run, app } = await world(t, async function * ({ canUseTool }) {
    yield init
    answers.push(await canUseTool('Bash', {}, { signal: new AbortController().signal, toolUseID: 't' }))
    yield success
  })
  const ended = run()
  for await (const event of app.agentRuns.subscribe('s')) {
    if (event.kind !== 'permission_request') continue
    await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, allow: true, updatedInput: ['ls'] })
    break
  }
  await ended
  t.match(answers, [{ behavior: 'deny', message: 'The input that the user gave is no object.' }])
})

test('the agent is read no faster than the log takes what it says', async (t) => {
  let read = 0
  const line = JSON.stringify(JSON.stringify(delta(0, 'x'.repeat(1_000))))
  const script = `console.log(${JSON.stringify(JSON.stringify(init))} + '\\n' + ${JSON.stringify(JSON.stringify(block(0, 'text')))}); (function f () { process.stdout.write(${line} + '\\n', f) })()`
  const sdk = async () => ({ query: ({ options }: { options: Options }) => Object.assign(spawned(options, script, () => { read++ }), { interrupt: async () => {} }) })
  const provider = claude({ sdk })
  let [taken, ahead] = [0, 0]
  for await (const event of provider.run(contextOf())) {
    if (event.kind !== 'stream_delta') continue
    ahead = Math.max(ahead, read - taken++)
    if (taken === 2_000) break
    await new Promise((resolve) => { setImmediate(resolve) })
  }
  t.ok(ahead < 1_000, `it was ${ahead} events ahead`)
  await provider.close!()
})

test('a run that is aborted before its agent was started starts none', async (t) => {
  const loaded = latch<object>()
  const provider = claude({ sdk: () => loaded.promise })
  const abort = new AbortController()
  const ended = (async () => {
    for await (const event of provider.run(contextOf(abort.signal))) t.fail(`it yields ${event.kind}`)
  })()
  abort.abort()
  loaded.open({ query: () => t.fail('it asks for an agent') })
  await t.rejects(ended, { name: 'AbortError' })
})

/* Where a turn of an ACP agent begins and ends: what comes late stays in its own run, or out of all. */
import { test } from 'tap'
import { silentLogger } from '../../lib/common/logger.ts'
import { acpScript, conversation, NATIVE, textOf } from '../helpers/scripted-acp.ts'

test('updates behind the response belong to the run, before its end', async (t) => {
  const { say } = await conversation(t, acpScript({
    'session/prompt': 'say("one "); answer({ stopReason: "end_turn" }); say("two "); setTimeout(() => say("three"), 30)'
  }))
  const events = await say()
  t.equal(textOf(events), 'one two three')
  t.equal(events.at(-1)!.kind, 'complete')
  t.equal(textOf(await say()), 'one two three', 'the next run has its own')
})

test('an agent that never falls silent ends its turn all the same', async (t) => {
  const { say } = await conversation(t, acpScript({ 'session/prompt': 'answer({ stopReason: "end_turn" }); setInterval(() => say("tick "), 10)' }))
  t.match((await say()).at(-1), { kind: 'complete', reason: 'finished' })
})

test('calls and messages of an old turn do not enter a new one; an id that opens a call again does', async (t) => {
  const { say } = await conversation(t, acpScript({
    'session/prompt': `
      if (turn === 1) { update({ sessionUpdate: 'tool_call', toolCallId: 'old', title: 'Old', status: 'pending' }); say('first', { messageId: 'm1' }) }
      if (turn === 2) { update({ sessionUpdate: 'tool_call_update', toolCallId: 'old', status: 'completed', rawOutput: 'late' }); say('late', { messageId: 'm1' }); say('second', { messageId: 'm2' }) }
      if (turn === 3) { update({ sessionUpdate: 'tool_call', toolCallId: 'old', title: 'New', status: 'completed', rawOutput: 'now' }); say('third') }
      answer({ stopReason: 'end_turn' })`
  }))
  t.equal(textOf(await say()), 'first')
  const second = await say()
  t.equal(textOf(second), 'second')
  t.notOk(second.some(({ kind }) => kind.startsWith('tool_')))
  t.match((await say()).filter(({ kind }) => kind.startsWith('tool_')), [{ kind: 'tool_use', toolName: 'New' }, { kind: 'tool_result', toolResult: { content: 'now' } }])
})

test('a session that is loaded first and replayed afterwards stays out of the new answer', async (t) => {
  const { say } = await conversation(t, acpScript({
    initialize: 'answer({ protocolVersion: 1, agentCapabilities: { loadSession: true } })',
    'session/load': 'answer({}); let n = 0; setTimeout(() => { const replay = setInterval(() => { say(\'OLD \' + n++); if (n === 10) clearInterval(replay) }, 20) }, 150)',
    'session/prompt': 'say(process.pid + \' new\'); answer({ stopReason: \'end_turn\' })'
  }, { idleMs: 0 }))
  const first = textOf(await say())
  const second = textOf(await say())
  t.match(second, /^\d+ new$/)
  t.not(second, first, 'another process')
})

test('what the agent has said waits for the log, and is no silence', async (t) => {
  const provider = acpScript({
    'session/prompt': 'const b = "x".repeat(2000); for (let i = 0; i < 600; i++) say(i + b); answer({ stopReason: "end_turn" }); for (let i = 0; i < 1000; i++) say("L" + i + b)'
  })
  t.teardown(() => provider.close!())
  let deltas = 0
  const context = { session: { id: 's', owner: '', metadata: {} }, runId: 'r', content: 'go', options: {}, context: undefined, providerSessionId: null, async * history () {}, signal: new AbortController().signal, requestPermission: async () => ({ allow: true }), log: silentLogger }
  for await (const event of provider.run(context)) {
    // The log is slow.
    if (event.kind === 'stream_delta' && ++deltas % 250 === 0) await new Promise((resolve) => { setTimeout(resolve, 400) })
  }
  t.equal(deltas, 1_600)
})

test('a turn is not begun after its abort, though the agent has to be logged in to first', async (t) => {
  const { say, app } = await conversation(t, acpScript({
    'session/prompt': 'if (globalThis.in !== true) return fail(-32000, \'log in\'); globalThis.begun = (globalThis.begun ?? 0) + 1; say(String(globalThis.begun)); answer({ stopReason: \'end_turn\' })',
    authenticate: 'setTimeout(() => { globalThis.in = true; answer({}) }, 300); update({ sessionUpdate: "usage_update", used: 1, size: 2 })'
  }, { authMethod: 'x' }))
  const abort = (): Promise<unknown> => app.agentRuns.abortRun({ sessionId: 's' })
  t.match((await say('one', async ({ kind }) => { if (kind === 'status') await abort() })).at(-1), { aborted: true })
  t.equal(textOf(await say()), '1', 'begun once, for the message that was not aborted')
})

test('banners and escape sequences on the lines of the protocol are left out', async (t) => {
  const { say } = await conversation(t, acpScript({
    initialize: `
      process.stdout.write('Update available! 1.2 -> 1.3\\n\\u001b[2J\\u001b[33m{ warning }\\u001b[0m\\n')
      process.stdout.write('\\u001b]0;title\\u0007\\u001b[0m' + JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: 1 } }) + '\\u001b[0m\\r\\n')`,
    'session/prompt': 'process.stdout.write(\'\\ufeff\'); say(\'fine\'); answer({ stopReason: \'end_turn\' })'
  }))
  const events = await say()
  t.equal(textOf(events), 'fine')
  t.match(events.at(-1), { reason: 'finished' })
})

test('the commands of an agent are told once, for clients that come later too', async (t) => {
  const { say, app } = await conversation(t, acpScript({
    'session/new': `answer({ sessionId: '${NATIVE}' }); update({ sessionUpdate: 'available_commands_update', availableCommands: [{ name: 'review', description: 'Reviews.' }] })`
  }))
  const commands = [{ kind: 'custom', name: 'available_commands_update', data: { availableCommands: [{ name: 'review', description: 'Reviews.' }] } }]
  t.match((await say()).filter(({ kind }) => kind === 'custom'), commands)
  t.strictSame((await say()).filter(({ kind }) => kind === 'custom'), [], 'not again')
  const { events } = await app.agentRuns.history('s')
  t.match(events.filter(({ kind }) => kind === 'custom'), commands)
})

test('a session that opens and is gone all the same is begun anew, once', async (t) => {
  const { say } = await conversation(t, acpScript({
    initialize: 'answer({ protocolVersion: 1, agentCapabilities: { sessionCapabilities: { resume: {} } } })',
    'session/resume': 'globalThis.resumed = true; answer({})',
    'session/prompt': `
      update({ sessionUpdate: 'session_info_update', title: 'x' })
      if (globalThis.resumed) write({ id, error: { code: -32603, message: 'Internal error', data: { details: 'thread not found: 01a2' } } })
      else { say('hi'); answer({ stopReason: 'end_turn' }) }`
  }, { idleMs: 0 }))
  await say()
  const events = await say()
  t.match(events.filter(({ kind }) => kind !== 'custom' && !kind.startsWith('stream')), [{ kind: 'error', code: 'AGENT_FORGOT' }, { kind: 'text', content: 'hi' }, { kind: 'complete', reason: 'finished' }])
})

test('a failure that the agent tells beside its answer fails the run; one that it has got over does not', async (t) => {
  const { say } = await conversation(t, acpScript({
    'session/prompt': `
      const status = (type) => update({ sessionUpdate: 'session_info_update', _meta: { codex: { threadStatus: { type } } } })
      status('systemError')
      if (turn === 2) status('active')
      say('The service says 400.'); answer({ stopReason: 'end_turn' })`
  }))
  const failed = await say()
  t.equal(textOf(failed), 'The service says 400.')
  t.match(failed.at(-1), { reason: 'failed', error: { code: 'AGENT_FAILED', message: 'The agent failed; it says why in its answer.' } })
  t.match((await say()).at(-1), { reason: 'finished' })
})

test('what a command has written is its result, also where the agent tells it beside the call', async (t) => {
  const { say } = await conversation(t, acpScript({
    'session/prompt': `
      update({ sessionUpdate: 'tool_call', toolCallId: 't', title: 'Run', rawInput: { command: 'ls' }, status: 'in_progress' })
      for (const data of ['12', '345']) update({ sessionUpdate: 'tool_call_update', toolCallId: 't', _meta: { terminal_output_delta: { data } } })
      update({ sessionUpdate: 'tool_call_update', toolCallId: 't', status: 'completed', _meta: { terminal_exit: { exit_code: 0 } } })
      answer({ stopReason: 'end_turn' })`
  }))
  t.match((await say()).find(({ kind }) => kind === 'tool_result'), { toolResult: { content: '12345', isError: false } })
})

test('tokens that are told with the answer are the run\'s', async (t) => {
  const { say } = await conversation(t, acpScript({
    'session/prompt': `answer(turn === 1
      ? { stopReason: 'end_turn', usage: { inputTokens: 3, outputTokens: 5, totalTokens: 8, thoughtTokens: 1, cachedReadTokens: 2, other: 'x' } }
      : { stopReason: 'end_turn', _meta: { quota: { token_count: { input_tokens: 4, output_tokens: 6 } } } })`
  }))
  t.match((await say()).at(-1), { usage: { inputTokens: 3, outputTokens: 5, totalTokens: 8, reasoningTokens: 1, cacheReadTokens: 2 } })
  t.match((await say()).at(-1), { usage: { inputTokens: 4, outputTokens: 6 } })
})

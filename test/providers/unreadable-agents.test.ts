/* Agents that send what no protocol knows: at worst their run fails. What is thrown outside of a run would fail the test. */
import { test } from 'tap'
import type { Provider } from '../../index.ts'
import { acp } from '../../providers/acp/index.ts'
import { claude } from '../../providers/claude/index.ts'
import type { SdkMessage } from '../../providers/claude/sdk.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { codexCli } from '../../providers/command/codex-cli.ts'
import { ProcessGroup } from '../../providers/process/process-group.ts'
import { latch } from '../helpers/latch.ts'
import { acpScript, type AcpScript, conversation } from '../helpers/scripted-acp.ts'

const update = (update: unknown): object => ({ method: 'session/update', params: { sessionId: 'native-0123', update } })
const asking = (params: object): object => ({ id: 1, method: 'session/request_permission', params: { sessionId: 'native-0123', ...params } })
const text = { type: 'text', text: 'x' }

const GARBAGE: unknown[] = [
  'no JSON', '', '[]', '[{}]', '7', 'null', '"text"', '{}', '{"jsonrpc":"2.0"}', '{"__proto__":{"x":1}}', '\u0000',
  { id: 99, result: {} }, { id: null, result: 1 }, { id: {}, method: 'x' }, { id: 7, method: 'no/such/method' }, { method: 7 }, { method: 'no/such/notification', params: [] },
  { method: 'session/update' }, { method: 'session/update', params: null }, { method: 'session/update', params: { sessionId: 7 } }, { method: '$/cancel_request', params: { requestId: {} } },
  ...[null, 7, [], {}, { sessionUpdate: 7 }, { sessionUpdate: 'agent_message_chunk' }, { sessionUpdate: 'agent_message_chunk', content: 7 }, { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 7 } },
    { sessionUpdate: 'agent_thought_chunk', content: text, messageId: {} }, { sessionUpdate: 'tool_call' }, { sessionUpdate: 'tool_call', toolCallId: {} }, { sessionUpdate: 'tool_call_update', toolCallId: 't', status: 7, content: 7 },
    { sessionUpdate: 'tool_call_update', toolCallId: 't', title: {}, rawInput: { __proto__: null } }, { sessionUpdate: 'plan', entries: 7 }, { sessionUpdate: 'usage_update', used: 'a', cost: 7 }, { sessionUpdate: '__proto__', constructor: 1 }].map(update),
  ...[{}, { toolCall: null, options: null }, { toolCall: { toolCallId: 7 }, options: [7] }, { toolCall: { toolCallId: 't' }, options: [{ optionId: 7 }] }, { toolCall: { toolCallId: 't' }, options: [{ optionId: 'a', name: {}, kind: 'b' }] }].map(asking)
]

test('acp: what is no message of the protocol is left out, and the run goes on', async (t) => {
  const { say } = await conversation(t, acpScript({ 'session/prompt': `for (const each of ${JSON.stringify(GARBAGE)}) write(each); write(${JSON.stringify(update({ sessionUpdate: 'agent_message_chunk', content: text }))}); answer({ stopReason: 'end_turn' })` }))
  for (let i = 0; i < 2; i++) {
    const events = await say()
    t.match(events.at(-1), { kind: 'complete', reason: 'finished' })
    t.match(events.filter(({ kind }) => kind === 'text').map((event) => (event as { content: string }).content).join(''), /x$/)
  }
})

test('acp: an agent that can do null is one that can do nothing more', async (t) => {
  const { say } = await conversation(t, acpScript({ initialize: 'answer({ protocolVersion: 1, agentCapabilities: null })' }))
  t.match((await say()).at(-1), { kind: 'complete', reason: 'finished' })
})

for (const [what, script, error] of [
  ['opens a session without an id', { 'session/new': 'answer({})' }, { code: 'AGENT_INCOMPATIBLE' }],
  ['opens a session whose id is no text', { 'session/new': 'answer({ sessionId: { a: 1 } })' }, { code: 'AGENT_INCOMPATIBLE' }],
  ['says hello with nothing', { initialize: 'answer(null)' }, { code: String }],
  ['stops for no reason', { 'session/prompt': 'answer({})' }, { code: 'AGENT_FAILED' }],
  ['stops for a reason that is no word', { 'session/prompt': 'answer({ stopReason: "<b>" })' }, { code: 'AGENT_FAILED' }],
  ['stops for an object', { 'session/prompt': 'answer({ stopReason: { a: 1 } })' }, { code: 'AGENT_FAILED' }],
  ['answers with nothing', { 'session/prompt': 'answer(null)' }, { code: String }],
  ['answers with neither a result nor an error', { 'session/prompt': 'write({ id })' }, { code: 'AGENT_FAILED' }],
  ['fails with many words', { 'session/prompt': 'write({ id, error: { code: 1, message: "x".repeat(1e6) } })' }, { code: 'AGENT_FAILED', message: /^x{4096}$/ }],
  ['stops to read and to write', { 'session/prompt': 'process.stdin.destroy(); write("no JSON"); write("no JSON"); process.stdout.end()' }, { code: 'AGENT_EXITED' }]
] as Array<[string, AcpScript, object]>) {
  test(`acp: an agent that ${what} fails its run, also the next time`, async (t) => {
    const { say } = await conversation(t, acpScript(script))
    for (let i = 0; i < 2; i++) t.match((await say()).at(-1), { kind: 'complete', reason: 'failed', error })
  })
}

test('acp: a path that no program can be given is an agent that cannot be started', async (t) => {
  const { say } = await conversation(t, acp({ command: 'true', cwd: () => '/tmp/a\0b' }))
  t.match(await say(), [{ kind: 'complete', error: { code: 'AGENT_NOT_STARTED' } }])
})

/** The provider with an SDK that says these messages, and what it is asked to resume. */
function sayingClaude (said: unknown[], { asked = [], interrupt, after = Promise.resolve() }: { asked?: unknown[], interrupt?: () => never, after?: Promise<void> } = {}): Provider {
  const sdk = async () => ({
    query ({ options }: { options: { resume?: string } }) {
      asked.push(options.resume)
      async function * messages (): AsyncGenerator<SdkMessage> {
        yield * said as SdkMessage[]
        await after
      }
      return Object.assign(messages(), { interrupt })
    }
  })
  return claude({ sdk })
}

const INIT = { type: 'system', subtype: 'init', session_id: 'native-0123456789' }
const SUCCESS = { type: 'result', subtype: 'success', is_error: false }

test('claude: a message that cannot be read fails the run', async (t) => {
  for (const message of [
    null, { type: 'assistant' }, { type: 'assistant', message: { content: 7 } }, { type: 'assistant', message: { content: [{}] } }, { type: 'user', message: null },
    { type: 'stream_event' }, { type: 'stream_event', event: { type: 'content_block_start', index: 0 } }, { ...SUCCESS, errors: { toString: 1 } }
  ]) {
    const { say } = await conversation(t, sayingClaude([message]))
    t.match(await say(), [{ kind: 'complete', reason: 'failed', error: { code: 'AGENT_INCOMPATIBLE' } }], JSON.stringify(message))
  }
})

test('claude: a result that says less than it should ends the run all the same', async (t) => {
  for (const [result, reason] of [[{ ...SUCCESS, usage: null }, 'finished'], [{ ...SUCCESS, usage: 7, errors: 7 }, 'finished'], [{ type: 'result' }, 'failed'], [{ ...SUCCESS, is_error: true, errors: 'x' }, 'failed']] as const) {
    const { say } = await conversation(t, sayingClaude([INIT, result]))
    t.match((await say()).at(-1), { kind: 'complete', reason }, JSON.stringify(result))
  }
})

test('claude: an SDK that throws when it is to interrupt does no harm', async (t) => {
  const { promise: after, open } = latch()
  const { say, app } = await conversation(t, sayingClaude([INIT, { type: 'system', subtype: 'status', status: 'requesting' }], { after, interrupt: () => { throw new Error('closed') } }))
  t.match((await say('hello', async ({ kind }) => { if (kind === 'status') await app.agentRuns.abortRun({ sessionId: 's' }) })).at(-1), { kind: 'complete', reason: 'aborted' })
  open()
})

test('claude: a session id that could be taken for an option is not resumed', async (t) => {
  for (const id of ['--dangerously-skip-permissions', 'a\0b']) {
    const asked: unknown[] = []
    const { say } = await conversation(t, sayingClaude([{ ...INIT, session_id: id }, SUCCESS], { asked }))
    for (let i = 0; i < 2; i++) t.match((await say()).at(-1), { reason: 'finished' })
    t.strictSame(asked, [undefined, undefined])
  }
})

for (const [name, create, garbage] of [
  ['codexCli', codexCli, ['{"type":"thread.started"}', '{"type":"thread.started","thread_id":7}', '{"type":"item.completed"}', '{"type":"item.completed","item":null}', '{"type":"item.completed","item":7}', '{"type":"turn.completed","usage":null}', '{"type":"turn.failed"}', '{"type":{}}', '{"type":"error","message":{"toString":1}}']],
  ['claudeCli', claudeCli, ['{"type":"system","subtype":"init","session_id":7}', '{"type":"assistant"}', '{"type":"user","message":null}', '{"type":"stream_event"}', '{"type":"result"}', '{"type":7}']]
] as const) {
  test(`${name}: lines that cannot be read do no harm`, async (t) => {
    const script = `console.log(${JSON.stringify(garbage.join('\n'))}); process.stdin.resume()`
    const { say } = await conversation(t, create({ command: 'sh', args: ['-c', 'exec "$0" -e "$1"', process.execPath, script] }))
    for (let i = 0; i < 2; i++) t.equal((await say()).filter(({ kind }) => kind === 'complete').length, 1)
  })
}

test('a process that may not be killed does not end the server', async (t) => {
  const kill = process.kill
  t.teardown(() => { process.kill = kill })
  process.kill = () => { throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' }) }
  const group = new ProcessGroup('sleep', ['1000'], { env: process.env }, 0)
  group.kill()
  group.child.kill('SIGKILL')
  t.equal(await group.exited, 137)
})

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { Event } from '../../index.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { codexCli, codexLines } from '../../providers/command/codex-cli.ts'
import { serveApp } from '../helpers/build-app.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { conversation, textOf } from '../helpers/scripted-acp.ts'
import { tempDir } from '../helpers/temp-dir.ts'

// As Codex 0.16x wrote them, but for the ids.
const THREAD = '01a20491-ca0e-7d70-8141-8c8885d5b926'
const lines = {
  started: { type: 'thread.started', thread_id: THREAD },
  turn: { type: 'turn.started' },
  warning: { type: 'item.completed', item: { id: 'item_0', type: 'error', message: 'Model metadata not found.' } },
  reasoning: { type: 'item.completed', item: { id: 'item_1', type: 'reasoning', text: 'Hm.' } },
  runs: { type: 'item.started', item: { id: 'item_2', type: 'command_execution', command: '/bin/bash -lc ls', aggregated_output: '', exit_code: null, status: 'in_progress' } },
  ran: { type: 'item.completed', item: { id: 'item_2', type: 'command_execution', command: '/bin/bash -lc ls', aggregated_output: 'a.txt\n', exit_code: 1, status: 'failed' } },
  changed: { type: 'item.completed', item: { id: 'item_3', type: 'file_change', changes: [{ path: 'a.txt', kind: 'update' }], status: 'completed' } },
  called: { type: 'item.completed', item: { id: 'item_4', type: 'mcp_tool_call', server: 'docs', tool: 'find', arguments: { q: 'x' }, result: { content: [] }, error: null, status: 'completed' } },
  todo: { type: 'item.updated', item: { id: 'item_5', type: 'todo_list', items: [{ text: 'Look', completed: true }] } },
  says: { type: 'item.completed', item: { id: 'item_6', type: 'agent_message', text: `Done in ${THREAD}.` } },
  over: { type: 'turn.completed', usage: { input_tokens: 10, cached_input_tokens: 1, output_tokens: 6, reasoning_output_tokens: 2 } },
  again: { type: 'error', message: 'Reconnecting... 1/5' },
  failed: { type: 'turn.failed', error: { message: '{"error":{"message":"The service says 400."}}' } }
}

/** A program that says these lines, and as which arguments it was given. */
async function codex (t: Test, said: object[], exitCode = 0): Promise<{ say: (text: string) => Promise<Event[]>, raw: () => string }> {
  const program = join(tempDir(t), 'codex.mjs')
  const output = said.map((line) => JSON.stringify(line)).join('\n')
  writeFileSync(program, `#!${process.execPath}
    import { readFileSync } from 'node:fs'
    const message = readFileSync(0, 'utf8')
    console.log(${JSON.stringify(output)})
    console.log(JSON.stringify({ type: 'item.completed', item: { id: 'args', type: 'agent_message', text: [...process.argv.slice(2), message].join(' ') } }))
    process.exitCode = ${exitCode}`)
  chmodSync(program, 0o755)
  const { app, url } = await serveApp(t, { providers: { codex: codexCli({ command: program, args: ['--sandbox', 'read-only'] }) } })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  t.teardown(() => client.cut())
  return {
    raw: () => client.raw,
    async say (content) {
      const { runId } = await app.agentRuns.startRun({ sessionId: 's', content })
      const mine = (): Event[] => client.events.filter((event) => event.runId === runId)
      await client.until(() => mine().at(-1)?.kind === 'complete')
      return mine()
    }
  }
}

const withoutIds = (event: Event): object => {
  const { sessionId, runId, seq, provider, timestamp, ...fields } = event as Event & { messageId?: string, toolId?: string }
  for (const id of ['messageId', 'toolId'] as const) if (fields[id] !== undefined) fields[id] = fields[id]!.replace(/^.*-item/, 'item')
  return fields
}

test('what Codex writes of a turn has its place in the log, and its thread goes on with the next', async (t) => {
  const { started, turn, warning, reasoning, runs, ran, changed, called, todo, says, over } = lines
  const { say, raw } = await codex(t, [started, turn, warning, reasoning, runs, ran, changed, called, todo, says, over])
  const events = await say('Do it.')
  t.strictSame(events.slice(1, -2).map(withoutIds), [
    { kind: 'error', code: 'AGENT_WARNING', message: 'Model metadata not found.' },
    { kind: 'thinking', messageId: 'item_1', content: 'Hm.' },
    { kind: 'tool_use', toolId: 'item_2', toolName: 'command_execution', toolInput: { command: '/bin/bash -lc ls' } },
    { kind: 'tool_result', toolId: 'item_2', toolResult: { content: 'a.txt\n', isError: true } },
    { kind: 'tool_use', toolId: 'item_3', toolName: 'file_change', toolInput: { changes: [{ path: 'a.txt', kind: 'update' }] } },
    { kind: 'tool_result', toolId: 'item_3', toolResult: { content: { changes: [{ path: 'a.txt', kind: 'update' }] }, isError: false } },
    { kind: 'tool_use', toolId: 'item_4', toolName: 'docs.find', toolInput: { q: 'x' } },
    { kind: 'tool_result', toolId: 'item_4', toolResult: { content: { content: [] }, isError: false } },
    { kind: 'plan', entries: [{ text: 'Look', completed: true }] },
    { kind: 'text', messageId: 'item_6', content: 'Done in s.', role: 'assistant' }
  ])
  t.match(events.at(-2), { content: 'exec --json --skip-git-repo-check --sandbox read-only - Do it.' })
  t.match(events.at(-1), { success: true, usage: { inputTokens: 10, outputTokens: 6, cachedInputTokens: 1, reasoningTokens: 2 } })
  t.match((await say('More.')).at(-2), { content: 'exec --json --skip-git-repo-check --sandbox read-only resume s - More.' })
  t.notMatch(raw(), new RegExp(THREAD))
})

test('a turn that fails says why, in the words of the model\'s service', async (t) => {
  const { say } = await codex(t, [lines.started, lines.turn, lines.again, lines.failed], 1)
  const events = await say('Do it.')
  t.match(events.filter(({ kind }) => kind === 'status'), [{ text: 'Reconnecting... 1/5' }])
  t.match(events.at(-1), { success: false, exitCode: 1, error: { code: 'AGENT_FAILED', message: 'The service says 400.' } })
})

test('a Codex that says nothing of its end fails with what it wrote to standard error', async (t) => {
  const { say } = await codex(t, [lines.started], 2)
  t.match((await say('Do it.')).at(-1), { success: false, exitCode: 2, error: { code: 'COMMAND_FAILED' } })
})

test('tools of two turns have ids of their own', (t) => {
  const [one, two] = [codexLines()(lines.ran), codexLines()(lines.ran)]
  t.not((one![0] as { toolId: string }).toolId, (two![0] as { toolId: string }).toolId)
  t.equal(codexLines()({ type: 'something.new' }), null)
  t.end()
})

for (const [name, create, complaint] of [
  ['codex exec', codexCli, 'Error: thread/resume failed: no rollout found for thread id x (code -32600)'], ['claude -p', claudeCli, 'No conversation found with session ID: x']
] as const) {
  test(`${name}: an agent that does not have its session any more starts anew, and the client is told; any other failure is a sentence`, async (t) => {
    const program = join(tempDir(t), 'agent.mjs')
    const isCodex = create === codexCli
    const said = isCodex ? [lines.started, lines.says, lines.over] : [{ type: 'system', subtype: 'init', session_id: THREAD }, { type: 'result', subtype: 'success', is_error: false, result: 'Done', session_id: THREAD, usage: {} }]
    writeFileSync(program, `#!${process.execPath}
      import { readFileSync } from 'node:fs'
      const message = readFileSync(0, 'utf8')
      const isResumed = /resume/.test(process.argv.join(' '))
      if (isResumed || message === 'fail') {
        console.error(${JSON.stringify(complaint)}.replace('x', isResumed ? 'gone' : '') + '\\n\\nStack backtrace:\\n' + '   0: <unknown>\\n'.repeat(1000))
        process.exit(1)
      }
      for (const line of ${JSON.stringify(said)}) console.log(JSON.stringify(line))`)
    chmodSync(program, 0o755)
    const { app, url } = await serveApp(t, { providers: { agent: create({ command: program }) } })
    const client = await SseClient.open(`${url}/sessions/s/stream`)
    const say = async (content: string): Promise<Event[]> => {
      const { runId } = await app.agentRuns.startRun({ sessionId: 's', content })
      await client.until(({ events }) => events.some((event) => event.runId === runId && event.kind === 'complete'))
      return client.events.filter((event) => event.runId === runId)
    }
    t.match((await say('one')).at(-1), { success: true })
    const second = await say('two')
    t.match(second.filter(({ kind }) => kind === 'error'), [{ code: 'AGENT_FORGOT' }])
    t.match(second.at(-1), { success: true })
    const failed = (await say('fail')).at(-1)
    t.match(failed, { success: false, error: { code: 'COMMAND_FAILED' } })
    t.notMatch(JSON.stringify(failed), /backtrace|unknown/i)
  })
}

/** A program that writes this to its output, and then does that. */
function program (t: Test, output: string, then = ''): string {
  const path = join(tempDir(t), 'agent.mjs')
  writeFileSync(path, `#!${process.execPath}\nprocess.stdout.write(${JSON.stringify(output)}, () => { ${then} })`)
  chmodSync(path, 0o755)
  return path
}

const RESULT = JSON.stringify({ type: 'result', subtype: 'success', is_error: false, session_id: 'native-0123' })

test('banners and escape sequences of a protocol are no part of the answer', async (t) => {
  const said = JSON.stringify({ type: 'assistant', message: { id: 'm', content: [{ type: 'text', text: 'fine' }] } })
  const { say } = await conversation(t, claudeCli({ command: program(t, `Update available!\n\u001b[33m{ warning }\u001b[0m\n\u001b[0m${said}\u001b[0m\r\n${RESULT}`) }))
  const events = await say()
  t.equal(textOf(events), 'fine')
  t.notOk(events.some(({ kind }) => kind === 'stream_delta'))
  t.match(events.at(-1), { reason: 'finished' })
})

test('an agent that has told its result and does not exit is ended, and its turn counts', async (t) => {
  const { say } = await conversation(t, claudeCli({ command: program(t, `${RESULT}\n`, 'setInterval(() => {}, 1000)') }))
  t.match((await say()).at(-1), { kind: 'complete', reason: 'finished', exitCode: 0 })
})

test('an agent that exits without a word about its turn fails it, with what it wrote', async (t) => {
  const silent = await conversation(t, claudeCli({ command: program(t, '') }))
  t.match((await silent.say()).at(-1), { reason: 'failed', error: { code: 'COMMAND_FAILED', message: /exited in the middle of its turn\.$/ } })
  const speaking = await conversation(t, codexCli({ command: program(t, 'Please run codex login.\n', 'process.exit(1)') }))
  t.match((await speaking.say()).at(-1), { reason: 'failed', exitCode: 1, error: { code: 'COMMAND_FAILED', message: /Please run codex login\.$/ } })
})

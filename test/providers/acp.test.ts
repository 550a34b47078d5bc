import { test } from 'tap'
import type { Event } from '../../index.ts'
import { acp } from '../../providers/acp/index.ts'
import { acpApp, pidOf, said, testAgent } from '../helpers/acp-app.ts'
import { gone, groupOf, isAlive } from '../helpers/processes.ts'

const withoutEnvelope = ({ sessionId, runId, seq, provider, timestamp, ...rest }: Event): object => rest

test('what an agent says comes as deltas, its session is kept, its next turn is of the same process and session', async (t) => {
  const { say, client } = await acpApp(t, testAgent())
  const first = await say('hello there')
  t.strictSame(first.map(({ kind }) => kind), ['text', 'stream_delta', 'stream_delta', 'text', 'complete'])
  t.match(said(first), /^turn 1 of s in \d+\. You said: hello there$/)
  t.match(first.at(-1), { success: true, reason: 'finished' })
  const second = await say('again')
  t.match(said(second), /^turn 2 of s/)
  t.equal(pidOf(second), pidOf(first))
  t.notMatch(client.raw, /acp-native/)
})

test('everything that an agent reports has a place in the log', async (t) => {
  const { say } = await acpApp(t, testAgent())
  const events = await say('everything')
  const text = (text: string) => [{ type: 'content', content: { type: 'text', text } }]
  const messages = events.flatMap((event) => 'messageId' in event && event.kind !== 'text' ? [event.messageId] : [])
  t.strictSame(events.slice(2).map(withoutEnvelope), [
    { kind: 'thinking_delta', messageId: messages[1], content: 'Hm.' },
    { kind: 'plan', entries: [{ content: 'Look', priority: 'high', status: 'pending' }] },
    { kind: 'stream_end', messageId: messages[1] },
    { kind: 'text', role: 'assistant', messageId: messages[0], content: said(events).replace('Done.', '') },
    { kind: 'thinking', messageId: messages[1], content: 'Hm.' },
    { kind: 'tool_use', toolId: 'r', toolName: 'Read a.txt', title: 'Read a.txt', toolInput: { path: 'a.txt' }, toolKind: 'read' },
    { kind: 'tool_update', toolId: 'r', status: 'in_progress', content: text('half') },
    { kind: 'tool_result', toolId: 'r', toolResult: { content: text('all'), isError: false } },
    { kind: 'tool_use', toolId: 'w', toolName: 'Write', title: 'Write', toolInput: null },
    { kind: 'tool_result', toolId: 'w', toolResult: { content: 'no', isError: true } },
    { kind: 'status', text: 'working', tokens: 10 },
    { kind: 'custom', name: 'current_mode_update', data: { currentModeId: 'plan' }, transient: true },
    { kind: 'stream_delta', messageId: 'm2', content: 'Done.' },
    { kind: 'text', role: 'assistant', messageId: 'm2', content: 'Done.' },
    { kind: 'complete', exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 's', usage: { contextTokens: 10, contextSize: 100 } }
  ])
})

test('a tool that asks for leave waits behind what led to it, and hears the option that was chosen', async (t) => {
  const { say, app, client } = await acpApp(t, testAgent())
  const answer = (decision: { allow: boolean, optionId?: string }) => say('tool', {
    onEvent: async (event) => {
      if (event.kind === 'permission_request') await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, ...decision })
    }
  })
  const events = await answer({ allow: true })
  t.match(events.filter(({ kind }) => kind.startsWith('tool') || kind.startsWith('permission')).map(withoutEnvelope), [
    { kind: 'tool_use', toolId: 't', toolName: 'Bash', title: 'Run a command', toolInput: null, toolKind: 'execute' },
    { kind: 'tool_use', toolId: 't', toolName: 'Bash', title: 'Run a command', toolInput: { command: 'ls s' } },
    { kind: 'permission_request', toolId: 't', toolName: 'Bash', input: { command: 'ls s' }, options: [{ optionId: 'always', name: 'Always', kind: 'allow_always' }, { optionId: 'yes' }, { optionId: 'no' }] },
    { kind: 'permission_resolved', allow: true }
  ])
  t.match(said(events), /outcome {"outcome":"selected","optionId":"yes"}/, 'once is enough where nobody chose for ever')
  t.match(said(await answer({ allow: true, optionId: 'always' })), /"optionId":"always"/)
  t.match(said(await answer({ allow: false })), /"optionId":"no"/)
  t.notMatch(client.raw, /acp-native/)
})

test('an abort while a tool waits cancels its request, and the agent hears that too', async (t) => {
  const { say, app } = await acpApp(t, testAgent())
  const events = await say('tool', {
    onEvent: async ({ kind }) => { if (kind === 'permission_request') await app.agentRuns.abortRun({ sessionId: 's' }) }
  })
  t.match(events.slice(-2), [{ kind: 'permission_cancelled', reason: 'aborted' }, { kind: 'complete', aborted: true }])
  t.equal(pidOf(await say('still there')), pidOf(events))
})

test('an abort ends the run at once; an agent that hears it stays, one that does not is ended', async (t) => {
  const { say, app } = await acpApp(t, { ...testAgent({ ACP_DEAF: '1', ACP_CHILD: '1' }), cancelGraceMs: 100, killGraceMs: 100 })
  const abort = { onEvent: async ({ kind }: Event) => { if (kind === 'stream_delta') await app.agentRuns.abortRun({ sessionId: 's' }) } }
  const first = await say('wait', abort)
  t.match(first.at(-1), { kind: 'complete', aborted: true, reason: 'aborted' })
  const second = await say('ignore', abort)
  t.match(said(second), /^turn 2 of s/, 'it had heard')
  t.equal(pidOf(second), pidOf(first))
  const third = await say('hello')
  t.match(said(third), /^turn 101 of s/, 'another process, the same session')
  t.not(pidOf(third), pidOf(second))
  t.strictSame(groupOf(pidOf(second)), [], 'nor anything that it had started')
})

test('an agent that crashes fails its run with what it said of it, and the next message starts it anew', async (t) => {
  const { say } = await acpApp(t, testAgent({ ACP_CHILD: '1' }))
  const crashed = await say('crash')
  t.match(crashed.at(-1), { kind: 'complete', success: false, exitCode: 3, reason: 'failed', error: { code: 'AGENT_EXITED', message: 'The agent ended with code 3: out of cheese' } })
  t.strictSame(groupOf(pidOf(crashed)), [])
  t.match(said(await say('hello')), /^turn 101 of s/)
})

test('an agent that refuses or fails says so; it stays', async (t) => {
  const { say } = await acpApp(t, testAgent())
  t.match((await say('refuse')).at(-1), { success: false, error: { code: 'AGENT_REFUSAL' } })
  const failed = await say('fail')
  t.match(failed.at(-1), { success: false, error: { code: 'AGENT_FAILED', message: /the model of s is gone/ } })
  t.match(said(await say('hello')), /^turn 3 of s/)
})

test('what is replayed of a session that is loaded is not said again', async (t) => {
  const { say, client } = await acpApp(t, { ...testAgent({ ACP_RETURNS: 'load' }), idleMs: 0 })
  const first = await say('hello')
  await gone(pidOf(first))
  t.match(said(await say('again')), /^turn 201 of s/)
  t.notMatch(client.raw, /REPLAYED/)
})

test('an agent of a session that is deleted is ended', async (t) => {
  const { say, app } = await acpApp(t, testAgent())
  const pid = pidOf(await say('hello'))
  t.equal(isAlive(pid), true)
  await app.agentRuns.deleteSession('s')
  await gone(pid)
})

test('what cannot be started, does not start in time, or wants somebody to log in, fails with a code of its own', async (t) => {
  const cases = [
    [{ command: 'no-such-agent' }, 'AGENT_NOT_STARTED'],
    [{ command: 'sleep', args: ['1000'], startTimeoutMs: 100 }, 'AGENT_NOT_STARTED'],
    [{ command: 'true' }, 'AGENT_EXITED'],
    [testAgent({ ACP_FAILS: 'start' }), 'AGENT_FAILED'],
    [testAgent({ ACP_FAILS: 'session' }), 'AGENT_NOT_AUTHENTICATED']
  ] as const
  for (const [options, code] of cases) {
    const { say } = await acpApp(t, options)
    t.match((await say('hello')).at(-1), { success: false, error: { code } }, code)
  }
})

test('clients can set nothing, and what the agent does not take is refused', async (t) => {
  const { say, app } = await acpApp(t, testAgent())
  await t.rejects(app.agentRuns.startRun({ sessionId: 's', content: 'hi', options: { cwd: '/' } }), { code: 'AGENT_RUNS_INVALID_OPTIONS' })
  t.match(said(await say([{ type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' }])), /You said: image$/)
  t.match((await say([{ type: 'file', mimeType: 'text/plain', data: 'aGk=' }])).at(-1), { error: { code: 'UNSUPPORTED_CONTENT' } })
  t.match(said(await say([{ type: 'file', mimeType: 'text/plain', url: 'https://example.com/a' }])), /You said: resource_link$/)
  t.equal(acp({ command: 'x' }).optionsSchema !== undefined, true)
})

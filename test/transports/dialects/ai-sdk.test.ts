import { test } from 'tap'
import { aiSdkDialect } from '../../../transports/dialects/ai-sdk/index.ts'
import { ask, cancelled, complete, delta, lines, message, result, run, type Said, spoken, stream, text, thought, use } from '../../helpers/ai-sdk-streams.ts'

const told = (...said: Said[]): string[] => spoken(stream(run(message, ...said)).frames)

test('a run is one message with its runId, frame by frame, and ends with [DONE]', (t) => {
  t.equal(stream(run(message, delta('m', 'Hel'), delta('m', 'lo'), text('m', 'Hello'), complete())).frames, [
    'data: {"type":"start","messageId":"r"}',
    'data: {"type":"start-step"}',
    'data: {"type":"text-start","id":"m"}',
    'data: {"type":"text-delta","id":"m","delta":"Hel"}',
    'data: {"type":"text-delta","id":"m","delta":"lo"}',
    'data: {"type":"text-end","id":"m"}',
    'data: {"type":"finish-step"}',
    'data: {"type":"message-metadata","messageMetadata":{"run":{"id":"r","reason":"finished"}}}',
    'data: {"type":"finish","finishReason":"stop"}',
    'data: [DONE]', ''
  ].join('\n\n'))
  t.strictSame(aiSdkDialect().headers, { 'x-vercel-ai-ui-message-stream': 'v1' })
  t.end()
})

test('text is appended to: a whole or a snapshot that goes on from the deltas is sent from there, one that does not cannot be', (t) => {
  t.strictSame(told(text('m', 'whole'), complete()), ['start r', 'start-step', 'text-start m', 'text-delta m whole', 'text-end m', 'finish-step', 'finish stop', '[DONE]'])
  t.strictSame(told(delta('m', 'a'), { kind: 'stream_delta', messageId: 'm', content: 'abc', snapshot: true }, text('m', 'abcd')), [
    'start r', 'start-step', 'text-start m', 'text-delta m a', 'text-delta m bc', 'text-delta m d', 'text-end m'
  ])
  t.strictSame(told(delta('m', 'a'), text('m', 'other')), ['start r', 'start-step', 'text-start m', 'text-delta m a', 'text-end m'])
  t.strictSame(told(delta('m', ''), text('m', '')), ['start r'])
  t.end()
})

test('a message that has ended goes on in a part of its own', (t) => {
  t.strictSame(told(delta('m', 'a'), { kind: 'stream_end', messageId: 'm' }, text('m', 'ab')), [
    'start r', 'start-step', 'text-start m', 'text-delta m a', 'text-end m', 'text-start m', 'text-delta m b', 'text-end m'
  ])
  t.end()
})

test('thinking is reasoning, though text has the same id', (t) => {
  t.strictSame(told(thought('m', 'hm'), delta('m', 'a'), { kind: 'thinking', messageId: 'm', content: 'hmm' }, text('m', 'ab'), complete()), [
    'start r', 'start-step', 'reasoning-start m', 'reasoning-delta m hm', 'text-start m', 'text-delta m a',
    'reasoning-delta m m', 'reasoning-end m', 'text-delta m b', 'text-end m', 'finish-step', 'finish stop', '[DONE]'
  ])
  t.strictSame(told(thought('m', 'hm'), delta('m', 'a'), { kind: 'stream_end', messageId: 'm' }), [
    'start r', 'start-step', 'reasoning-start m', 'reasoning-delta m hm', 'text-start m', 'text-delta m a', 'reasoning-end m', 'text-end m'
  ])
  t.end()
})

test('what is said, thought or called behind results begins the next step, and ends what is open', (t) => {
  t.strictSame(told(delta('m', 'a'), use('1', { path: '/' }), use('2'), result('1', 'one'), result('2', ['two']), delta('m', 'b'), use('3'), result('3', null), thought('n', 'c'), complete()), [
    'start r', 'start-step', 'text-start m', 'text-delta m a', 'tool-input-available 1 ls {"path":"/"}', 'tool-input-available 2 ls {}',
    'tool-output-available 1 one', 'tool-output-available 2 ["two"]', 'text-end m', 'finish-step',
    'start-step', 'text-start m', 'text-delta m b', 'tool-input-available 3 ls {}', 'tool-output-available 3 null', 'text-end m', 'finish-step',
    'start-step', 'reasoning-start n', 'reasoning-delta n c', 'reasoning-end n', 'finish-step', 'finish stop', '[DONE]'
  ])
  t.end()
})

test('tools need no types in the client, and are none that it would execute or answer', (t) => {
  t.strictSame(stream(run(message, use('1'), result('1', 'out'), use('2'), result('2', 'bad', true))).frames.split('\n\n').filter((frame) => frame.includes('tool-')), [
    'data: {"type":"tool-input-available","toolCallId":"1","toolName":"ls","input":{},"dynamic":true,"providerExecuted":true}',
    'data: {"type":"tool-output-available","toolCallId":"1","output":"out","dynamic":true}',
    'data: {"type":"tool-input-available","toolCallId":"2","toolName":"ls","input":{},"dynamic":true,"providerExecuted":true}',
    'data: {"type":"tool-output-error","toolCallId":"2","errorText":"bad","dynamic":true}'
  ])
  t.end()
})

test('a call may get more input and preliminary output until it has a result', (t) => {
  t.strictSame(told(
    use('1', {}), use('1', { path: '/' }), { kind: 'tool_update', toolId: '1', status: 'running', content: 'so far' }, { kind: 'tool_update', toolId: '1', status: 'running' },
    result('1', 'all'), use('1', { late: true }), { kind: 'tool_update', toolId: '1', status: 'late', content: 'late' }, { kind: 'tool_update', toolId: '?', status: 'lost', content: 'lost' }
  ), [
    'start r', 'start-step', 'tool-input-available 1 ls {}', 'tool-input-available 1 ls {"path":"/"}', 'tool-output-available 1 so far true', 'tool-output-available 1 all'
  ])
  t.end()
})

test('more input for a call of an earlier step is left out, as the client would make a second part of it', (t) => {
  t.strictSame(told(use('1'), use('2'), result('2', 'two'), delta('m', 'a'), use('1', { more: true }), result('1', 'one')).slice(3), [
    'tool-input-available 2 ls {}', 'tool-output-available 2 two', 'finish-step', 'start-step', 'text-start m', 'text-delta m a', 'tool-output-available 1 one'
  ])
  t.end()
})

test('a result of nothing that was called gets a part, without which the client would fail', (t) => {
  t.strictSame(told(result('1', 'out')), ['start r', 'start-step', 'tool-input-available 1 unknown null', 'tool-output-available 1 out'])
  t.end()
})

test('an error\'s text is found wherever agents put it', (t) => {
  const forms = ['plain', [{ type: 'text', text: 'a' }, { type: 'content', content: { type: 'text', text: 'b' } }], { message: 'c' }, { code: 1 }, null, undefined]
  const texts = forms.map((content, index) => told(use(String(index)), result(String(index), content, true)).at(-1)!.replace(/^tool-output-error \d /, ''))
  t.strictSame(texts, ['plain', 'a\nb', 'c', '{"code":1}', 'null', 'null'])
  t.end()
})

test('plan and usage take the place of the ones before, status is transient, and names of custom events are made safe', (t) => {
  t.strictSame(told(
    { kind: 'plan', entries: [1] }, { kind: 'usage', inputTokens: 1 }, { kind: 'status', text: 'busy', tokens: 2 }, { kind: 'custom', name: 'my/odd name', data: { x: 1 } },
    { kind: 'custom', name: 'flash', transient: true }, { kind: 'error', code: 'E', message: 'went wrong' }, complete('finished', { usage: { outputTokens: 2 } })
  ), [
    'start r', 'data-plan plan {"entries":[1]}', 'data-usage usage {"inputTokens":1}', 'data-status {"text":"busy","tokens":2} true', 'data-my-odd-name {"x":1}',
    'data-flash null true', 'data-error {"code":"E","message":"went wrong"}', 'data-usage usage {"outputTokens":2}', 'finish stop', '[DONE]'
  ])
  t.end()
})

test('a run says how it ended, in its stream as in the history', (t) => {
  const error = { code: 'X', message: 'The model is down.' }
  for (const [reason, more] of [['finished', {}], ['aborted', {}], ['failed', { error }], ['timeout', {}], ['interrupted', {}]] as const) {
    for (const said of [[], [text('m', 'a')]]) {
      const events = run(message, ...said, complete(reason, more))
      const metadata = { run: { id: 'r', reason, ...more } }
      t.ok(lines(stream(events).frames).includes(`message-metadata ${JSON.stringify(metadata)}`), reason)
      t.match(aiSdkDialect().messages!(events).at(-1), { id: 'r', role: 'assistant', metadata })
    }
  }
  t.end()
})

test('a run that ends closes its tools, so that no client waits for them', (t) => {
  const closing = ['tool-output-error 1 The run ended before the tool did.', 'text-end m', 'finish-step']
  const end = (...ending: Parameters<typeof complete>): string[] => told(delta('m', 'a'), use('1'), complete(...ending)).slice(5)
  t.strictSame(end('finished'), [...closing, 'finish stop', '[DONE]'])
  t.strictSame(end('aborted'), [...closing, 'abort aborted', '[DONE]'])
  t.strictSame(end('failed', { error: { code: 'X', message: 'The model is down.' } }), [...closing, 'error The model is down.', '[DONE]'])
  t.strictSame(end('failed'), [...closing, 'error The run has failed.', '[DONE]'])
  t.strictSame(end('timeout'), [...closing, 'error The run has taken too long.', '[DONE]'])
  t.strictSame(end('interrupted'), [...closing, 'error The run has been interrupted.', '[DONE]'])
  t.end()
})

test('a stream that the server closes is cut, as the run goes on; one of a deleted session ends with an error', (t) => {
  const encoder = aiSdkDialect().encoder({ sessionId: 's', runId: 'r', body: null, waits: () => false })
  for (const event of run(message, delta('m', 'a'))) encoder.encode(event)
  t.equal(encoder.broken({ kind: 'stream_closing', sessionId: 's', retryMs: 1 }), '')
  t.strictSame(lines(encoder.broken({ kind: 'session_deleted', sessionId: 's' })), ['text-end m', 'finish-step', 'error The session was deleted.', '[DONE]'])
  t.end()
})

test('for AI SDK 5 approvals are data, and the stream goes on', (t) => {
  const { frames, paused } = stream(run(message, use('1'), ask('q', '1'), { kind: 'permission_resolved', requestId: 'q', allow: true, optionId: 'o' }, ask('p'), cancelled('p'), complete()), {
    dialect: aiSdkDialect({ approvals: 'data' }), waiting: ['q', 'p']
  })
  t.equal(paused, false)
  t.strictSame(spoken(frames), [
    'start r', 'start-step', 'tool-input-available 1 ls {}',
    'data-permission-request q {"requestId":"q","toolName":"rm","input":{"path":"/"},"toolId":"1"}',
    'data-permission-request q {"requestId":"q","toolName":"rm","input":{"path":"/"},"toolId":"1","outcome":{"allow":true,"optionId":"o"}}',
    'data-permission-request p {"requestId":"p","toolName":"rm","input":{"path":"/"}}',
    'data-permission-request p {"requestId":"p","toolName":"rm","input":{"path":"/"},"outcome":{"reason":"withdrawn"}}',
    'tool-output-error 1 The run ended before the tool did.', 'finish-step', 'finish stop', '[DONE]'
  ])
  t.end()
})

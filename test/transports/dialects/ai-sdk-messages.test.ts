import { safeValidateUIMessages as validate6 } from 'ai6'
import { safeValidateUIMessages as validate7 } from 'ai7'
import { test } from 'tap'
import type { Event } from '../../../lib/protocol/event.ts'
import { isTransient } from '../../../lib/protocol/event.ts'
import { aiSdkDialect } from '../../../transports/dialects/ai-sdk/index.ts'
import { ask, cancelled, complete, delta, message, read, resolved, result, run, type Said, stream, text, use } from '../../helpers/ai-sdk-streams.ts'

const { messages } = aiSdkDialect() as { messages: (events: Event[]) => unknown[] }
const durable = (events: Event[]): Event[] => events.filter((event) => !isTransient(event.kind, event as { transient?: unknown }))

test('the history is the messages of the user and one answer for each run, whose id is its runId', (t) => {
  const [first, second] = [run(message, text('m', 'Hello'), complete()), run({ kind: 'text', role: 'user', messageId: 'v', content: 'more' }, complete('failed'))]
  const third = run({
    kind: 'text',
    role: 'user',
    messageId: 'w',
    content: [{ type: 'text', text: 'see' }, { type: 'image', mimeType: 'image/png', data: 'iVBO', name: 'a.png' }, { type: 'file', mimeType: 'text/plain', url: 'https://files.example/b' }]
  })
  const events = [...first, ...second.map((event) => ({ ...event, runId: 'r2' })), ...third.map((event) => ({ ...event, runId: 'r3' }))]
  t.strictSame(messages(events), [
    { id: 'u', role: 'user', parts: [{ type: 'text', text: 'hi' }] },
    { id: 'r', role: 'assistant', parts: [{ type: 'step-start' }, { type: 'text', text: 'Hello', state: 'done' }], metadata: { run: { id: 'r', reason: 'finished' } } },
    { id: 'v', role: 'user', parts: [{ type: 'text', text: 'more' }] },
    { id: 'r2', role: 'assistant', parts: [], metadata: { run: { id: 'r2', reason: 'failed' } } },
    {
      id: 'w',
      role: 'user',
      parts: [
        { type: 'text', text: 'see' }, { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,iVBO', filename: 'a.png' },
        { type: 'file', mediaType: 'text/plain', url: 'https://files.example/b' }
      ]
    }
  ])
  t.end()
})

const RUNS: Record<string, Said[]> = {
  'text and thinking': [{ kind: 'thinking', messageId: 'm', content: 'hmm' }, text('m', 'Hello'), text('n', 'there'), complete()],
  'tools in steps': [text('m', 'I look'), use('1'), use('2', { more: true }), result('1', { files: [] }), result('2', 'bad', true), text('n', 'Found'), use('3'), complete('aborted')],
  'what is not said': [{ kind: 'plan', entries: [1] }, { kind: 'usage', inputTokens: 1 }, text('m', 'a'), { kind: 'plan', entries: [2] }, { kind: 'custom', name: 'x', data: 1 }, { kind: 'custom', name: 'x', data: 2 }, { kind: 'error', code: 'E', message: 'e' }, complete('finished', { usage: { outputTokens: 1 } })],
  approvals: [use('1', null), ask('a', '1'), resolved('a', true), use('1', { b: 1 }), result('1', 'ok'), ask('b'), resolved('b', true), use('2'), ask('c', '2'), resolved('c', false), ask('d'), cancelled('d'), complete()],
  'a failed run': [text('m', 'I beg'), use('1'), complete('failed')]
}

for (const [name, said] of Object.entries(RUNS)) {
  test(`the history of a run has the parts that its stream builds in a client: ${name}`, async (t) => {
    const events = run(message, ...said)
    const [, answer] = messages(events) as Array<{ parts: unknown[] }>
    const built = await read(stream(events, { waiting: [] }).frames)
    // No chunk says that a denied approval was denied, but clients are to find it in the part.
    t.strictSame(JSON.parse(JSON.stringify(answer).replace(/,"approved":false/g, '')), built)
    t.match(await validate6({ messages: [answer] }), { success: true })
    t.match(await validate7({ messages: [answer] }), { success: true })
  })
}

test('deltas that were kept change nothing in the history', (t) => {
  const events = run(message, delta('m', 'a'), use('1'), delta('m', 'b'), result('1', 'x'), text('m', 'ab'), complete())
  t.strictSame(messages(durable(events)).at(-1), {
    id: 'r',
    role: 'assistant',
    parts: [
      { type: 'step-start' }, { type: 'dynamic-tool', toolCallId: '1', toolName: 'ls', state: 'output-available', input: {}, providerExecuted: true, output: 'x' },
      { type: 'step-start' }, { type: 'text', text: 'ab', state: 'done' }
    ],
    metadata: { run: { id: 'r', reason: 'finished' } }
  })
  t.end()
})

test('for AI SDK 5 approvals are data in the history too', (t) => {
  const { messages } = aiSdkDialect({ approvals: 'data' }) as { messages: (events: Event[]) => unknown[] }
  t.strictSame(messages(run(message, ask('q'), resolved('q', true), complete())).at(-1), {
    id: 'r', role: 'assistant', parts: [{ type: 'data-permission-request', id: 'q', data: { requestId: 'q', toolName: 'rm', input: { path: '/' }, outcome: { allow: true } } }], metadata: { run: { id: 'r', reason: 'finished' } }
  })
  t.end()
})

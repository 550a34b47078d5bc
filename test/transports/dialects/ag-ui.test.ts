import { HttpAgent } from '@ag-ui/client'
import fc from 'fast-check'
import { test } from 'tap'
import type { Event } from '../../../lib/protocol/event.ts'
import { agUiDialect } from '../../../transports/dialects/index.ts'
import { randomRun } from '../../helpers/random-run.ts'

const dialect = agUiDialect()
const body = { threadId: 's', runId: 'mine', messages: [] }
const encoder = (waits = true) => dialect.encoder({ sessionId: 's', runId: 'r', body, waits: () => waits })

let seq = 0
const event = (fields: Record<string, unknown>): Event =>
  ({ sessionId: 's', runId: 'r', seq: ++seq, provider: 'p', timestamp: '2026-01-01T00:00:00.000Z', ...fields }) as unknown as Event

/** The events in frames, without their time. */
const eventsIn = (frames: string): unknown[] => frames.split('\n\n').filter((frame) => frame !== '').map((frame) => {
  const { timestamp, ...rest } = JSON.parse(frame.slice('data: '.length)) as { timestamp?: number }
  return rest
})

const encodeAll = (events: Event[], waits = true): unknown[] => {
  const voice = encoder(waits)
  return eventsIn(events.map((each) => voice.encode(each)).join(''))
}

const CONTENT = (delta: string) => ({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'text-r-m', delta })
const START = { type: 'TEXT_MESSAGE_START', messageId: 'text-r-m', role: 'assistant' }
const END = { type: 'TEXT_MESSAGE_END', messageId: 'text-r-m' }
const complete = (fields: object): Event => event({ kind: 'complete', exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 's', ...fields })

test('a stream begins with the run as its client calls it, one that came back with ours', (t) => {
  t.strictSame(eventsIn(encoder().begin()), [{ type: 'RUN_STARTED', threadId: 's', runId: 'mine', protocolVersion: '1.0' }])
  t.strictSame(eventsIn(dialect.encoder({ sessionId: 's', runId: 'r', body: null, waits: () => true }).begin()), [{ type: 'RUN_STARTED', threadId: 's', runId: 'r', protocolVersion: '1.0' }])
  t.end()
})

test('a text grows by what is new, whatever form that comes in', (t) => {
  t.strictSame(encodeAll([
    event({ kind: 'stream_delta', messageId: 'm', content: 'a' }),
    event({ kind: 'stream_delta', messageId: 'm', content: 'abc', snapshot: true }),
    event({ kind: 'stream_delta', messageId: 'm', content: '' }),
    event({ kind: 'stream_end', messageId: 'm' }),
    event({ kind: 'text', role: 'assistant', messageId: 'm', content: 'abcd' })
  ]), [START, CONTENT('a'), CONTENT('bc'), CONTENT('d'), END])
  t.strictSame(encodeAll([event({ kind: 'text', role: 'assistant', messageId: 'm', content: [{ type: 'text', text: 'whole' }] })]), [START, CONTENT('whole'), END])
  t.strictSame(encodeAll([event({ kind: 'text', role: 'assistant', messageId: 'm', content: '' })]), [], 'nothing is no message')
  t.strictSame(encodeAll([
    event({ kind: 'stream_delta', messageId: 'm', content: 'ab' }),
    event({ kind: 'text', role: 'assistant', messageId: 'm', content: 'other' })
  ]), [START, CONTENT('ab'), END], 'what was said cannot be taken back')
  t.end()
})

test('a call without a result gets one at the end, and the run its usage', (t) => {
  const call = event({ kind: 'tool_use', toolId: 't', toolName: 'look', toolInput: { a: 1 } })
  const called = [
    { type: 'TOOL_CALL_START', toolCallId: 'tool-r-t', toolCallName: 'look', parentMessageId: 'call-r-t' },
    { type: 'TOOL_CALL_ARGS', toolCallId: 'tool-r-t', delta: '{"a":1}' },
    { type: 'TOOL_CALL_END', toolCallId: 'tool-r-t' }
  ]
  const unanswered = { type: 'TOOL_CALL_RESULT', messageId: 'result-r-t', toolCallId: 'tool-r-t', role: 'tool', content: 'The run ended before the tool did.', metadata: { isError: true } }
  t.strictSame(encodeAll([call, call, complete({ usage: { inputTokens: 3, outputTokens: 4, costUsd: 0.1 } })]), [
    ...called, unanswered, { type: 'RUN_FINISHED', threadId: 's', runId: 'mine', outcome: { type: 'success' }, usage: [{ inputTokens: 3, outputTokens: 4 }] }
  ])
  t.strictSame(encodeAll([complete({ success: false, reason: 'timeout', exitCode: 1 })]), [{ type: 'RUN_ERROR', message: 'The run has taken too long.', code: 'TIMEOUT' }])
  t.strictSame(encodeAll([complete({ success: false, reason: 'failed', exitCode: 1, error: { code: 'X', message: 'No.' } })]), [{ type: 'RUN_ERROR', message: 'No.', code: 'X' }])
  t.end()
})

test('what AG-UI has no event for goes out under its own name', (t) => {
  t.strictSame(encodeAll([
    event({ kind: 'plan', entries: [1] }), event({ kind: 'custom', name: 'mine', data: { a: 1 } }), event({ kind: 'custom', name: 'bare' }),
    event({ kind: 'permission_resolved', requestId: 'q', allow: true })
  ]), [
    { type: 'CUSTOM', name: 'plan', value: { entries: [1] } }, { type: 'CUSTOM', name: 'mine', value: { a: 1 } }, { type: 'CUSTOM', name: 'bare', value: null },
    { type: 'CUSTOM', name: 'permission_resolved', value: { requestId: 'q', allow: true } }
  ])
  t.end()
})

test('an approval ends what is open and the stream; one that was answered does not; what is skipped is remembered', (t) => {
  const delta = event({ kind: 'stream_delta', messageId: 'm', content: 'ab' })
  const request = event({ kind: 'permission_request', requestId: 'q', toolId: 't', toolName: 'rm', input: { path: 'x' }, options: [{ optionId: 'once', name: 'Once' }] })
  const asking = encoder()
  const frames = eventsIn(asking.encode(delta) + asking.encode(request))
  t.equal(asking.paused, true)
  t.match(frames, [START, CONTENT('ab'), END, {
    type: 'RUN_FINISHED',
    outcome: { type: 'interrupt', interrupts: [{ id: 'q', reason: 'approval', toolCallId: 'tool-r-t', metadata: { toolName: 'rm', input: { path: 'x' }, options: [{ optionId: 'once' }] }, responseSchema: { type: 'object' } }] }
  }])
  t.strictSame(encodeAll([request], false), [])

  const going = encoder()
  going.skip(delta)
  going.skip(request)
  t.equal(going.paused, false)
  t.strictSame(eventsIn(going.encode(event({ kind: 'text', role: 'assistant', messageId: 'm', content: 'abc' }))), [START, CONTENT('c'), END])
  t.end()
})

test('a stream that is broken off is an error', (t) => {
  t.strictSame(eventsIn(encoder().broken({ kind: 'session_deleted', sessionId: 's' })), [{ type: 'RUN_ERROR', message: 'The session was deleted.', code: 'SESSION_DELETED' }])
  t.match(eventsIn(encoder().broken({ kind: 'stream_closing', sessionId: 's', retryMs: 1 })), [{ type: 'RUN_ERROR', code: 'STREAM_CLOSED' }])
  t.end()
})

test('what clients may send', (t) => {
  const read = (more: object) => dialect.read({ threadId: 's', runId: 'x', messages: [], ...more })
  const message = (content: unknown) => read({ messages: [{ id: 'm1', role: 'user', content }] })
  t.strictSame(message('hi'), { sessionId: 's', message: { content: 'hi', messageId: 'm1' } })
  t.strictSame(message([{ type: 'text', text: 'hi' }]), { sessionId: 's', message: { content: 'hi', messageId: 'm1' } })
  t.strictSame(message([
    { type: 'text', text: 'see' }, { type: 'image', source: { type: 'data', value: 'AA==', mimeType: 'image/png' } }, { type: 'document', source: { type: 'url', value: 'https://x/y' } }
  ]), { sessionId: 's', message: { content: [{ type: 'text', text: 'see' }, { type: 'image', mimeType: 'image/png', data: 'AA==' }, { type: 'file', mimeType: 'application/octet-stream', url: 'https://x/y' }], messageId: 'm1' } })
  t.strictSame(read({ messages: [{ id: 'ü'.repeat(300), role: 'user', content: 'x' }], forwardedProps: { provider: 'p', onBusy: 'queue', options: { a: 1 }, theirs: 1 } }), {
    sessionId: 's', message: { provider: 'p', onBusy: 'queue', options: { a: 1 }, content: 'x', idempotencyKey: 'ag-ui#lpIi5cnU6mYw7-UqMmYtB5Pvped4wuF7HldptiGuToY' }
  })
  t.strictSame(read({ resume: [{ interruptId: 'q', status: 'resolved', payload: { approved: true, optionId: 'o' } }, { interruptId: 'w', status: 'cancelled' }] }), {
    sessionId: 's', answers: [{ requestId: 'q', allow: true, optionId: 'o' }, { requestId: 'w', allow: false }]
  })
  for (const wrong of [
    {}, { threadId: 'no such id' }, { messages: [{ id: 'm', role: 'tool', content: 'x' }] }, { messages: [{ id: 'm', role: 'user', content: [{ type: 'video' }] }] },
    { messages: [{ id: 'm', role: 'user', content: 'x' }], forwardedProps: { onBusy: 'wait' } }, { resume: [{ interruptId: 'q', status: 'resolved', payload: 'yes' }] }
  ]) t.throws(() => read(wrong), { code: 'AGENT_RUNS_INVALID_REQUEST' }, JSON.stringify(wrong))
  t.end()
})

test('whatever a run says, its client takes it, and ends up with the messages of the history', async (t) => {
  await fc.assert(fc.asyncProperty(randomRun, async ({ live, durable }) => {
    const voice = encoder()
    const frames = voice.begin() + live.map((each) => voice.encode(each)).join('')
    const agent = new HttpAgent({ url: 'http://agent.example', threadId: 's', fetch: async () => new Response(frames, { headers: { 'content-type': 'text/event-stream' } }) })
    const failed = live.at(-1)!.kind === 'complete' && frames.includes('RUN_ERROR')
    await agent.runAgent().catch((error: unknown) => { if (!failed) throw error })
    const [, ...history] = dialect.messages!(durable) as Array<{ id: string }>
    const byId = (messages: Array<{ id: string }>): unknown[] => messages.toSorted((a, b) => a.id < b.id ? -1 : 1)
    t.strictSame(byId(agent.messages), byId(history))
  }), { numRuns: 200 })
})

import { lastAssistantMessageIsCompleteWithApprovalResponses as isAnswered, type UIMessage } from 'ai6'
import { test } from 'tap'
import { ask, cancelled, complete, delta, spoken, message, read, resolved, result, run, type Said, stream, text, textOf, use } from '../../helpers/ai-sdk-streams.ts'

/** What addToolApprovalResponse does to a message. */
const respond = (message: UIMessage, requestId: string, approved: boolean): UIMessage => ({
  ...message,
  parts: message.parts.map((part) => 'approval' in part && part.approval?.id === requestId ? { ...part, state: 'approval-responded', approval: { id: requestId, approved } } as typeof part : part)
})

/** Whether an unmodified client posts the message as it is. */
const isPosted = (message: UIMessage): boolean => isAnswered({ messages: [message] })

const states = ({ parts }: UIMessage): string[] => parts.map((part) => {
  if (part.type === 'text') return `text ${part.text}`
  return part.type === 'dynamic-tool' ? `${part.toolCallId} ${part.state}` : part.type
})

/** A run that is paused by its request, answered, and goes on: both streams, and the message that a client has of them. */
async function answer (before: Said[], requestId: string, approved: boolean, after: Said[]): Promise<{ first: string[], second: string[], message: UIMessage }> {
  const events = run(message, ...before, ...after)
  const told = before.length + 1
  const first = stream(events, { waiting: [requestId] })
  const paused = await read(first.frames)
  const answered = respond(paused, requestId, approved)
  if (!first.paused || isPosted(paused) || !isPosted(answered)) throw new Error('nobody would answer')
  const second = stream(events, { waiting: [], messages: [answered], told })
  return { first: spoken(first.frames), second: spoken(second.frames), message: await read(second.frames, answered) }
}

test('an approval ends the stream, and the answer\'s stream goes on behind it in the same message', async (t) => {
  const { first, second, message } = await answer([delta('m', 'I wi'), use('1'), ask('q', '1')], 'q', true, [resolved('q', true), delta('m', 'll'), result('1', 'done'), text('n', 'Done'), complete()])
  t.strictSame(first, [
    'start r', 'start-step', 'text-start m', 'text-delta m I wi', 'tool-input-available 1 ls {}', 'tool-approval-request q 1', 'text-end m', 'finish-step', 'finish tool-calls', '[DONE]'
  ])
  t.strictSame(second, [
    'start r', 'start-step', 'text-start m', 'text-delta m ll', 'tool-output-available 1 done', 'text-end m', 'finish-step',
    'start-step', 'text-start n', 'text-delta n Done', 'text-end n', 'finish-step', 'finish stop', '[DONE]'
  ])
  t.strictSame(states(message), ['step-start', 'text I wi', '1 output-available', 'step-start', 'text ll', 'step-start', 'text Done'])
  t.equal(message.id, 'r')
})

test('what is denied is told so, once, and its error is not', async (t) => {
  const { second, message } = await answer([use('1'), ask('q', '1')], 'q', false, [resolved('q', false), result('1', 'denied by the user', true), text('m', 'Well'), complete()])
  t.strictSame(second, ['start r', 'tool-output-denied 1', 'start-step', 'text-start m', 'text-delta m Well', 'text-end m', 'finish-step', 'finish stop', '[DONE]'])
  t.strictSame(states(message), ['step-start', '1 output-denied', 'step-start', 'text Well'])
  t.notOk(isPosted(message))
})

test('a request without a tool has a part of its own, which its outcome closes', async (t) => {
  const granted = await answer([ask('q')], 'q', true, [{ kind: 'permission_resolved', requestId: 'q', allow: true, optionId: 'o' }, complete()])
  t.strictSame(granted.first, ['start r', 'start-step', 'tool-input-available q rm {"path":"/"}', 'tool-approval-request q q', 'finish-step', 'finish tool-calls', '[DONE]'])
  t.strictSame(granted.second, ['start r', 'tool-output-available q {"allow":true,"optionId":"o"}', 'finish stop', '[DONE]'])
  t.strictSame((await answer([ask('q')], 'q', false, [resolved('q', false), complete()])).second, ['start r', 'tool-output-denied q', 'finish stop', '[DONE]'])
  t.strictSame((await answer([ask('q')], 'q', true, [cancelled('q'), complete()])).second, ['start r', 'tool-output-error q The request was withdrawn.', 'finish stop', '[DONE]'])
  t.strictSame((await answer([ask('q')], 'q', true, [cancelled('q', 'aborted'), complete('aborted')])).second, [
    'start r', 'tool-output-error q The run ended before the request was answered.', 'abort aborted', '[DONE]'
  ])
})

test('a request for a call that was not told yet makes its part, which the call then fills', async (t) => {
  const { first, second, message } = await answer([ask('q', '1')], 'q', true, [resolved('q', true), use('1', { path: '/' }), result('1', 'out'), complete()])
  t.strictSame(first.slice(1, 4), ['start-step', 'tool-input-available 1 rm {"path":"/"}', 'tool-approval-request q 1'])
  t.strictSame(second, ['start r', 'tool-input-available 1 ls {"path":"/"}', 'tool-output-available 1 out', 'finish stop', '[DONE]'])
  t.strictSame(states(message), ['step-start', '1 output-available'])
})

test('beside other calls that are open a request has a step of its own, as clients post an answer only when nothing else is open in the latest', async (t) => {
  const { first, second, message } = await answer([use('1'), use('2'), ask('q', '1')], 'q', true, [resolved('q', true), result('1', 'one'), result('2', 'two'), complete()])
  t.strictSame(first.slice(2), [
    'tool-input-available 1 ls {}', 'tool-input-available 2 ls {}', 'finish-step',
    'start-step', 'tool-input-available q rm {"path":"/"}', 'tool-approval-request q q', 'finish-step', 'finish tool-calls', '[DONE]'
  ])
  t.strictSame(second, ['start r', 'tool-output-available q {"allow":true}', 'tool-output-available 1 one', 'tool-output-available 2 two', 'finish stop', '[DONE]'])
  t.strictSame(states(message), ['step-start', '1 output-available', '2 output-available', 'step-start', 'q output-available'])
})

test('a call of an earlier step is asked about in the latest', async (t) => {
  const { first } = await answer([use('1'), use('2'), result('2', 'two'), text('m', 'so'), ask('q', '1')], 'q', true, [resolved('q', true), complete()])
  t.strictSame(first.slice(-5), ['tool-input-available q rm {"path":"/"}', 'tool-approval-request q q', 'finish-step', 'finish tool-calls', '[DONE]'])
})

test('one request after the other, and the end of the run: nothing is posted that the user did not answer', async (t) => {
  const events = run(message, use('1'), ask('a', '1'), resolved('a', true), ask('b', '1'), use('2'), resolved('b', true), ask('c'), cancelled('c', 'timeout'), complete('timeout'))
  let client: UIMessage | undefined
  for (const [requestId, told] of [['a', 0], ['b', 3], ['c', 5]] as const) {
    const { frames, paused } = stream(events, { waiting: [requestId], told, ...(client !== undefined && { messages: [client] }) })
    t.ok(paused)
    client = await read(frames, client)
    t.notOk(isPosted(client))
    client = respond(client, requestId, true)
    t.ok(isPosted(client), requestId)
  }
  const { frames, paused } = stream(events, { waiting: [], messages: [client], told: 8 })
  t.notOk(paused)
  client = await read(frames, client)
  t.notOk(isPosted(client))
  // On one part there is room for one approval.
  t.strictSame(states(client), ['step-start', '1 output-error', 'step-start', 'b output-available', 'step-start', '2 output-error', 'step-start', 'c output-error'])
})

test('a request that was answered is not asked again by a replay: what came of it is told', async (t) => {
  const replay = async (...said: Said[]): Promise<string[]> => {
    const { frames } = stream(run(message, ...said, complete()), { waiting: [] })
    await read(frames)
    return spoken(frames).slice(2, -3)
  }
  t.strictSame(await replay(use('1'), ask('q', '1'), resolved('q', true), result('1', 'out')), ['tool-input-available 1 ls {}', 'tool-output-available 1 out'])
  // Clients look for the approval of what was denied.
  t.strictSame(await replay(use('1'), ask('q', '1'), resolved('q', false)), ['tool-input-available 1 ls {}', 'tool-approval-request q 1', 'tool-output-denied 1'])
  t.strictSame(await replay(ask('q'), resolved('q', true)), ['tool-input-available q rm {"path":"/"}', 'tool-output-available q {"allow":true}'])
  t.strictSame(await replay(use('1'), use('2'), ask('q', '1'), resolved('q', true), result('1', 'a'), result('2', 'b')), [
    'tool-input-available 1 ls {}', 'tool-input-available 2 ls {}', 'tool-output-available 1 a', 'tool-output-available 2 b'
  ])
})

test('an approval that comes while its tool has ended, or of which nobody was told, changes nothing', (t) => {
  t.strictSame(spoken(stream(run(message, use('1'), ask('q', '1'), result('1', 'out'), resolved('q', false), resolved('?', true), cancelled('?')), { waiting: [] }).frames), [
    'start r', 'start-step', 'tool-input-available 1 ls {}', 'tool-output-available 1 out'
  ])
  t.end()
})

test('a run that goes on behind a pause repeats no text', async (t) => {
  const { message } = await answer([delta('m', 'one '), ask('q')], 'q', true, [delta('m', 'two '), resolved('q', true), delta('m', 'three'), text('m', 'one two three'), complete()])
  t.equal(textOf(message), 'one two three')
})

test('a run that goes on behind a pause repeats no text either if it was compacted meanwhile', async (t) => {
  const events = run(message, text('l', 'First. '), delta('m', 'May'), delta('m', ' I'), ask('q'), cancelled('q', 'timeout'), text('m', 'May I'), complete('timeout'))
  const paused = await read(stream(events, { waiting: ['q'] }).frames)
  t.equal(textOf(paused), 'First. May I')
  const answered = respond(paused, 'q', true)
  const kept = events.filter(({ kind }) => kind !== 'stream_delta')
  t.strictSame(spoken(stream(kept, { waiting: [], messages: [answered], told: 5 }).frames), [
    'start r', 'tool-output-error q The run ended before the request was answered.', 'error The run has taken too long.', '[DONE]'
  ])
  // Another text is told, though the client has one that is lost.
  const other = kept.map((event) => event.kind === 'text' && event.messageId === 'm' ? { ...event, content: 'Other' } : event)
  t.ok(spoken(stream(other, { waiting: [], messages: [answered], told: 5 }).frames).includes('text-delta m Other'))
})

test('what was denied elsewhere before the client came is not taken for what the client was asked', async (t) => {
  const events = run(message, use('1'), ask('a'), resolved('a', false), ask('b', '1'), resolved('b', true), result('1', 'out'), complete())
  const first = stream(events, { waiting: ['b'] })
  t.strictSame(spoken(first.frames).slice(2, -3), [
    'tool-input-available 1 ls {}', 'tool-input-available a rm {"path":"/"}', 'tool-approval-request a a', 'tool-output-denied a', 'tool-approval-request b 1'
  ])
  const paused = await read(first.frames)
  const second = stream(events, { waiting: [], messages: [respond(paused, 'b', true)], told: 5 })
  t.strictSame(spoken(second.frames), ['start r', 'tool-output-available 1 out', 'finish stop', '[DONE]'])
})

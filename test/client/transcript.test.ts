import { test } from 'tap'
import { emptyTranscript, fold, type StreamItem, type Transcript, type TranscriptPart } from '../../client/index.ts'
import { complete, delta, event, gap, subscribed } from '../helpers/client-frames.ts'

const folded = (items: StreamItem[], from: Transcript = emptyTranscript): Transcript => items.reduce(fold, from)
const partsOf = ({ runs }: Transcript): TranscriptPart[] => runs.flatMap(({ parts }) => parts)

test('what waits is shown until its run begins, whichever frame says so first', (t) => {
  const waiting = (...runIds: string[]) => runIds.map((runId) => ({ runId, messageId: runId, preview: runId, createdAt: '' }))
  const ids = (transcript: Transcript): string[] => transcript.waiting.map(({ runId }) => runId)
  const one = fold(emptyTranscript, subscribed({ waiting: waiting('b') }))
  t.strictSame(ids(one), ['b'])
  const two = fold(one, { kind: 'queue_changed', sessionId: 's', waiting: waiting('b', 'c') })
  t.strictSame(ids(two), ['b', 'c'])
  const begun = fold(two, event(1, 'text', { role: 'user', messageId: 'b', content: 'b' }, 'b'))
  t.strictSame([ids(begun), begun.runs.map(({ runId }) => runId)], [['c'], ['b']])
  t.strictSame(ids(fold(begun, { kind: 'queue_changed', sessionId: 's', waiting: waiting('b', 'c') })), ['c'], 'a frame that was late')
  t.strictSame(ids(fold(begun, subscribed({ cursor: 1 }))), [])
  t.end()
})

test('a run is its message, what the agent made of it, and its end', async (t) => {
  const end = complete(4)
  const transcript = folded([
    event(1, 'text', { role: 'user', messageId: 'u', content: [{ type: 'text', text: 'hello' }] }),
    event(2, 'stream_delta', { messageId: 'm', content: 'he' }),
    event(3, 'stream_delta', { messageId: 'm', content: 'llo' }),
    end
  ])
  t.strictSame(transcript, {
    cursor: 4,
    waiting: [],
    runs: [{
      runId: 'r',
      provider: 'p',
      status: 'completed',
      complete: end,
      parts: [
        { type: 'text', key: 'text:u', role: 'user', messageId: 'u', content: [{ type: 'text', text: 'hello' }], streaming: false },
        { type: 'text', key: 'text:m', role: 'assistant', messageId: 'm', content: 'hello', streaming: false }
      ],
      usage: null,
      activity: null
    }]
  })
})

test('deltas append; snapshots and whole messages replace; an end says that no more comes', async (t) => {
  const text = (...items: StreamItem[]): unknown => {
    const [part] = partsOf(folded(items))
    return part?.type === 'text' && [part.content, part.streaming]
  }
  const deltas = [event(1, 'stream_delta', { messageId: 'm', content: 'a' }), event(2, 'stream_delta', { messageId: 'm', content: 'b' })]
  t.strictSame(text(...deltas), ['ab', true])
  t.strictSame(text(...deltas, event(3, 'stream_end', { messageId: 'm' })), ['ab', false])
  t.strictSame(text(...deltas, event(3, 'stream_delta', { messageId: 'm', content: 'xyz', snapshot: true }), event(4, 'stream_delta', { messageId: 'm', content: '!' })), ['xyz!', true])
  t.strictSame(text(...deltas, event(3, 'text', { role: 'assistant', messageId: 'm', content: 'whole' })), ['whole', false])
  t.strictSame(text(...deltas, complete(3)), ['ab', false])
})

test('text and thinking of one messageId are two parts, and parts stay where they first appeared', async (t) => {
  const transcript = folded([
    event(1, 'thinking_delta', { messageId: 'm', content: 'hm' }),
    event(2, 'stream_delta', { messageId: 'm', content: 'a' }),
    event(3, 'tool_use', { toolId: 't', toolName: 'look', toolInput: { for: 'x' } }),
    event(4, 'stream_delta', { messageId: 'n', content: 'z' }),
    event(5, 'thinking', { messageId: 'm', content: 'hmm' }),
    event(6, 'stream_delta', { messageId: 'm', content: 'b' }),
    event(7, 'tool_update', { toolId: 't', status: 'half', content: 50 }),
    event(8, 'tool_update', { toolId: 't', status: 'nearly' }),
    event(9, 'tool_result', { toolId: 't', toolResult: { content: 'found', isError: false } })
  ])
  t.strictSame(partsOf(transcript), [
    { type: 'thinking', key: 'thinking:m', messageId: 'm', content: 'hmm', streaming: false },
    { type: 'text', key: 'text:m', role: 'assistant', messageId: 'm', content: 'ab', streaming: true },
    { type: 'tool', key: 'tool:t', toolId: 't', toolName: 'look', input: { for: 'x' }, status: 'nearly', update: 50, result: { content: 'found', isError: false } },
    { type: 'text', key: 'text:n', role: 'assistant', messageId: 'n', content: 'z', streaming: true }
  ])
})

test('approvals wait until they are answered, or do not count any more', async (t) => {
  const options = [{ optionId: 'o', name: 'Once' }]
  const asked = folded([
    event(1, 'permission_request', { requestId: 'a', toolId: 't', toolName: 'rm', input: 1, options }),
    event(2, 'permission_request', { requestId: 'b', toolName: 'ls', input: 2 })
  ])
  t.strictSame(partsOf(asked), [
    { type: 'permission', key: 'permission:a', requestId: 'a', toolName: 'rm', input: 1, options, outcome: null, toolId: 't' },
    { type: 'permission', key: 'permission:b', requestId: 'b', toolName: 'ls', input: 2, options: null, outcome: null }
  ])
  const answered = folded([event(3, 'permission_resolved', { requestId: 'a', allow: true, optionId: 'o' }), event(4, 'permission_cancelled', { requestId: 'b', reason: 'withdrawn' })], asked)
  t.strictSame(partsOf(answered).map((part) => part.type === 'permission' && part.outcome), [{ allow: true, optionId: 'o' }, { cancelled: 'withdrawn' }])
})

test('who starts in the middle sees the approvals that wait, and tools of which only the end is left', async (t) => {
  const waiting = event(3, 'permission_request', { requestId: 'a', toolName: 'rm', input: 1 })
  const later = event(8, 'permission_request', { requestId: 'b', toolName: 'rm', input: 1 })
  const frame = subscribed({ cursor: 7, lastSeq: 9, pendingPermissions: [waiting, later] })
  const transcript = folded([frame, frame, later, event(9, 'tool_result', { toolId: 't', toolResult: { content: 1, isError: true } })])
  t.equal(transcript.cursor, 9)
  t.strictSame(partsOf(transcript).map(({ key }) => key), ['permission:a', 'permission:b', 'tool:t'])
  t.match(partsOf(transcript)[2], { toolName: '', input: null, result: { isError: true } })
})

test('plans replace each other; errors and what else there is follow one another; what is transient leaves no trace', async (t) => {
  const transcript = folded([
    event(1, 'plan', { entries: [1] }),
    event(2, 'error', { code: 'ODD', message: 'odd' }),
    event(3, 'custom', { name: 'mine', data: { a: 1 } }),
    event(4, 'custom', { name: 'mine', data: 2, transient: true }),
    event(5, 'plan', { entries: [1, 2] })
  ])
  t.strictSame(partsOf(transcript), [
    { type: 'plan', key: 'plan', entries: [1, 2] },
    { type: 'error', key: 'error:2', code: 'ODD', message: 'odd' },
    { type: 'custom', key: 'custom:3', name: 'mine', data: { a: 1 } }
  ])
  t.equal(transcript.cursor, 5)
})

test('what the agent does, and what it used, belong to the run', async (t) => {
  const doing = folded([event(1, 'status', { text: 'thinking', tokens: 3 }), event(2, 'usage', { inputTokens: 5, cached: 1 })])
  t.match(doing.runs, [{ activity: 'thinking', usage: { inputTokens: 5, cached: 1 } }])
  t.strictSame(doing.runs[0]?.usage, { inputTokens: 5, cached: 1 })
  t.match(folded([complete(3)], doing).runs, [{ activity: null, usage: { inputTokens: 5 } }])
  const end = event(3, 'complete', { exitCode: 1, success: false, aborted: false, reason: 'failed', actualSessionId: 's', usage: { outputTokens: 9 } })
  t.strictSame(folded([end], doing).runs[0]?.usage, { outputTokens: 9 })
})

test('runs follow one another, and the parts of each are its own', async (t) => {
  const transcript = folded([
    event(1, 'text', { role: 'assistant', messageId: 'm', content: 'first' }), complete(2),
    event(3, 'text', { role: 'assistant', messageId: 'm', content: 'second' }, 'q')
  ])
  t.strictSame(transcript.runs.map(({ runId, status, parts }) => [runId, status, parts.map((part) => part.type === 'text' && part.content)]), [
    ['r', 'completed', ['first']], ['q', 'running', ['second']]
  ])
})

test('a log that is another one empties the transcript; one that was compacted does not', async (t) => {
  const before = folded([delta(1), delta(2)])
  t.equal(fold(before, gap('compacted', 1, 2)), before)
  t.equal(fold(before, gap('ahead', 1, 2)), emptyTranscript)
  t.equal(fold(before, gap('malformed', 1, 2)), emptyTranscript)
  t.strictSame(partsOf(folded([subscribed({ cursor: 0 }), gap('ahead', 1, 2), delta(1)], before)), partsOf(folded([delta(1)])))
})

test('what changes nothing gives the same object, and what did not change stays the same object', async (t) => {
  const before = folded([
    event(1, 'text', { role: 'user', messageId: 'u', content: 'hi' }), complete(2),
    event(3, 'stream_delta', { messageId: 'm', content: 'a' }, 'q'), event(4, 'tool_use', { toolId: 't', toolName: 'x', toolInput: 1 }, 'q')
  ])
  const copy = structuredClone(before)
  for (const item of [delta(4), delta(1), subscribed({ cursor: 4 }), subscribed({ cursor: 0 }), gap('compacted', 1, 4), { kind: 'session_deleted', sessionId: 's' } as const]) {
    t.equal(fold(before, item), before, item.kind)
  }
  t.equal(fold(emptyTranscript, gap('ahead', 1, 2)), emptyTranscript)

  const after = fold(before, event(5, 'stream_delta', { messageId: 'm', content: 'b' }, 'q'))
  t.strictSame(before, copy)
  t.not(after, before)
  t.equal(after.runs[0], before.runs[0])
  t.not(after.runs[1], before.runs[1])
  t.not(after.runs[1]?.parts[0], before.runs[1]?.parts[0])
  t.equal(after.runs[1]?.parts[1], before.runs[1]?.parts[1])

  const unknown = fold(before, { ...event(5, 'status', { text: '' }, 'q'), kind: 'of_our_own' } as unknown as StreamItem)
  t.equal(unknown.runs, before.runs)
  t.equal(unknown.cursor, 5)
  t.equal(fold(unknown, event(6, 'stream_end', { messageId: 'nobody' }, 'q')).runs, before.runs)
  const ended = fold(before, complete(5, 'q'))
  t.equal(ended.runs[1]?.parts[1], before.runs[1]?.parts[1])
})

import fc from 'fast-check'
import { test } from 'tap'
import type { Limits } from '../../lib/protocol/limits.ts'
import { completeFields } from '../../lib/protocol/run-ending.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import type { CheckedEvent } from '../../lib/provider/provider-event.ts'
import { RunLog } from '../../lib/runs/committer.ts'
import { RunWriter } from '../../lib/runs/run-writer.ts'
import { Scrubber } from '../../lib/runs/scrubber.ts'
import { LIMITS } from '../helpers/limits.ts'

const RUN = { sessionId: 'SESSION', runId: 'r', provider: 'p' }
const NATIVE = 'native-12345'
const FINISHED: RunEnding = { exitCode: 0, aborted: false, reason: 'finished' }
const COMPLETE = { kind: 'complete', exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 'SESSION' }

type Written = Record<string, unknown> & { kind: string }

/** A writer on a log that nobody commits, and what is in that log. */
function build (nativeIds: string[] = [], limits: Partial<Limits> = {}) {
  const log = new RunLog(RUN, 1, () => {}, () => {})
  const scrubber = new Scrubber(RUN.sessionId, nativeIds)
  const writer = new RunWriter(log, scrubber, { ...LIMITS, ...limits })
  return {
    scrubber,
    writer,
    write (...events: Array<Record<string, unknown> & { kind: string }>): void {
      for (const { kind, ...fields } of events) writer.write({ kind, fields } satisfies CheckedEvent)
    },
    take: () => log.take(true),
    /** What was written since the last look, without the envelope. */
    written (): Written[] {
      return (log.take(true)?.events ?? []).map(({ json }) => {
        const { sessionId, runId, seq, provider, timestamp, ...rest } = JSON.parse(json) as Written
        return rest as Written
      })
    }
  }
}

test('an ended message becomes a durable whole before the next tool is used, and not before what may come between its words and its own whole', (t) => {
  const { write, written } = build()
  write(
    { kind: 'stream_delta', messageId: 'm', content: 'Hel' }, { kind: 'stream_delta', messageId: 'm', content: 'lo' }, { kind: 'stream_end', messageId: 'm' },
    { kind: 'status', text: 'busy' }, { kind: 'usage', inputTokens: 1 },
    { kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: {} }, { kind: 'tool_result', toolId: 't', toolResult: { content: '', isError: false } }
  )
  t.strictSame(written(), [
    { kind: 'stream_delta', messageId: 'm', content: 'Hel' },
    { kind: 'stream_delta', messageId: 'm', content: 'lo' },
    { kind: 'stream_end', messageId: 'm' },
    { kind: 'status', text: 'busy' },
    { kind: 'usage', inputTokens: 1 },
    { kind: 'text', role: 'assistant', messageId: 'm', content: 'Hello' },
    { kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: {} },
    { kind: 'tool_result', toolId: 't', toolResult: { content: '', isError: false } }
  ])
  t.end()
})

test('a provider\'s own whole stands for its deltas: nothing is folded of them', (t) => {
  const { write, written, writer } = build()
  write(
    { kind: 'thinking_delta', messageId: 'm', content: 'h' }, { kind: 'stream_delta', messageId: 'm', content: 'Hel' }, { kind: 'stream_end', messageId: 'm' },
    { kind: 'text', messageId: 'm', content: 'Hello!', role: 'user', lang: 'en' }, { kind: 'thinking', messageId: 'm', content: 'hmm', depth: 2 }
  )
  writer.end(FINISHED)
  t.strictSame(written().slice(3), [
    // The reasoning has ended too, and came first.
    { kind: 'thinking', messageId: 'm', content: 'h' },
    { kind: 'text', messageId: 'm', content: 'Hello!', role: 'assistant', lang: 'en' },
    { kind: 'thinking', messageId: 'm', content: 'hmm', depth: 2 },
    COMPLETE
  ], 'a text of a provider is the assistant\'s, whatever it says')
  t.end()
})

test('the end of a run makes wholes of all that is unfinished, oldest first, then the one complete', (t) => {
  const { write, take, writer } = build()
  write({ kind: 'thinking_delta', content: 'hm' }, { kind: 'stream_delta', content: 'Hel' }, { kind: 'stream_delta', messageId: 'named', content: 'x' }, { kind: 'stream_delta', content: 'lo' })
  writer.end(FINISHED)
  const group = take()!
  const events = group.events.map(({ json }) => JSON.parse(json) as Written)
  const [thought, text] = [events[0]!['messageId'], events[1]!['messageId']]
  t.strictSame(events.slice(4).map(({ kind, messageId, content }) => [kind, messageId, content]), [
    ['thinking', thought, 'hm'], ['text', text, 'Hello'], ['text', 'named', 'x'], ['complete', undefined, undefined]
  ])
  t.strictSame(group.events.map(({ seq, transient }) => [seq, transient]), [[2, true], [3, true], [4, true], [5, true], [6, false], [7, false], [8, false], [9, false]])
  t.equal(group.ending, FINISHED, 'the run\'s completion goes with its terminal event')
  t.end()
})

test('what a provider says of a message that is over goes on as another, so that no whole replaces it', (t) => {
  const { write, written, writer } = build()
  write(
    { kind: 'text', messageId: 'm', content: 'all of it' },
    { kind: 'stream_delta', messageId: 'm', content: 'P' }, { kind: 'stream_delta', messageId: 'm', content: 'S' }, { kind: 'stream_end', messageId: 'm' }
  )
  writer.end(FINISHED)
  const events = written()
  const next = events[1]!['messageId']
  t.not(next, 'm')
  t.strictSame(events, [
    { kind: 'text', role: 'assistant', messageId: 'm', content: 'all of it' },
    { kind: 'stream_delta', messageId: next, content: 'P' },
    { kind: 'stream_delta', messageId: next, content: 'S' },
    { kind: 'stream_end', messageId: next },
    { kind: 'text', role: 'assistant', messageId: next, content: 'PS' },
    COMPLETE
  ])
  t.end()
})

test('an end of nothing is not written', (t) => {
  const { write, written } = build()
  write({ kind: 'stream_end' }, { kind: 'stream_delta', content: 'a' }, { kind: 'stream_end' }, { kind: 'stream_end' })
  t.strictSame(written().map(({ kind }) => kind), ['stream_delta', 'stream_end'])
  t.end()
})

test('an id that is split over deltas is in none of them, nor in the whole that is folded', (t) => {
  const { write, written, writer } = build([NATIVE])
  write(...['I am nat', 'ive-12', '345', ' and native', '-'].map((content) => ({ kind: 'stream_delta', messageId: 'm', content })))
  t.strictSame(written().map(({ content }) => content), ['I am ', 'SESSION', ' and '], 'a delta that is held back whole is not written')
  write({ kind: 'stream_end', messageId: 'm' })
  t.strictSame(written(), [{ kind: 'stream_delta', messageId: 'm', content: 'native-' }, { kind: 'stream_end', messageId: 'm' }])
  writer.end(FINISHED)
  t.strictSame(written(), [{ kind: 'text', role: 'assistant', messageId: 'm', content: 'I am SESSION and native-' }, COMPLETE])
  t.end()
})

test('what is held back comes out at the end of the run, and not after a whole that holds it', (t) => {
  const { write, written, writer } = build([NATIVE])
  write({ kind: 'stream_delta', messageId: 'm', content: 'see nati' }, { kind: 'thinking_delta', messageId: 'm', content: 'na' }, { kind: 'stream_delta', messageId: 'n', content: 'nat' })
  write({ kind: 'text', messageId: 'm', content: 'see nation' }, { kind: 'stream_end', messageId: 'm' })
  writer.end(FINISHED)
  t.strictSame(written(), [
    { kind: 'stream_delta', messageId: 'm', content: 'see ' },
    { kind: 'text', role: 'assistant', messageId: 'm', content: 'see nation' },
    { kind: 'thinking_delta', messageId: 'm', content: 'na' },
    { kind: 'stream_end', messageId: 'm' },
    { kind: 'stream_delta', messageId: 'n', content: 'nat' },
    { kind: 'thinking', messageId: 'm', content: 'na' },
    { kind: 'text', role: 'assistant', messageId: 'n', content: 'nat' },
    COMPLETE
  ])
  t.end()
})

test('ids are kept out of every field of every kind, and out of the kind', (t) => {
  const { write, written, scrubber } = build()
  scrubber.add(NATIVE)
  write({ kind: 'tool_use', toolId: `${NATIVE}:1`, toolName: 'resume', toolInput: { [NATIVE]: [NATIVE] } }, { kind: 'my_kind', session_id: 'unknown' }, { kind: `of-${NATIVE}` })
  t.strictSame(written(), [
    { kind: 'tool_use', toolId: 'SESSION:1', toolName: 'resume', toolInput: { SESSION: ['SESSION'] } },
    { kind: 'my_kind', session_id: 'SESSION' },
    { kind: 'of-SESSION' }
  ])
  t.end()
})

test('the terminal event says how the run ended', (t) => {
  const { written, writer } = build()
  writer.end({ exitCode: 2, aborted: false, reason: 'failed', usage: { inputTokens: 3 }, error: { code: 'X', message: 'it broke' } })
  t.strictSame(written(), [
    { ...COMPLETE, exitCode: 2, success: false, reason: 'failed', usage: { inputTokens: 3 }, error: { code: 'X', message: 'it broke' } }
  ])
  t.end()
})

test('history is durable and only compaction makes snapshots, whatever a provider says', (t) => {
  const { write, take } = build()
  write(
    { kind: 'stream_delta', messageId: 'm', content: 'a' }, { kind: 'stream_delta', messageId: 'm', content: 'b', snapshot: true, fromSeq: 1 },
    { kind: 'text', messageId: 'm', content: 'ab', transient: true }, { kind: 'my_kind', transient: true }
  )
  const { events } = take()!
  t.strictSame(events.map(({ transient }) => transient), [true, true, false, true])
  t.notMatch(events[1]!.json, /snapshot|fromSeq/)
  t.end()
})

test('what cannot be written as JSON throws and leaves the log as it was', (t) => {
  const { write, written, writer } = build()
  write({ kind: 'stream_delta', messageId: 'm', content: 'kept' })
  t.throws(() => write({ kind: 'custom', name: 'n', data: 1n }), TypeError)
  t.throws(() => writer.end({ ...FINISHED, usage: { tokens: 1n } }), TypeError)
  writer.end(FINISHED)
  t.strictSame(written(), [
    { kind: 'stream_delta', messageId: 'm', content: 'kept' }, { kind: 'text', role: 'assistant', messageId: 'm', content: 'kept' }, COMPLETE
  ])
  t.end()
})

test('a run succeeds iff its exit code is 0 and nobody aborted it', (t) => {
  const endings: RunEnding[] = [FINISHED, { exitCode: 0, aborted: true, reason: 'aborted' }, { exitCode: 1, aborted: false, reason: 'failed' }, { exitCode: 1, aborted: true, reason: 'aborted' }]
  t.strictSame(endings.map((ending) => completeFields('s', ending)), [
    { exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 's' },
    { exitCode: 0, success: false, aborted: true, reason: 'aborted', actualSessionId: 's' },
    { exitCode: 1, success: false, aborted: false, reason: 'failed', actualSessionId: 's' },
    { exitCode: 1, success: false, aborted: true, reason: 'aborted', actualSessionId: 's' }
  ])
  t.end()
})

test('however a provider streams, each message ends as one whole with exactly the words of its deltas, and none is lost', (t) => {
  const named = fc.constantFrom('a', 'b', undefined)
  const content = fc.constantFrom('', 'x', 'native-', '12345', 'na', ' ')
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('stream_delta', 'thinking_delta'), messageId: named, content }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('stream_end'), messageId: named }) },
    { weight: 1, arbitrary: fc.constantFrom({ kind: 'status', text: 's' }, { kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: {} }) }
  )
  t.doesNotThrow(() => fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const { write, written, writer } = build([NATIVE])
    const ended = new Set<unknown>()
    for (const { messageId, ...step } of steps as Array<{ kind: string, messageId?: string }>) {
      // A message that was named goes on no more once the provider has ended it.
      if (ended.has(messageId)) continue
      if (step.kind === 'stream_end' && messageId !== undefined) ended.add(messageId)
      write({ ...step, ...(messageId !== undefined && { messageId }) })
    }
    writer.end(FINISHED)
    const seen = new Map<string, string>()
    const wholes = new Map<string, string>()
    const events = written()
    for (const { kind, messageId, content } of events) {
      const key = `${kind.replace('stream_delta', 'text').replace('_delta', '')}:${String(messageId)}`
      if (kind.endsWith('_delta')) {
        if (wholes.has(key)) throw new Error('a delta after its whole')
        seen.set(key, (seen.get(key) ?? '') + String(content))
      } else if (kind === 'text' || kind === 'thinking') {
        if (wholes.has(key)) throw new Error('two wholes')
        wholes.set(key, String(content))
      }
    }
    const same = JSON.stringify([...seen].sort()) === JSON.stringify([...wholes].sort())
    return same && !JSON.stringify(events).includes(NATIVE) && events.filter(({ kind }) => kind === 'complete').length === 1 && events.at(-1)!.kind === 'complete'
  }), { numRuns: 2_000 }))
  t.end()
})

test('of a hundred messages that are streamed at once the oldest is sealed for one more, and goes on as the next', (t) => {
  const { write, written, writer } = build()
  const deltas = (from: number, to: number): Array<Record<string, unknown> & { kind: string }> => Array.from({ length: to - from }, (_, index) => ({ kind: 'stream_delta', messageId: `m${from + index}`, content: 'a' }))
  write(...deltas(0, 100))
  t.strictSame(written().filter(({ kind }) => kind === 'text'), [])
  write(...deltas(100, 102), { kind: 'stream_delta', messageId: 'm0', content: 'b' })
  const wholes = written().filter(({ kind }) => kind === 'text')
  t.strictSame(wholes.map(({ messageId, content }) => [messageId, content]), [['m0', 'a'], ['m1', 'a'], ['m2', 'a']])
  // The whole of a message that was sealed is what follows of it.
  write({ kind: 'text', messageId: 'm0', content: 'ab' })
  t.match(written(), [{ kind: 'text', content: 'b', messageId: /^[\w-]{36}$/ }])
  writer.end(FINISHED)
  t.equal(written().filter(({ kind }) => kind === 'text').length, 99)
  t.end()
})

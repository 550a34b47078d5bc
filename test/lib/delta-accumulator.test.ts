import fc from 'fast-check'
import { test } from 'tap'
import type { Event } from '../../lib/protocol/event.ts'
import { DeltaAccumulator, unfinishedMessages } from '../../lib/store/delta-accumulator.ts'

type Fields<E> = E extends Event ? Omit<E, 'sessionId' | 'runId' | 'seq' | 'provider' | 'timestamp'> : never

/** Events of one run, numbered as they come. */
function log (...fields: Array<Fields<Event>>): Event[] {
  return fields.map((event, index) => ({ sessionId: 's', runId: 'r', provider: 'p', timestamp: '', seq: index + 1, ...event }) as Event)
}

test('deltas become whole messages in the order in which they began', (t) => {
  const fold = new DeltaAccumulator()
  fold.delta('stream_delta', 'one', 'a')
  fold.delta('thinking_delta', 'two', 'x')
  fold.delta('stream_delta', 'three', 'p')
  fold.delta('stream_delta', 'one', 'b')
  fold.delta('thinking_delta', 'two', 'y')
  const messages = [
    { kind: 'text', messageId: 'one', content: 'ab' },
    { kind: 'thinking', messageId: 'two', content: 'xy' },
    { kind: 'text', messageId: 'three', content: 'p' }
  ]
  t.match(fold.open(), messages.map(({ kind, messageId }) => ({ kind, messageId })))
  t.strictSame(fold.takeAll(), messages)
  t.strictSame(fold.takeAll(), [], 'each is taken once')
  t.strictSame(fold.open(), [])
  t.end()
})

test('text and reasoning under one messageId are two messages that end together', (t) => {
  const fold = new DeltaAccumulator()
  fold.delta('thinking_delta', 'm', 'hm')
  fold.delta('stream_delta', 'm', 'hi')
  fold.delta('stream_delta', 'other', 'x')
  t.strictSame(fold.takeEnded(), [], 'nothing has ended yet')
  fold.end('m')
  fold.end('unknown')
  t.strictSame(fold.takeEnded(), [{ kind: 'thinking', messageId: 'm', content: 'hm' }, { kind: 'text', messageId: 'm', content: 'hi' }])
  t.strictSame(fold.takeEnded(), [])
  t.strictSame(fold.takeAll(), [{ kind: 'text', messageId: 'other', content: 'x' }])
  t.end()
})

test('a whole takes the place of what was folded of its kind', (t) => {
  const fold = new DeltaAccumulator()
  fold.delta('thinking_delta', 'm', 'hm')
  fold.delta('stream_delta', 'm', 'hi')
  fold.whole('text', 'm')
  fold.whole('text', 'unknown')
  t.strictSame(fold.takeAll(), [{ kind: 'thinking', messageId: 'm', content: 'hm' }])
  t.end()
})

test('a message of which nothing was seen leaves nothing', (t) => {
  const fold = new DeltaAccumulator()
  fold.delta('stream_delta', 'm', '')
  fold.delta('stream_delta', 'n', '')
  fold.end('m')
  t.strictSame(fold.takeEnded(), [])
  t.strictSame(fold.takeAll(), [])
  t.end()
})

test('a stored log leaves those messages unfinished whose whole never came', (t) => {
  t.strictSame(unfinishedMessages(log(
    { kind: 'text', role: 'user', messageId: 'u', content: 'question' },
    { kind: 'thinking_delta', messageId: 'm', content: 'h' },
    { kind: 'thinking_delta', messageId: 'm', content: 'm' },
    { kind: 'stream_delta', messageId: 'm', content: 'Hel' },
    { kind: 'thinking', messageId: 'm', content: 'hm' },
    { kind: 'stream_delta', messageId: 'n', content: 'ended, ' },
    { kind: 'stream_delta', messageId: 'm', content: 'lo' },
    { kind: 'stream_delta', messageId: 'n', content: 'not whole' },
    { kind: 'stream_end', messageId: 'n' },
    { kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: {} },
    { kind: 'stream_delta', messageId: 'o', content: 'done' },
    { kind: 'text', role: 'assistant', messageId: 'o', content: 'done.' }
  )), [
    { kind: 'text', messageId: 'm', content: 'Hello' },
    { kind: 'text', messageId: 'n', content: 'ended, not whole' }
  ])
  t.end()
})

test('wherever compaction made a snapshot, the log folds to the same messages', (t) => {
  const deltas = fc.array(fc.record({ messageId: fc.constantFrom('a', 'b'), content: fc.string({ minLength: 1 }) }), { minLength: 1 })
  t.doesNotThrow(() => fc.assert(fc.property(deltas, fc.nat(), (deltas, position) => {
    const events = log(...deltas.map((delta) => ({ kind: 'stream_delta' as const, ...delta })))
    const at = position % deltas.length
    const { messageId } = deltas[at]!
    const merged = events.filter((_, index) => index <= at && deltas[index]!.messageId === messageId)
    const snapshot = { ...events[at]!, content: merged.map(({ seq }) => deltas[seq - 1]!.content).join(''), snapshot: true, fromSeq: merged[0]!.seq } as Event
    const compacted = events.filter((event) => event === events[at] || !merged.includes(event)).map((event) => event === events[at] ? snapshot : event)
    const sorted = (events: Event[]): string => JSON.stringify(unfinishedMessages(events).sort((a, b) => a.messageId < b.messageId ? -1 : 1))
    return sorted(events) === sorted(compacted)
  })))
  t.strictSame(unfinishedMessages(log(
    { kind: 'stream_delta', messageId: 'a', content: 'seen twice' },
    { kind: 'stream_delta', messageId: 'a', content: 'all of it', snapshot: true, fromSeq: 1 },
    { kind: 'stream_delta', messageId: 'a', content: ' and more' }
  )), [{ kind: 'text', messageId: 'a', content: 'all of it and more' }], 'a snapshot replaces what was there')
  t.end()
})

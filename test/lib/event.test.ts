import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { eventEncoder, isTransient, parseEvent, pendingEvent, timestamp } from '../../lib/protocol/event.ts'
import type { EventKinds } from '../../lib/protocol/words.ts'
import { checkProviderEvent } from '../../lib/provider/provider-event.ts'

const ENVELOPE = ['kind', 'sessionId', 'runId', 'seq', 'provider', 'timestamp']
const TIMESTAMP = '2026-02-03T04:05:06.789Z'

/** Strings with everything in them that breaks encoders: quotes, line breaks, lone surrogates, line separators. */
const weirdString = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('"}', '\\', '\\"', '","seq":0,"x":"', '\n\ndata: x\n\n', '\r', '\u2028\u2029', '\ud800', '\udc00\ud800', '\u0000', '</script>', '__proto__')
)

// V8 of Node 24 reads some escaped keys as others (nodejs/node#63785): what we write is right, but JSON.parse cannot show it.
JSON.parse('{"h":[],"\\\\":0}')
const CONFUSES_KEYS = Object.keys(JSON.parse('{"h":1,"\\"":2}') as object)[1] !== '"'
const isEscaped = (name: string): boolean => JSON.stringify(name).includes('\\')
const weirdFields = fc.dictionary(weirdString.filter((name) => !ENVELOPE.includes(name) && !(CONFUSES_KEYS && isEscaped(name))), fc.jsonValue({ stringUnit: 'binary' }).filter((value) => !CONFUSES_KEYS || !/"[^"]*\\[^"]*":/.test(JSON.stringify(value))))

test('an event reads as its envelope, then its fields, in one line of JSON', (t) => {
  const encode = eventEncoder({ sessionId: 's', runId: 'r', provider: 'echo' })
  const pending = { kind: 'custom', transient: true, timestamp: TIMESTAMP, fields: '{"name":"n","data":[1]}' }
  t.strictSame(encode(pending, 7), {
    seq: 7,
    kind: 'custom',
    runId: 'r',
    transient: true,
    json: `{"kind":"custom","sessionId":"s","runId":"r","seq":7,"provider":"echo","timestamp":"${TIMESTAMP}","name":"n","data":[1]}`
  })
  t.strictSame(encode({ ...pending, fields: '{}' }, 8).json,
    `{"kind":"custom","sessionId":"s","runId":"r","seq":8,"provider":"echo","timestamp":"${TIMESTAMP}"}`, 'no fields, no comma')
  t.end()
})

test('whatever its strings hold, an encoded event parses to exactly its envelope and fields', (t) => {
  const seqs = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  t.doesNotThrow(() => fc.assert(fc.property(weirdString, weirdString, weirdString, weirdString, seqs, weirdFields, (sessionId, runId, provider, kind, seq, fields) => {
    const text = JSON.stringify(fields)
    const stored = eventEncoder({ sessionId, runId, provider })({ kind, transient: false, timestamp: TIMESTAMP, fields: text }, seq)
    const expected = { kind, sessionId, runId, seq, provider, timestamp: TIMESTAMP, ...JSON.parse(text) as object }
    return isDeepStrictEqual(JSON.parse(stored.json), expected) && isDeepStrictEqual(parseEvent(stored), expected)
  }), { numRuns: 1_000 }))
  t.end()
})

test('an encoded event never holds a raw line break, so that it fits one line of a stream', (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(weirdString, weirdFields, (id, fields) => {
    const pending = { kind: id, transient: false, timestamp: TIMESTAMP, fields: JSON.stringify(fields) }
    const { json } = eventEncoder({ sessionId: id, runId: id, provider: id })(pending, 1)
    return Array.from(json).every((character) => character >= ' ')
  })))
  t.end()
})

test('a provider cannot forge the envelope: its own words for it are left out', (t) => {
  const forged = {
    seq: 99, sessionId: 'stolen', runId: 'other', provider: 'root', timestamp: '1970-01-01T00:00:00.000Z', toJSON: () => ({ kind: 'complete', seq: 0 })
  }
  const checked = checkProviderEvent({ ...forged, kind: 'text', content: '","seq":0,"kind":"complete' })
  if (typeof checked === 'string') return t.fail(checked)
  const pending = { kind: checked.kind, transient: false, timestamp: TIMESTAMP, fields: JSON.stringify(checked.fields) }
  const { json } = eventEncoder({ sessionId: 's', runId: 'r', provider: 'p' })(pending, 3)
  t.strictSame(JSON.parse(json), {
    kind: 'text', sessionId: 's', runId: 'r', seq: 3, provider: 'p', timestamp: TIMESTAMP, content: '","seq":0,"kind":"complete'
  })
  t.equal(json.match(/"seq":3/g)?.length, 1)
  t.end()
})

test('a pending event is encoded at once: what happens to its fields later does not matter', (t) => {
  const data = { list: [1] }
  const pending = pendingEvent('custom', { name: 'n', data })
  data.list.push(2)
  t.equal(pending.fields, '{"name":"n","data":{"list":[1]}}')
  t.equal(new Date(pending.timestamp).toISOString(), pending.timestamp)
  t.end()
})

test('fields that are no JSON are an error of their maker', (t) => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  t.throws(() => pendingEvent('custom', { name: 'n', data: circular }), TypeError)
  t.throws(() => pendingEvent('custom', { name: 'n', data: 1n }), TypeError)
  t.end()
})

test('deltas, ends, tool updates and status are transient, and a custom event if it says so; the rest is history', (t) => {
  const transient = ['stream_delta', 'stream_end', 'thinking_delta', 'tool_update', 'status']
  const kinds: Record<keyof EventKinds, null> = {
    text: null, stream_delta: null, stream_end: null, thinking: null, thinking_delta: null, tool_use: null, tool_update: null, tool_result: null, permission_request: null, permission_resolved: null, permission_cancelled: null, plan: null, usage: null, status: null, error: null, custom: null, complete: null
  }
  t.strictSame(Object.keys(kinds).filter((kind) => isTransient(kind, {})), transient)
  t.strictSame([true, false, undefined, 'true', 1].map((flag) => isTransient('custom', { transient: flag })), [true, false, false, false, false])
  const durable = Object.keys(kinds).filter((kind) => !transient.includes(kind) && kind !== 'custom')
  t.strictSame(durable.filter((kind) => isTransient(kind, { transient: true })), [], 'history is history, whatever it says')
  t.strictSame([true, false].map((transient) => pendingEvent('custom', { name: 'n', transient }).transient), [true, false])
  t.end()
})

test('a timestamp is that of the moment, to the millisecond', (t) => {
  for (let time = 0; time < 3; time++) {
    const before = Date.now()
    const text = timestamp()
    t.ok(before <= Date.parse(text) && Date.parse(text) <= Date.now())
    t.equal(new Date(text).toISOString(), text)
    while (Date.now() === before);
  }
  t.end()
})

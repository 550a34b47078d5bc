import fc from 'fast-check'
import { test } from 'tap'
import { eventEncoder, parseEvent, pendingEvent, type PendingEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { planCompaction } from '../../lib/store/compaction.ts'

const delta = (messageId: string, content: string): PendingEvent => pendingEvent('stream_delta', { messageId, content })
const thought = (messageId: string, content: string): PendingEvent => pendingEvent('thinking_delta', { messageId, content })
const text = (messageId: string, content: string): PendingEvent => pendingEvent('text', { role: 'assistant', messageId, content })
const tool = pendingEvent('tool_use', { toolId: 't', toolName: 'ls', toolInput: {} })
const status = pendingEvent('status', { text: 'busy' })

function log (pending: PendingEvent[]): StoredEvent[] {
  const encode = eventEncoder({ sessionId: 's', runId: 'r', provider: 'p' })
  return pending.map((event, index) => encode(event, index + 1))
}

/** The log after a compaction, as a store carries it out. */
function compact (events: StoredEvent[], keep: number): { events: StoredEvent[], through: number } {
  const plan = planCompaction(events, keep)
  if (plan === null) return { events, through: 0 }
  const rewritten = new Map(plan.rewrite.map((event) => [event.seq, event]))
  return { events: events.filter(({ seq }) => !plan.remove.includes(seq)).map((event) => rewritten.get(event.seq) ?? event), through: plan.through }
}

const shape = (events: StoredEvent[]) => events.map(parseEvent).map((event) => {
  if (event.kind !== 'stream_delta' && event.kind !== 'thinking_delta') return `${event.seq} ${event.kind}`
  return `${event.seq} ${event.snapshot === true ? `snapshot from ${event.fromSeq}` : 'delta'} ${event.messageId} ${event.content}`
})

/** A client by the rules of the protocol. */
class Client {
  readonly messages = new Map<string, string>()
  cursor = 0

  read (events: StoredEvent[]): this {
    for (const stored of events) {
      if (stored.seq <= this.cursor) continue
      const event = parseEvent(stored)
      this.cursor = event.seq
      if (event.kind === 'text' || event.kind === 'thinking') this.messages.set(`${event.kind} ${event.messageId}`, event.content as string)
      if (event.kind !== 'stream_delta' && event.kind !== 'thinking_delta') continue
      const key = `${event.kind === 'stream_delta' ? 'text' : 'thinking'} ${event.messageId}`
      this.messages.set(key, event.snapshot === true ? event.content : (this.messages.get(key) ?? '') + event.content)
    }
    return this
  }
}

test('the deltas of one message become one snapshot under the last seq; the newest stay as they are', (t) => {
  const { events, through } = compact(log(['a', 'b', 'c', 'd', 'e'].map((content) => delta('m', content))), 2)
  t.strictSame(shape(events), ['3 snapshot from 1 m abc', '4 delta m d', '5 delta m e'])
  t.equal(through, 3)
  const again = compact(events, 1)
  t.strictSame(shape(again.events), ['4 snapshot from 1 m abcd', '5 delta m e'])
  t.end()
})

test('a message whose whole is durable needs no delta, wherever its whole stands', (t) => {
  const events = log([delta('m', 'a'), thought('m', 'x'), delta('m', 'b'), text('m', 'ab'), delta('n', 'c')])
  t.strictSame(shape(compact(events, 0).events), ['2 delta m x', '4 text', '5 delta n c'])
  t.end()
})

test('the deltas of a message that is durable go together, so that none is taken for its beginning', (t) => {
  const { events, through } = compact(log([delta('m', 'a'), delta('m', 'b'), delta('n', 'x'), delta('m', 'c'), text('m', 'abc'), delta('n', 'y')]), 3)
  t.strictSame(shape(events), ['3 delta n x', '5 text', '6 delta n y'])
  t.equal(through, 4)
  t.end()
})

test('a snapshot does not cross a durable event, and holds the whole text so far', (t) => {
  const events = log([delta('m', 'a'), delta('m', 'b'), tool, delta('m', 'c'), delta('m', 'd')])
  t.strictSame(shape(compact(events, 0).events), ['2 snapshot from 1 m ab', '3 tool_use', '5 snapshot from 1 m abcd'])
  t.end()
})

test('interleaved messages become one snapshot each, other transient events go', (t) => {
  const events = log([delta('m', 'a'), delta('n', 'x'), status, delta('m', 'b'), thought('m', 'p'), delta('n', 'y'), thought('m', 'q'), status])
  t.strictSame(shape(compact(events, 1).events), ['4 snapshot from 1 m ab', '6 snapshot from 2 n xy', '7 snapshot from 5 m pq', '8 status'])
  t.end()
})

test('with nothing to win nothing is done', (t) => {
  t.equal(planCompaction(log([delta('m', 'a'), delta('n', 'b'), text('o', 'c')]), 0), null)
  t.equal(planCompaction(log([delta('m', 'a'), delta('m', 'b')]), 2), null)
  t.equal(planCompaction([], 0), null)
  t.end()
})

test('whatever was compacted when, a client at any cursor rebuilds the same messages', (t) => {
  const id = fc.constantFrom('m', 'n')
  const event = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(id, fc.string({ maxLength: 3 })).map(([messageId, content]) => delta(messageId, content)) },
    { weight: 2, arbitrary: fc.tuple(id, fc.string({ maxLength: 3 })).map(([messageId, content]) => thought(messageId, content)) },
    fc.constant(tool), fc.constant(status)
  )
  fc.assert(fc.property(
    fc.array(event, { maxLength: 40 }),
    fc.array(fc.tuple(fc.nat(40), fc.nat(10)), { maxLength: 6 }),
    fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }),
    (pending, compactions, stops) => {
      const original = log(pending)
      const truth = new Client().read(original).messages
      // Readers stop at some seq of the original, see compactions happen, and go on from there.
      const readers = stops.map((stop) => new Client().read(original.slice(0, stop)))
      let stored: StoredEvent[] = []
      let next = 0
      for (const [at, keep] of [...compactions].sort(([a], [b]) => a - b)) {
        stored.push(...original.slice(next, at))
        next = Math.max(next, Math.min(at, original.length))
        const { events, through } = compact(stored, keep)
        const above = (all: StoredEvent[]) => all.filter(({ seq }) => seq > through).map(({ json }) => json)
        if (above(events).join() !== above(stored).join()) throw new Error('events above compactedThrough changed')
        if (stored.filter((kept) => !kept.transient).some((kept) => !events.includes(kept))) throw new Error('a durable event is gone')
        stored = events
      }
      stored.push(...original.slice(next))
      for (const reader of [new Client(), ...readers]) {
        reader.read(stored)
        for (const [key, content] of truth) {
          if (reader.messages.get(key) !== content) throw new Error(`${key} is ${reader.messages.get(key)}, not ${content}`)
        }
      }
    }
  ), { numRuns: 3_000 })
  t.pass('3,000 random logs')
  t.end()
})

test('many durable events in one long message do not make the log grow with its square', (t) => {
  const pending = Array.from({ length: 300 }, () => [...Array.from({ length: 5 }, () => delta('m', 'twenty characters...')), tool]).flat()
  const bytes = (events: StoredEvent[]) => events.reduce((sum, { json }) => sum + json.length, 0)
  const original = log(pending)
  t.ok(bytes(compact(original, 0).events) <= bytes(original))
  const aside = log(pending.map((event) => event === tool ? pendingEvent('usage', { inputTokens: 1 }) : event))
  t.strictSame(compact(aside, 0).events.filter(({ transient }) => transient).length, 1, 'what is no part of what is said is no boundary')
  t.end()
})

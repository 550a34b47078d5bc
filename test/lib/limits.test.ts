import fc from 'fast-check'
import { test, type Test } from 'tap'
import type { Event, Limits, Provider, ProviderEvent } from '../../index.ts'
import { sqliteStore } from '../../db/sqlite.ts'
import { LIMITS } from '../helpers/limits.ts'
import { openRegistry } from '../helpers/open-registry.ts'

/** The events of a run whose provider yields these. */
async function run (t: Test, yielded: Iterable<ProviderEvent>, limits: Partial<Limits>): Promise<Event[]> {
  const agent: Provider = { async * run () { yield * yielded } }
  const registry = await openRegistry(t, agent, sqliteStore({ path: ':memory:' }), { limits: { ...LIMITS, ...limits } })
  await registry.startRun({ sessionId: 's', content: 'go' })
  const events: Event[] = []
  for await (const item of registry.subscribe('s', { after: 1 })) {
    if ('seq' in item) events.push(item)
    if (item.kind === 'complete') break
  }
  await registry.close()
  return events
}

/** Each message as a client shows it that keeps the rules of the protocol. */
function shown (events: Event[]): string[] {
  const messages = new Map<string, string>()
  for (const event of events) {
    if (event.kind === 'text') messages.set(event.messageId, event.content as string)
    if (event.kind === 'stream_delta') messages.set(event.messageId, (messages.get(event.messageId) ?? '') + event.content)
  }
  return [...messages.values()]
}

const delta = (content: string, messageId?: string): ProviderEvent => ({ kind: 'stream_delta', content, ...messageId !== undefined && { messageId } })

test('an event above its limit ends the run as failed, with what came before', async (t) => {
  const events = await run(t, [delta('before'), { kind: 'custom', name: 'big', data: 'x'.repeat(1_000) }, delta('after')], { eventBytes: 1_000 })
  t.match(events.map(({ kind }) => kind), ['stream_delta', 'text', 'complete'])
  t.match(events.at(-1), { reason: 'failed', success: false, error: { code: 'EVENT_TOO_LARGE' } })
  t.strictSame(shown(events), ['before'])
  const fits = await run(t, [{ kind: 'custom', name: 'big', data: 'é'.repeat(400) }], { eventBytes: 1_000 })
  t.match(fits.at(-1), { reason: 'finished' })
  const bytes = await run(t, [{ kind: 'custom', name: 'big', data: 'é'.repeat(600) }], { eventBytes: 1_000 })
  t.match(bytes.at(-1), { error: { code: 'EVENT_TOO_LARGE' } }, 'bytes, not characters')
})

test('a run has so many events and bytes, and what users saw of it is kept beyond that', async (t) => {
  function * flood (): Generator<ProviderEvent> { for (;;) yield delta('0123456789') }
  const many = await run(t, flood(), { maxEventsPerRun: 50 })
  t.equal(many.length, 52)
  t.match(many.at(-1), { reason: 'failed', error: { code: 'TOO_MANY_EVENTS' } })
  t.strictSame(shown(many.slice(0, 50)), shown(many.filter(({ kind }) => kind === 'text')))
  const large = await run(t, flood(), { maxBytesPerRun: 10_000 })
  t.match(large.at(-1), { reason: 'failed', error: { code: 'RUN_TOO_LARGE' } })
  t.ok(large.length > 50 && large.length < 150)
})

test('a long message is sealed as it is, and goes on as the next: no reader sees a word twice or none', async (t) => {
  const events = await run(t, ['one ', 'two ', 'three ', 'four '].map((word) => delta(word, 'm')), { messageBytes: 8 })
  t.match(events.map((event) => [event.kind, 'content' in event && event.content]), [
    ['stream_delta', 'one '], ['stream_delta', 'two '], ['text', 'one two '], ['stream_delta', 'three '], ['stream_delta', 'four '], ['text', 'three four '], ['complete']
  ])
  t.strictSame(shown(events), ['one two ', 'three four '])
})

test('the whole of a message that was sealed is what is left of it, named or not', async (t) => {
  for (const name of ['m', undefined]) {
    const whole: ProviderEvent = { kind: 'text', content: 'one two three four!', ...name !== undefined && { messageId: name } }
    const events = await run(t, [...['one ', 'two ', 'three ', 'four'].map((word) => delta(word, name)), whole], { messageBytes: 8 })
    t.strictSame(shown(events), ['one two ', 'three four!'], 'the last part is replaced')
    const exact = await run(t, [...['one ', 'two '].map((word) => delta(word, name)), { ...whole, content: 'one two ' }], { messageBytes: 8 })
    t.strictSame(shown(exact), ['one two '])
    const after = await run(t, [...['one ', 'two '].map((word) => delta(word, name)), whole], { messageBytes: 8 })
    t.strictSame(shown(after), ['one two three four!'], 'nothing had gone on yet: the part itself is replaced')
  }
})

test('the whole of a message that was sealed is what is left of it also behind the end of its stream', async (t) => {
  for (const name of ['m', undefined]) {
    const named = name !== undefined && { messageId: name }
    const words = ['one ', 'two ', 'three'].map((word) => delta(word, name))
    const events = await run(t, [...words, { kind: 'stream_end', ...named }, { kind: 'text', content: 'one two three!', ...named }], { messageBytes: 8 })
    t.strictSame(shown(events), ['one two ', 'three!'])
  }
})

test('what was seen of a sealed message is kept, also if its whole is shorter than that', async (t) => {
  const id = 'native-0123456789'
  for (const name of ['m', undefined]) {
    const whole: ProviderEvent = { kind: 'text', content: 'one', ...name !== undefined && { messageId: name } }
    // The last word is held back: it could be the start of the id.
    const words = ['one ', 'two ', 'three ', 'nat'].map((word) => delta(word, name))
    const events = await run(t, [{ kind: 'session_created', newSessionId: id }, ...words, whole, delta('next', name)], { messageBytes: 8 })
    t.strictSame(shown(events), ['one two ', 'three nat', 'next'])
    t.strictSame(shown(events.filter(({ kind }) => kind === 'text')), shown(events))
  }
})

test('a message that ends where it was sealed is over: the next is another', async (t) => {
  for (const name of ['m', undefined]) {
    const end: ProviderEvent = { kind: 'stream_end', ...name !== undefined && { messageId: name } }
    const events = await run(t, [delta('12345678', name), end, delta('next', name && 'n'), { kind: 'text', content: 'next!', ...name !== undefined && { messageId: 'n' } }], { messageBytes: 8 })
    t.strictSame(shown(events), ['12345678', 'next!'])
  }
})

test('a native id is not let out by a seal that falls into the middle of it', async (t) => {
  const id = 'native-0123456789'
  const text = `before ${id} after`
  for (let length = 1; length < 30; length += 3) {
    for (const size of [1, 5, 11]) {
      const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => delta(text.slice(index * size, (index + 1) * size), 'm'))
      const events = await run(t, [{ kind: 'session_created', newSessionId: id }, ...parts], { messageBytes: length })
      t.equal(shown(events).join(''), 'before s after', `sealed every ${length} bytes, said by ${size}`)
    }
  }
})

test('the whole of a message that was sealed goes on where the seal was, though ids in it were replaced by shorter ones', async (t) => {
  const id = 'native-0123456789'
  const words = [`one ${id} `, 'two ', `${id} three`]
  const whole: ProviderEvent = { kind: 'text', content: words.join(''), messageId: 'm' }
  const events = await run(t, [{ kind: 'session_created', newSessionId: id }, ...words.map((word) => delta(word, 'm')), whole], { messageBytes: 6 })
  t.equal(shown(events).join(''), 'one s two s three')
})

test('however it is streamed and sealed, the words are those that were said', async (t) => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.record({ name: fc.constantFrom(undefined, 'a', 'b'), content: fc.string({ maxLength: 12 }) }), { maxLength: 30 }),
    fc.integer({ min: 1, max: 40 }), fc.boolean(),
    async (parts, messageBytes, withWhole) => {
      const said = new Map<string | undefined, string>()
      const name = parts[0]?.name
      // One message at a time, as its whole belongs to it alone.
      for (const { content } of parts) said.set(name, (said.get(name) ?? '') + content)
      const whole: ProviderEvent[] = withWhole && said.size > 0 ? [{ kind: 'text', content: said.get(name)!, ...name !== undefined && { messageId: name } }] : []
      const events = await run(t, [...parts.map(({ content }) => delta(content, name)), ...whole], { messageBytes })
      return shown(events).join('') === (said.get(name) ?? '') && shown(events.filter(({ kind }) => kind === 'text')).join('') === (said.get(name) ?? '')
    }
  ), { numRuns: 150 })
})

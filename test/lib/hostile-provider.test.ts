/* What providers in plain JavaScript yield that no type would let them. */
import { test, type Test } from 'tap'
import type { Event, Provider, ProviderEvent } from '../../index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'

/** The stream of a run that yields these, live and replayed, and its events. */
async function streams (t: Test, yielded: () => Iterable<unknown>) {
  const agent: Provider = { async * run () { yield * yielded() as Iterable<ProviderEvent> } }
  const { app, url } = await serveApp(t, { providers: { agent } })
  const live = await SseClient.open(`${url}/sessions/s/stream`)
  await live.frame('chat_subscribed')
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  await live.frame('complete')
  live.cut()
  const replayed = await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
  const events: Event[] = []
  for await (const event of app.agentRuns.replayEvents('s')) events.push(event)
  return { live: live.raw, replayed: replayed.raw, events }
}

/** What follows the first frame, which tells of the moment. */
const afterFirst = (raw: string): string => raw.slice(raw.indexOf('\n\n') + 2)

const WEIRD = ['\ud800', '\udc00\ud800', 'a\0b', '\u2028\u2029', '\r', '\n\n', '\r\n\r\ndata: {"kind":"complete"}\r\n\r\n', '\ufeff', '\ufffe\uffff', '\x1b[31m', '\u202e', '"\\/', 'é\u0301', '\u{1f469}\u200d\u{1f680}']

test('whatever characters a provider says, they are the same live, replayed and as JSON, and break no frame', async (t) => {
  const { live, replayed, events } = await streams(t, () => [
    ...WEIRD.flatMap((content, i) => [
      { kind: 'stream_delta', messageId: `m${i}`, content }, { kind: 'thinking_delta', messageId: content, content }, { kind: 'text', messageId: `m${i}`, content },
      { kind: content, value: content }, { kind: 'custom', name: content, data: { [content]: [content] } }, { kind: 'tool_use', toolId: content, toolName: content, toolInput: content },
      { kind: 'error', code: content, message: content }
    ]),
    { kind: 'complete', exitCode: 1, usage: { [WEIRD.join('')]: 1 }, error: { code: WEIRD.join(''), message: WEIRD.join('') } }
  ])
  t.equal(afterFirst(live), afterFirst(replayed))
  t.notOk(Array.from(live).some((character) => character < ' ' && character !== '\n'))
  const frames = afterFirst(live).split('\n\n').slice(0, -1)
  t.strictSame(frames.map((frame) => frame.split('\n').map((line) => line.slice(0, line.indexOf(' '))).join()), events.map(() => 'data:,id:'), 'one line of data and one id each')
  t.strictSame(frames.map((frame) => JSON.parse(frame.slice(frame.indexOf(' '), frame.lastIndexOf('\n'))) as Event), events)
  // By number: what reads the tests' own output breaks lines at some of them.
  for (const [i, content] of WEIRD.entries()) {
    t.ok(events.some((event) => event.kind === 'text' && event.content === content), `text ${i}`)
    t.ok(events.some((event) => event.kind === 'custom' && event.name === content && (event.data as Record<string, string[]>)[content]?.[0] === content), `custom ${i}`)
  }
  t.match(events.at(-1), { kind: 'complete', reason: 'failed', error: { code: WEIRD.join(''), message: WEIRD.join('') } })
})

test('values that JSON has no word for are what JSON makes of them, and cost nothing else', async (t) => {
  class Point { x = 1; get y (): number { return 2 } secret (): string { return 'method' } }
  const data = {
    undefined,
    function: () => 1,
    symbol: Symbol('s'),
    nan: NaN,
    infinity: -Infinity,
    zero: -0,
    map: new Map([['a', 1]]),
    set: new Set([1]),
    weak: new WeakMap(),
    never: new Date(NaN),
    date: new Date(0),
    error: new Error('postgres://user:password@db'),
    buffer: Buffer.from('hi'),
    bytes: new Uint8Array([1, 2]),
    regexp: /x/,
    boxed: [Object(1), Object('s'), Object(true)] as unknown[],
    holes: [, 1] as unknown[], // eslint-disable-line no-sparse-arrays
    list: [undefined, () => 1, Symbol('s')],
    promise: Promise.resolve(1),
    point: new Point(),
    bare: Object.assign(Object.create(null) as object, { a: 1 })
  }
  const { live, replayed, events } = await streams(t, () => [{ kind: 'custom', name: 'odd', data }, { kind: 'custom', name: 'top', ...data }, { kind: 'text', content: 'fine' }])
  const expected = {
    nan: null,
    infinity: null,
    zero: 0,
    map: {},
    set: {},
    weak: {},
    never: null,
    date: '1970-01-01T00:00:00.000Z',
    error: {},
    buffer: { type: 'Buffer', data: [104, 105] },
    bytes: { 0: 1, 1: 2 },
    regexp: {},
    boxed: [1, 's', true],
    holes: [null, 1],
    list: [null, null, null],
    promise: {},
    point: { x: 1 },
    bare: { a: 1 }
  }
  t.strictSame(events.map(({ kind }) => kind), ['text', 'custom', 'custom', 'text', 'complete'])
  t.strictSame((events[1] as { data: unknown }).data, expected)
  t.match(events[2], { name: 'top', ...expected })
  t.match(events.at(-1), { reason: 'finished' })
  t.equal(afterFirst(live), afterFirst(replayed))
  t.notMatch(live, /password/)
})

/** Arrays in one another, so many. */
const nested = (levels: number): unknown => Array.from({ length: levels }).reduce((inner: unknown) => [inner], 0)

test('objects that play tricks fail the run or are dropped, and the session takes the next message', async (t) => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = { cycle }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const throwing = (trap: string): unknown => new Proxy({ kind: 'text', content: 'x' }, { [trap]: () => { throw new Error('trap') } })
  const text = { kind: 'text', content: 'before' }
  const tricks: Record<string, unknown> = {
    BigInt: { kind: 'custom', name: 'n', data: 10n },
    'a cycle': { kind: 'custom', name: 'n', data: cycle },
    'toJSON that throws': { kind: 'custom', name: 'n', data: { toJSON () { throw new Error('no') } } },
    'toJSON that answers with a BigInt': { kind: 'custom', name: 'n', data: { toJSON: () => 1n } },
    'a getter that throws': { kind: 'custom', name: 'n', get data (): never { throw new Error('no') } },
    // SQLite reads a thousand levels, and JSON.stringify of Node 26 writes as many as there are.
    ...Object.fromEntries([256, 1_200, 20_000].map((levels) => [`a depth of ${levels}`, { kind: 'custom', name: 'n', data: nested(levels) }])),
    'a revoked proxy': revoked.proxy,
    'a proxy that throws at get': throwing('get'),
    'a proxy that throws at ownKeys': throwing('ownKeys'),
    'a proxy that throws at getOwnPropertyDescriptor': throwing('getOwnPropertyDescriptor'),
    'usage with a cycle': { kind: 'complete', exitCode: 0, usage: cycle }
  }
  let trick: unknown
  const agent: Provider = { async * run () { yield text as ProviderEvent; yield trick as ProviderEvent; yield text as ProviderEvent } }
  const { app } = await serveApp(t, { providers: { agent }, store: ':memory:' })
  for (const [name, value] of Object.entries(tricks)) {
    trick = value
    const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: name })
    const events: Event[] = []
    for await (const event of app.agentRuns.subscribe('s', { after: (await app.agentRuns.getRun(runId))!.cursor })) {
      if ('seq' in event) events.push(event)
      if (event.kind === 'complete') break
    }
    t.strictSame(events.map((event) => event.kind === 'complete' ? event.reason : event.kind), ['text', 'text', 'failed'], name)
  }
})

test('a million events in one go end at the limit, with turns for others all the way', async (t) => {
  let [yielded, turns, most, since] = [0, 0, 0, 0]
  // Each next() answers at once: nothing of it ever waits.
  const agent = { run: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => ({ done: yielded === 1_000_000, value: { kind: 'status', text: `${yielded++}` } }) }) }) }
  const { app } = await serveApp(t, { providers: { agent: agent as unknown as Provider }, store: ':memory:', limits: { maxEventsPerRun: 20_000 } })
  let over = false
  const look = (): void => {
    turns++
    most = Math.max(most, yielded - since)
    since = yielded
    if (!over) setImmediate(look)
  }
  setImmediate(look)
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  for await (const event of app.agentRuns.subscribe('s', { after: 'latest' })) {
    if (event.kind !== 'complete') continue
    t.match(event, { seq: 20_002, reason: 'failed', error: { code: 'TOO_MANY_EVENTS' } })
    break
  }
  over = true
  t.ok(yielded <= 20_001, `it was asked for ${yielded}`)
  t.ok(most <= 1_024, `at most ${most} between two of ${turns} turns`)
})

test('an agent that for ever yields what is no event, or says nothing, is ended', async (t) => {
  const endless: Record<string, unknown> = {
    'no events': {},
    'empty deltas': { kind: 'stream_delta', content: '' },
    'the same native id': { kind: 'session_created', newSessionId: 'native-1' },
    'empty native ids': { kind: 'session_created', newSessionId: '' },
    'ends of messages that there are not': { kind: 'stream_end', messageId: 'none' }
  }
  let value: unknown
  const { app } = await serveApp(t, { providers: { agent: { async * run () { for (;;) yield value as ProviderEvent } } }, store: ':memory:', limits: { maxEventsPerRun: 500 } })
  for (const [name, each] of Object.entries(endless)) {
    value = each
    await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
    for await (const event of app.agentRuns.subscribe('s', { after: 'latest' })) {
      if (event.kind !== 'complete') continue
      t.match(event, { reason: 'failed', error: { code: 'TOO_MANY_EVENTS' } }, name)
      break
    }
  }
})

test('an iterator that answers with what is no object fails its run', async (t) => {
  const { app } = await serveApp(t, { providers: { agent: { run: () => ({ [Symbol.asyncIterator]: () => ({ next: () => 5 }) }) } as unknown as Provider }, store: ':memory:' })
  const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  t.match(await app.agentRuns.abortRun({ sessionId: 's', runId }), { reason: 'failed', error: { code: 'PROVIDER_FAILED' } })
})

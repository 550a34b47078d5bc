/* Frames with fields of the wrong type: nothing crashes, the cursor stays, and the client backs off. */
import fc from 'fast-check'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { createClient, emptyTranscript, type Event, fold, follow, RunsClientError, type StreamItem } from '../../client/index.ts'
import { Reading } from '../../client/reading.ts'
import { complete, delta, event, gap, subscribed } from '../helpers/client-frames.ts'
import { hostileServer, onWire, stream } from '../helpers/hostile-server.ts'
import { SocketServer } from '../helpers/socket-server.ts'
import { shortly, stateShortly, take, takeAll } from '../helpers/taken.ts'

const soon = { retry: { minMs: 1, maxMs: 1 } }
const without = (frame: object, name: string): object => Object.fromEntries(Object.entries(frame).filter(([key]) => key !== name))
const WRONG_COUNTS = ['3', -1, 1.5, 1e300, 2 ** 53, null, [], {}, true]
const WRONG_TEXTS = [7, null, [], {}, true]

const WRONG: unknown[] = [
  null, [], 7, 'text', true, {}, [subscribed()], { kind: 7, seq: 3 }, { kind: null },
  ...[...WRONG_COUNTS, 0].map((seq) => ({ ...delta(3), seq })),
  ...['sessionId', 'runId', 'kind'].flatMap((name) => [...WRONG_TEXTS.map((text) => ({ ...delta(3), [name]: text })), without(delta(3), name)]),
  ...['cursor', 'lastSeq', 'compactedThrough'].flatMap((name) => [...WRONG_COUNTS.map((count) => ({ ...subscribed({ cursor: 2 }), [name]: count })), without(subscribed({ cursor: 2 }), name)]),
  ...['sessionId', 'runId'].flatMap((name) => [7, [], {}].map((value) => ({ ...subscribed({ cursor: 2 }), [name]: value }))),
  ...[null, 'x', 0].map((isProcessing) => ({ ...subscribed({ cursor: 2 }), isProcessing })),
  ...[null, {}, 'x', [null], [7], [{}], [delta(1)], [event(1, 'permission_request', { requestId: {} } as never)]].map((pendingPermissions) => ({ ...subscribed({ cursor: 2 }), pendingPermissions })),
  ...['from', 'to'].flatMap((name) => WRONG_COUNTS.map((count) => ({ ...gap('compacted', 3, 9), [name]: count }))),
  ...['sessionId', 'reason'].map((name) => ({ ...gap('ahead', 3, 9), [name]: null })),
  { kind: 'session_deleted' }, { kind: 'session_deleted', sessionId: 7 }
]

test('over Server-Sent Events a frame with a wrong field is BAD_FRAME; the client goes on from the last event before it', async (t) => {
  for (const wrong of WRONG) {
    const states: string[] = []
    const server = await hostileServer(t, (_request, response) => {
      if (server.asked.length > 1) response.writeHead(204).end()
      else stream(response, onWire(subscribed(), delta(1), delta(2), wrong, delta(3)))
    })
    const given = await takeAll(follow(server.url, { ...soon, onState: (state) => states.push(stateShortly(state)) }))
    const name = JSON.stringify(wrong)
    t.strictSame(given, ['chat_subscribed', 1, 2], name)
    t.strictSame(server.asked, ['/?lastEventId=0', '/?lastEventId=2'], name)
    t.strictSame(states, ['connecting 0', 'live', 'waiting 1 BAD_FRAME', 'connecting 1', 'closed well'], name)
  }
})

test('over a WebSocket a frame with a wrong field is BAD_FRAME of its session, is ignored if it has none, and what is no frame ends the connection', async (t) => {
  const server = await SocketServer.open(t)
  const client = createClient(server.url, { transport: 'websocket', WebSocket, ...soon })
  const other = client.follow('other')
  const others: unknown[] = []
  const reading = (async () => { for await (const item of other) others.push(shortly(item)) })()
  let peer = await server.next()
  await peer.subscribed()
  const waits: string[] = []
  const items = client.follow('s', { onState: (state) => { if (state.status === 'waiting') waits.push(state.error.code) } })
  const first = take(items, 3)
  await peer.subscribed()
  peer.send(subscribed(), delta(1), delta(2))
  t.strictSame(await first, ['chat_subscribed', 1, 2])
  for (const wrong of WRONG) {
    const name = JSON.stringify(wrong)
    const isFrame = typeof wrong === 'object' && wrong !== null && 'kind' in wrong && typeof wrong.kind === 'string'
    const isOfSession = isFrame && 'sessionId' in wrong && wrong.sessionId === 's'
    const before = waits.length
    const next = items.next()
    peer.send(wrong as object)
    // What is of no session is ignored, and the subscription stands.
    if (isFrame && !isOfSession) {
      peer.send(subscribed({ cursor: 2 }))
    } else {
      if (!isFrame) peer = await server.next()
      const asked: object[] = [await peer.subscribed()]
      if (!isFrame) asked.push(await peer.subscribed())
      t.ok(asked.some((cursors) => 's' in cursors && cursors.s === 2), `${name}: ${JSON.stringify(asked)}`)
      peer.send(subscribed({ cursor: 2 }))
    }
    t.match(await next, { value: { kind: 'chat_subscribed' } }, name)
    t.strictSame(waits.slice(before), isFrame && !isOfSession ? [] : ['BAD_FRAME'], name)
  }
  peer.send({ ...subscribed(), sessionId: 'other' }, { ...delta(1), sessionId: 'other' })
  while (!others.includes(1)) await new Promise<void>((resolve) => { setImmediate(resolve) })
  client.close()
  await reading
  t.strictSame(others, ['chat_subscribed', 1])
  t.equal(server.handshakes, 1 + WRONG.filter((wrong) => !(typeof wrong === 'object' && wrong !== null && 'kind' in wrong && typeof wrong.kind === 'string')).length)
})

for (const [name, wrong] of [
  ['without a code', { error: 'no' }], ['with a code that is no text', { code: 7, error: 'no' }], ['without words', { code: 'STORE_FAILED' }], ['with a code of the client\'s', { code: 'NETWORK', error: 'no' }], ['of nothing', {}]
] as const) {
  test(`a refusal ${name} is BAD_FRAME, with and without a session or a request`, async (t) => {
    for (const names of [{}, { sessionId: 's' }, { requestId: '#1' }, { requestId: 7 }]) {
      const server = await SocketServer.open(t)
      const client = createClient(server.url, { transport: 'websocket', WebSocket, retry: { minMs: 1, maxMs: 1, attempts: 0 } })
      const all = takeAll(client.follow('s'))
      const peer = await server.next()
      await peer.subscribed()
      const sent = client.send('s', 'x')
      await peer.next()
      peer.send({ kind: 'protocol_error', ...names, ...wrong })
      await t.rejects(all, { code: 'BAD_FRAME' })
      await t.rejects(sent, { code: 'BAD_FRAME' })
    }
  })
}

test('answers that were not asked for are ignored: the client sends nothing, and its subscription stands', async (t) => {
  const server = await SocketServer.open(t)
  const client = createClient(server.url, { transport: 'websocket', WebSocket, ...soon })
  const some = take(client.follow('s'), 2)
  const peer = await server.next()
  await peer.subscribed()
  const told = peer.unsubscriptions
  for (let index = 0; index < 1_000; index++) {
    peer.send(
      { kind: 'chat_accepted', requestId: `#${index}`, sessionId: `s${index}`, runId: 'r', cursor: 0, status: 'running' },
      { kind: 'chat_accepted', sessionId: `s${index}` }, { kind: 'chat_aborted', requestId: {} }, { kind: 'permission_accepted' },
      { kind: 'chat_unsubscribed', sessionId: 's' }, { kind: 'chat_unsubscribed', sessionId: `s${index}` }, { kind: 'chat_unsubscribed' },
      { kind: 'protocol_error', code: 'STORE_FAILED', error: 'no', requestId: `#${index}` }, { kind: 'protocol_error', code: 'STORE_FAILED', error: 'no', sessionId: [] }
    )
  }
  peer.send(subscribed(), delta(1))
  t.strictSame(await some, ['chat_subscribed', 1])
  // The socket keeps the order: an answer to a frame above would have come before this.
  const sent = client.send('s', 'x')
  const { requestId } = await peer.next()
  t.equal(peer.unsubscriptions, told)
  peer.send({ kind: 'chat_accepted', requestId, sessionId: 's', runId: 'r', cursor: 1, status: 'running' })
  t.match(await sent, { runId: 'r' })
  client.close()
})

test('frames of an old subscription are dropped, also after confirmations that were not asked for', async (t) => {
  const server = await SocketServer.open(t)
  const client = createClient(server.url, { transport: 'websocket', WebSocket, ...soon })
  const other = client.subscribe('other', () => {})
  const first = client.follow('s')
  const some = take(first, 1)
  const peer = await server.next()
  await peer.subscribed()
  await peer.subscribed()
  peer.send(...Array.from({ length: 5 }, () => ({ kind: 'chat_unsubscribed', sessionId: 's' })), subscribed())
  t.strictSame(await some, ['chat_subscribed'])
  peer.held = []
  await first.return(undefined)
  const second = client.follow('s', { cursor: 1 })
  const next = take(second, 2)
  t.strictSame(await peer.subscribed(), { s: 1 })
  peer.send(subscribed(), delta(1), ...peer.held, subscribed({ cursor: 1 }), delta(2))
  t.strictSame(await next, ['chat_subscribed', 2])
  client.close()
  await other.closed
})

test('a message that is not text is no frame', async (t) => {
  const server = await SocketServer.open(t)
  const client = createClient(server.url, { transport: 'websocket', WebSocket, retry: { attempts: 0 } })
  const all = takeAll(client.follow('s'))
  const peer = await server.next()
  await peer.subscribed()
  peer.text(Buffer.from(JSON.stringify(subscribed())))
  await t.rejects(all, { code: 'BAD_FRAME' })
})

const anything = fc.jsonValue({ maxDepth: 2 })
const count = fc.oneof(fc.nat(5), fc.constantFrom(2 ** 53, 2 ** 53 - 1, -1, 1e300), anything)
const kind = fc.oneof(fc.constantFrom('chat_subscribed', 'gap', 'session_deleted', 'stream_delta', 'text', 'complete', 'tool_use', 'permission_request', 'usage', 'news'), anything)
const mostly = <T>(value: T) => fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: anything })
const anyFrame = fc.oneof(anything, fc.record({
  kind,
  sessionId: mostly('s'),
  runId: mostly('r'),
  seq: count,
  cursor: count,
  lastSeq: count,
  compactedThrough: count,
  isProcessing: mostly(true),
  reason: fc.oneof(fc.constantFrom('compacted', 'ahead', 'malformed'), anything),
  from: count,
  to: count,
  pendingPermissions: fc.oneof(fc.array(fc.oneof(fc.constant(event(1, 'permission_request', { requestId: 'q', toolName: 't', input: 0 })), anything), { maxLength: 2 }), anything),
  messageId: anything,
  toolId: anything,
  requestId: anything,
  content: anything
}, { requiredKeys: [] }))

test('random frames: the cursor stays a seq and moves by new events and by frames that say so, and fold takes all that is given on', (t) => {
  fc.assert(fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.constantFrom<number | 'latest'>(0, 3, 'latest'), (frames, start) => {
    const reading = new Reading({ cursor: start, until: 'complete' })
    let transcript = emptyTranscript
    for (const frame of frames) {
      const before = reading.cursor
      let item: StreamItem | null = null
      try {
        item = reading.take(frame)
      } catch (error) {
        if (!(error instanceof RunsClientError) || (error.code !== 'BAD_FRAME' && error.code !== 'HOLE')) throw error
      }
      const { cursor } = reading
      const expected = item === null ? [before] : 'seq' in item ? [item.seq] : item.kind === 'chat_subscribed' && before === 'latest' ? [item.cursor] : item.kind === 'gap' ? [before, 0] : [before]
      if (!expected.includes(cursor)) return false
      if (item !== null && 'seq' in item && typeof before === 'number' && item.seq <= before) return false
      if (cursor !== 'latest' && !(Number.isSafeInteger(cursor) && cursor >= 0)) return false
      if (item !== null) transcript = fold(transcript, item)
    }
    return Number.isSafeInteger(transcript.cursor)
  }), { numRuns: 3_000 })
  t.pass('in all of them')
  t.end()
})

test('fold ignores the fields of an event that have the wrong type', (t) => {
  const unprintable = { toString: null, valueOf: null }
  const kinds = ['text', 'stream_delta', 'stream_end', 'thinking', 'thinking_delta', 'tool_use', 'tool_update', 'tool_result', 'permission_request', 'permission_resolved', 'permission_cancelled', 'plan', 'usage', 'status', 'error', 'custom', 'complete'] as const
  for (const field of [unprintable, null, undefined, 7, []]) {
    const wrong = { messageId: field, toolId: field, requestId: field, content: field, toolResult: field, entries: field, usage: field, snapshot: field } as never
    const transcript = kinds.map((each, index) => event(index + 1, each, wrong) as Event).reduce<typeof emptyTranscript>(fold, emptyTranscript)
    t.equal(transcript.cursor, kinds.length)
    t.strictSame(transcript.runs[0]!.parts.map(({ type }) => type), ['plan', 'error', 'custom'])
  }
  const broken: Event[] = [delta(1), { ...delta(2), content: unprintable as never } as Event, delta(3), complete(4)]
  t.match(broken.reduce<typeof emptyTranscript>(fold, emptyTranscript).runs[0]!.parts, [{ type: 'text', content: '1 3 ' }])
  t.end()
})

test('an answer that is not what was asked for is an HTTP_ERROR, and not a crash', async (t) => {
  let answer: unknown
  const server = await hostileServer(t, (_request, response) => { response.end(answer === undefined ? '' : JSON.stringify(answer)) })
  const client = createClient(server.url, soon)
  const asked: Record<string, () => Promise<unknown>> = {
    list: () => client.listSessions(), runs: () => client.listRuns('s'), page: () => client.history('s'), get: () => client.getSession('s'), create: () => client.createSession(), send: () => client.send('s', 'x'), abort: () => client.abort('s')
  }
  for (answer of [undefined, null, 7, 'text', true]) {
    for (const [name, ask] of Object.entries(asked)) await t.rejects(ask(), { code: 'HTTP_ERROR', statusCode: 200 }, `${name}: ${JSON.stringify(answer)}`)
  }
  for (answer of [[], {}, { sessions: null, runs: null, events: null }, { sessions: {}, runs: 'x', events: 7 }, { sessions: [null], runs: [7], events: [{}] }, { events: [{ ...delta(1), seq: '1' }] }]) {
    for (const name of ['list', 'runs', 'page'] as const) {
      if ('sessions' in (answer as object) || name === 'page') await t.rejects(asked[name]!(), { code: 'HTTP_ERROR', statusCode: 200 }, `${name}: ${JSON.stringify(answer)}`)
    }
  }
})

import { test } from 'tap'
import { WebSocket } from 'ws'
import { type ClientOptions, type ConnectionState, createClient, type RunsClient } from '../../client/index.ts'
import { delta, subscribed } from '../helpers/client-frames.ts'
import { latch } from '../helpers/latch.ts'
import { openTimers } from '../helpers/open-timers.ts'
import { SocketServer } from '../helpers/socket-server.ts'
import { StreamServer } from '../helpers/stream-server.ts'
import { stateShortly, take, takeAll } from '../helpers/taken.ts'

const soon: ClientOptions = { transport: 'websocket', WebSocket, retry: { minMs: 1, maxMs: 1 } }
const of = <T extends object>(sessionId: string, frame: T): T => ({ ...frame, sessionId })

function connect (server: { url: string }, options: ClientOptions = {}): RunsClient {
  return createClient(server.url, { ...soon, ...options })
}

test('one WebSocket serves all sessions; it is opened when it is needed, and closed when it is not', async (t) => {
  const server = await SocketServer.open(t)
  const timers = openTimers(t)
  const client = connect(server)
  t.equal(server.handshakes, 0)
  const [one, two] = [client.follow('one'), client.follow('two', { cursor: 5 })]
  const some = [take(one, 2), take(two, 2)]
  const peer = await server.next()
  t.strictSame([await peer.subscribed(), await peer.subscribed()], [{ one: 0 }, { two: 5 }])
  peer.send(of('one', subscribed()), of('two', subscribed({ cursor: 5 })), of('two', delta(6)), of('one', delta(1)))
  t.strictSame(await Promise.all(some), [['chat_subscribed', 1], ['chat_subscribed', 6]])
  await one.return(undefined)
  const more = take(two, 1)
  peer.send(of('two', delta(7)))
  t.strictSame(await more, [7])
  await peer.unsubscribed('one')
  await two.return(undefined)
  await peer.closed
  t.equal(server.handshakes, 1)
  t.equal(timers.count, 0)

  const again = take(client.follow('one'), 1)
  const other = await server.next()
  await other.subscribed()
  client.close()
  await other.closed
  t.strictSame(await again, ['END'])
  t.equal(timers.count, 0)
})

test('after a lost connection each session goes on from its last event, over one new WebSocket', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const states: string[] = []
  const some = [take(client.follow('one', { onState: (state) => states.push(stateShortly(state)) }), 4), take(client.follow('two', { cursor: 'latest' }), 3)]
  const first = await server.next()
  t.strictSame([await first.subscribed(), await first.subscribed()], [{ one: 0 }, { two: 'latest' }])
  first.send(of('one', subscribed()), of('two', subscribed({ cursor: 8 })), of('one', delta(1)))
  await new Promise<void>((resolve) => { first.closed.then(() => resolve(), () => resolve()); setImmediate(() => first.close(1012)) })
  const second = await server.next()
  const cursors = { ...await second.subscribed(), ...await second.subscribed() }
  t.strictSame(cursors, { one: 1, two: 8 })
  second.send(of('one', subscribed({ cursor: 1 })), of('two', subscribed({ cursor: 8 })), of('two', delta(9)), of('one', delta(2)))
  t.strictSame(await Promise.all(some), [['chat_subscribed', 1, 'chat_subscribed', 2], ['chat_subscribed', 'chat_subscribed', 9]])
  t.strictSame(states.slice(0, 4), ['connecting 0', 'live', 'waiting 1 NETWORK', 'connecting 1'])
  t.equal(server.handshakes, 2)
  client.close()
})

test('who leaves before the WebSocket is open does not make the next one wait', async (t) => {
  const server = await SocketServer.open(t)
  const asked = latch()
  const urls = [new Promise<string>(() => {}), Promise.resolve(server.url)]
  const socketUrl = (): Promise<string> => {
    asked.open()
    return urls.shift()!
  }
  const client = connect(server, { socketUrl, retry: { minMs: 2 ** 30, maxMs: 2 ** 30 } })
  const leaving = client.follow('one')
  const left = take(leaving, 1)
  await asked.promise
  await leaving.return(undefined)
  t.strictSame(await left, ['END'])
  const next = take(client.follow('two'), 1)
  const peer = await server.next()
  t.strictSame(await peer.subscribed(), { two: 0 })
  peer.send(of('two', subscribed()))
  t.strictSame(await next, ['chat_subscribed'])
  client.close()
})

test('a message whose answer was lost is sent again with its key', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const sent = client.send('s', 'hello', { idempotencyKey: 'k' })
  const first = await server.next()
  const asked = await first.next()
  t.match(asked, { type: 'chat.send', sessionId: 's', content: 'hello', idempotencyKey: 'k' })
  first.cut()
  const second = await server.next()
  const { requestId, ...again } = await second.next()
  t.strictSame({ requestId, ...again }, asked)
  second.send({ kind: 'chat_accepted', requestId, sessionId: 's', runId: 'r', cursor: 3, status: 'running' })
  t.strictSame(await sent, { sessionId: 's', runId: 'r', cursor: 3, status: 'running' })
  await second.closed
})

test('aborts and approvals have their answers; an abort of no run by name is sent once', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const following = client.subscribe('s', () => {})
  const peer = await server.next()
  await peer.subscribed()
  const aborted = client.abort('s', { runId: 'r' })
  const approved = [client.approve('s', 'p', { allow: true }), client.approve('s', 'p', { allow: false, message: 'no' })]
  const [abort, first, second] = [await peer.next(), await peer.next(), await peer.next()]
  t.match(abort, { type: 'chat.abort', sessionId: 's', runId: 'r' })
  t.strictSame([first, second], [
    { type: 'chat.permission-response', sessionId: 's', requestId: 'p', allow: true },
    { type: 'chat.permission-response', sessionId: 's', requestId: 'p', allow: false, message: 'no' }
  ])
  peer.send(
    { kind: 'chat_aborted', requestId: abort.requestId, sessionId: 's', runId: 'r', complete: null },
    { kind: 'permission_accepted', sessionId: 's', requestId: 'p' },
    { kind: 'protocol_error', code: 'PERMISSION_ALREADY_RESOLVED', error: 'too late', sessionId: 's', requestId: 'p' }
  )
  t.equal(await aborted, null)
  await approved[0]
  await t.rejects(approved[1]!, { code: 'PERMISSION_ALREADY_RESOLVED', message: 'too late', sessionId: 's' })

  const unnamed = client.abort('s')
  await peer.next()
  peer.cut()
  await t.rejects(unnamed, { code: 'NETWORK' })
  following.close()
  await following.closed
})

test('a server that closes says when to come back', async (t) => {
  const server = await SocketServer.open(t)
  const waited = latch<ConnectionState>()
  const client = connect(server, { retry: { minMs: 1 } })
  const items = client.follow('s', { onState: (state) => { if (state.status === 'waiting') waited.open(state) } })
  const some = takeAll(items)
  const peer = await server.next()
  await peer.subscribed()
  peer.send(subscribed(), delta(1), { kind: 'stream_closing', sessionId: 's', retryMs: 20_000 }).close(1012)
  const state = await waited.promise
  t.ok(state.status === 'waiting' && state.delayMs >= 20_000, JSON.stringify(state))
  client.close()
  t.strictSame(await some, ['chat_subscribed', 1])
})

test('a session that is deleted is told of, and the WebSocket goes on for the others', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const gone = takeAll(client.follow('gone'))
  const stays = client.follow('stays')
  const some = take(stays, 2)
  const peer = await server.next()
  await peer.subscribed()
  await peer.subscribed()
  peer.send(of('gone', subscribed()), { kind: 'session_deleted', sessionId: 'gone' })
  t.strictSame(await gone, ['chat_subscribed', 'session_deleted'])
  peer.send(of('stays', subscribed()), of('stays', delta(1)))
  t.strictSame(await some, ['chat_subscribed', 1])
  await stays.return(undefined)
})

test('what comes of a subscription that is over is nobody\'s', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const other = client.subscribe('other', () => {})
  const peer = await server.next()
  await peer.subscribed()
  // A sender follows the session, too; this client did not ask for that.
  const sent = client.send('s', 'x')
  const { requestId } = await peer.next()
  peer.send({ kind: 'chat_accepted', requestId, sessionId: 's', runId: 'r', cursor: 4, status: 'running' }, subscribed({ cursor: 4 }), delta(5))
  await sent
  const first = client.follow('s')
  const nothing = first.next()
  t.strictSame(await peer.subscribed(), { s: 0 })
  await first.return(undefined)
  await nothing
  peer.held = []
  const second = client.follow('s', { cursor: 1 })
  const some = take(second, 2)
  t.strictSame(await peer.subscribed(), { s: 1 })
  // On its way before the server has heard of the second.
  peer.send(subscribed({ cursor: 7 }), delta(8), ...peer.held)
  peer.send(subscribed({ cursor: 1 }), delta(2))
  t.strictSame(await some, ['chat_subscribed', 2])
  await second.return(undefined)
  other.close()
  await peer.closed
})

test('what a slow one does not take is left out, and asked for later: the log is the queue', async (t) => {
  const server = await SocketServer.open(t)
  const client = connect(server)
  const [slow, quick] = [client.follow('slow'), client.follow('quick')]
  const started = take(slow, 1)
  const some = take(quick, 2)
  const peer = await server.next()
  await peer.subscribed()
  await peer.subscribed()
  const large = (seq: number): object => of('slow', { ...delta(seq), content: 'x'.repeat(300_000) })
  peer.send(of('slow', subscribed()), ...[1, 2, 3, 4, 5, 6, 7].map(large), of('quick', subscribed()), of('quick', delta(1)))
  t.strictSame(await started, ['chat_subscribed'])
  t.strictSame(await some, ['chat_subscribed', 1])
  await peer.unsubscribed('slow')
  t.strictSame(await take(slow, 5), [1, 2, 3, 4, 5])
  const rest = take(slow, 3)
  t.strictSame(await peer.subscribed(), { slow: 5 })
  peer.send(of('slow', subscribed({ cursor: 5 })), large(6), of('slow', delta(7)))
  t.strictSame(await rest, ['chat_subscribed', 6, 7])
  client.close()
  t.equal(server.handshakes, 1)
})

test('the URL may be the caller\'s, asked for anew each time', async (t) => {
  const server = await SocketServer.open(t)
  let tickets = 0
  const urls: string[] = []
  class Noted extends WebSocket {
    constructor (url: string) {
      super(url)
      urls.push(url)
    }
  }
  const client = connect(server, { WebSocket: Noted, socketUrl: async () => `${server.url}/ws?ticket=${++tickets}` })
  const following = client.subscribe('s', () => {})
  const first = await server.next()
  first.cut()
  await server.next()
  following.close()
  await following.closed
  t.strictSame(urls, [1, 2].map((ticket) => `${server.url.replace('http', 'ws')}/ws?ticket=${ticket}`))
})

test('the second who follows a session at once has a stream, and long messages are posted', async (t) => {
  const [http, server] = [await StreamServer.open(t), await SocketServer.open(t)]
  const client = connect(http, { socketUrl: () => server.url })
  const first = take(client.follow('s'), 1)
  const peer = await server.next()
  await peer.subscribed()
  peer.send(subscribed())
  t.strictSame(await first, ['chat_subscribed'])
  const second = take(client.follow('s'), 2)
  const stream = await http.next()
  t.equal(stream.url, '/sessions/s/stream?lastEventId=0')
  stream.stream(subscribed(), delta(1))
  t.strictSame(await second, ['chat_subscribed', 1])
  const sent = client.send('s', 'x'.repeat(70_000))
  const posted = await http.next()
  t.equal(posted.url, '/sessions/s/messages')
  posted.answer(202, { runId: 'r' })
  t.match(await sent, { runId: 'r' })
  const nothing = client.send('s', undefined as unknown as string)
  const { requestId, ...told } = await peer.next()
  t.match(told, { type: 'chat.send', sessionId: 's' })
  peer.send({ kind: 'protocol_error', code: 'INVALID_MESSAGE', error: 'no content', requestId })
  await t.rejects(nothing, { code: 'INVALID_MESSAGE' }, 'what is no message is refused in so many words')
  client.close()
  await peer.closed
  await stream.closed
})

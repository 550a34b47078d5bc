/* What a WebSocket follows: replaced, given up, limited, and never heard of again once it is over. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import type { SubscribedFrame } from '../../lib/protocol/words.ts'
import { serveApp } from '../helpers/build-app.ts'
import { latch } from '../helpers/latch.ts'
import { random } from '../helpers/random.ts'
import { type Received, SocketClient } from '../helpers/read-socket.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider, type ScriptedRun } from '../helpers/scripted-provider.ts'

/** Above this much unsent a socket is full. */
const HIGH_WATER_BYTES = 256 * 1024

const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)

async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, ...options })
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => { sockets.push(socket) })
  const start = async (sessionId: string): Promise<ScriptedRun> => {
    await postJson(`${url}/sessions/${sessionId}/messages`, { content: 'go' })
    return agent.next()
  }
  /** Starts a run and has it say so many megabytes. */
  const flood = async (sessionId: string, megabytes = 12): Promise<ScriptedRun> => {
    const run = await start(sessionId)
    for (let i = 0; i < megabytes * 10; i++) await run.emit({ kind: 'text', content: 'x'.repeat(100_000) })
    return run
  }
  /** Resolves once the server can write no more to a client that takes nothing. */
  const stuck = async (client: SocketClient): Promise<void> => {
    const socket = sockets.find(({ remotePort }) => remotePort === client.localPort)!
    while (socket.writableLength < HIGH_WATER_BYTES) await nextTurn()
  }
  return { url, agent, sockets, start, flood, stuck }
}

/** The subscriptions of one session: where each began, and the seqs that came of it. */
function subscriptionsOf ({ frames }: Received): Array<{ cursor: number, seqs: number[] }> {
  const subscriptions: Array<{ cursor: number, seqs: number[] }> = []
  for (const frame of frames) {
    if (frame.kind === 'chat_subscribed') subscriptions.push({ cursor: (frame as SubscribedFrame).cursor, seqs: [] })
    else if (frame.kind === 'chat_unsubscribed') subscriptions.push({ cursor: -1, seqs: [] })
    else if ('seq' in frame) subscriptions.at(-1)!.seqs.push(frame.seq)
  }
  return subscriptions
}

test('unsubscribed in the middle of its catching up, a session is not heard of again, whatever was on its way', async (t) => {
  const { url, flood, stuck } = await serve(t)
  const run = await flood('s')
  const client = await SocketClient.open(url)
  client.stall()
  client.subscribe({ s: 0, other: 0 })
  await stuck(client)
  client.send({ type: 'chat.unsubscribe', sessions: [{ sessionId: 's' }] })
  await run.emit({ kind: 'text', content: 'live' })
  client.resume()
  await client.frame('chat_unsubscribed', 's')
  await run.emit({ kind: 'text', content: 'live' })
  await client.frame('chat_subscribed', 'other')
  await client.served()
  const { kinds, seqs } = client.session('s')
  t.strictSame(seqs, upTo(seqs.length))
  t.ok(seqs.length < 121, 'most of it was still to come')
  t.strictSame(kinds, ['chat_subscribed', ...seqs.map(() => 'text'), 'chat_unsubscribed'])
  client.cut()
})

test('subscribed anew in the middle of its catching up, a session starts where it was asked to, and nothing of before follows', async (t) => {
  const { url, flood, stuck } = await serve(t)
  const run = await flood('s')
  const client = await SocketClient.open(url)
  client.stall()
  client.subscribe({ s: 0 })
  await stuck(client)
  // The second never has its turn: the third has taken its place by then.
  client.subscribe({ s: 60 }).subscribe({ s: 7 })
  await run.emit({ kind: 'text', content: 'live' })
  client.resume()
  await run.emit({ kind: 'text', content: 'live' })
  run.end()
  await client.frame('complete')
  const [first, second, ...more] = subscriptionsOf(client.session('s'))
  t.strictSame([first!.cursor, first!.seqs], [0, upTo(first!.seqs.length)])
  t.ok(first!.seqs.length < 121, 'most of it was still to come')
  t.strictSame(second, { cursor: 7, seqs: upTo(124, 8) })
  t.strictSame(more, [])
  client.cut()
})

test('subscribed anew while it is live, a session is replayed from the new cursor, and then comes once', async (t) => {
  const { url, start } = await serve(t)
  const run = await start('s')
  await run.emit({ kind: 'text', content: 'one' }, { kind: 'text', content: 'two' })
  const client = await SocketClient.follow(url, { s: 3 })
  await run.emit({ kind: 'text', content: 'three' })
  await client.until(({ seqs }) => seqs.at(-1) === 4)
  client.subscribe({ s: 1 })
  await client.frame('chat_subscribed', 's', 2)
  await run.emit({ kind: 'text', content: 'four' })
  run.end()
  await client.frame('complete')
  t.strictSame(subscriptionsOf(client.session('s')), [{ cursor: 3, seqs: [4] }, { cursor: 1, seqs: [2, 3, 4, 5, 6] }])
  client.cut()
})

test('however often sessions are subscribed anew and given up in the middle of runs, each subscription is without hole or overlap', async (t) => {
  const { url, start } = await serve(t)
  const ids = ['a', 'b', 'c']
  const { below, chance, pick } = random(11)
  const runs = await Promise.all(ids.map((id) => start(id)))
  const client = await SocketClient.open(url)
  for (let round = 0; round < 250; round++) {
    const sessionId = pick(ids)
    if (chance(0.7)) client.subscribe({ [sessionId]: below(2 + round) })
    else client.send({ type: 'chat.unsubscribe', sessions: [{ sessionId }] })
    for (const run of runs) {
      if (chance(0.7)) void run.emit({ kind: 'text', content: 'x'.repeat(below(40_000)) })
    }
    if (chance(0.1)) client.stall()
    if (chance(0.2)) client.resume()
    if (chance(0.3)) await nextTurn()
  }
  client.resume()
  client.subscribe({ a: 0, b: 0, c: 0 })
  for (const run of runs) {
    await run.emit({ kind: 'text', content: 'last' })
    run.end()
  }
  for (const id of ids) {
    await client.frame('complete', id)
    const subscriptions = subscriptionsOf(client.session(id))
    for (const { cursor, seqs } of subscriptions) t.strictSame(seqs, cursor === -1 ? [] : upTo(cursor + seqs.length, cursor + 1))
    t.ok(subscriptions.length > 10)
    const log = await (await fetch(`${url}/sessions/${id}`)).json() as { lastSeq: number }
    t.strictSame(subscriptions.at(-1), { cursor: 0, seqs: upTo(log.lastSeq) })
  }
  client.cut()
})

test('several sockets follow one session, each from where it is; one that leaves or stalls changes nothing for the others', async (t) => {
  const { url, start } = await serve(t)
  const run = await start('s')
  await run.emit({ kind: 'text', content: 'one' })
  const clients = await Promise.all(upTo(5, 0).map((i) => SocketClient.follow(url, { s: i % 3 })))
  await Promise.all(clients.map((client) => client.frame('chat_subscribed')))
  const [left, cut, stalled, ...others] = clients as [SocketClient, SocketClient, SocketClient, ...SocketClient[]]
  left.send({ type: 'chat.unsubscribe', sessions: [{ sessionId: 's' }] })
  await left.frame('chat_unsubscribed')
  cut.cut()
  stalled.stall()
  await run.emit({ kind: 'text', content: 'two' })
  run.end()
  await Promise.all(others.map((client) => client.frame('complete')))
  t.strictSame(others.map(({ seqs }) => seqs), [upTo(4), upTo(4, 2), upTo(4, 3)])
  stalled.resume()
  await stalled.frame('complete')
  t.strictSame([left.seqs, stalled.seqs], [[1, 2], [3, 4]])
  for (const client of clients) client.cut()
})

test('a session more than one socket may follow is refused by name; the others are followed, and those that leave make room', async (t) => {
  const { url, agent, start } = await serve(t, { limits: { subscriptionsPerSocket: 2 } })
  const client = await SocketClient.follow(url, { a: 0, b: 0, c: 0 })
  const refusal = { kind: 'protocol_error', code: 'TOO_MANY_SUBSCRIBERS', error: 'The socket has as many streams as it may.', sessionId: 'c', retryAfter: 5 }
  t.strictSame(await client.frame('protocol_error'), refusal)
  client.subscribe({ b: 0 })
  await client.frame('chat_subscribed', 'b', 2)
  client.send({ type: 'chat.send', sessionId: 'c', content: 'go' })
  await agent.next()
  await client.frame('protocol_error', 'c', 2)
  t.strictSame(client.session('c').kinds, ['protocol_error', 'chat_accepted', 'protocol_error'], 'the message is taken all the same')
  client.send({ type: 'chat.unsubscribe', sessions: [{ sessionId: 'a' }] })
  client.subscribe({ c: 0 })
  await client.until(() => client.session('c').seqs.includes(1))
  const run = await start('b')
  run.end()
  await client.frame('complete', 'b')
  t.strictSame(client.session('b').kinds, ['chat_subscribed', 'chat_subscribed', 'text', 'complete'])
  client.cut()
})

test('a session that has as many followers as it may is refused by name, also over a socket; who leaves or is replaced makes room', async (t) => {
  const { url } = await serve(t, { limits: { subscribersPerSession: 1 } })
  const [one, two] = await Promise.all([SocketClient.open(url), SocketClient.open(url)])
  one.subscribe({ s: 0 })
  await one.frame('chat_subscribed')
  one.subscribe({ s: 0 })
  await one.frame('chat_subscribed', 's', 2)
  two.subscribe({ s: 0, t: 0 })
  t.strictSame(await two.frame('protocol_error'), {
    kind: 'protocol_error', code: 'TOO_MANY_SUBSCRIBERS', error: 'The session has as many streams as it may.', sessionId: 's', retryAfter: 5
  })
  await two.frame('chat_subscribed', 't')
  t.equal((await SseClient.open(`${url}/sessions/s/stream`)).response.statusCode, 429)
  one.send({ type: 'chat.unsubscribe', sessions: [{ sessionId: 's' }] })
  await one.frame('chat_unsubscribed')
  two.subscribe({ s: 0 })
  await two.frame('chat_subscribed', 's')
  two.cut()
  await two.closed
  for (const client of [one, two]) client.cut()
})

test('given up at any step of its opening, a subscription leaves nothing behind', async (t) => {
  const { url } = await serve(t, { limits: { subscribersPerSession: 1, messagesPerSecond: 10_000 } })
  const [one, two] = await Promise.all([SocketClient.open(url), SocketClient.open(url)])
  const giveUp = (sessionId: string) => ({ type: 'chat.unsubscribe' as const, sessions: [{ sessionId }] })
  // What is done between the two takes more or fewer steps.
  for (let aborts = 0; aborts < 6; aborts++) {
    for (let steps = 0; steps < 25; steps++) {
      const sessionId = `s-${aborts}-${steps}`
      one.sendTogether(
        { type: 'chat.subscribe', sessions: [{ sessionId }] },
        ...Array.from({ length: aborts }, () => ({ type: 'chat.abort' as const, sessionId: 'none' })),
        ...Array.from({ length: steps }, () => giveUp('none')),
        giveUp(sessionId)
      )
      await one.frame('chat_unsubscribed', sessionId)
      await one.served()
      two.subscribe({ [sessionId]: 0 })
      await two.until(() => two.session(sessionId).kinds.length > 0)
      t.strictSame(two.session(sessionId).kinds, ['chat_subscribed'], `${aborts} aborts and ${steps} steps later nobody else follows it`)
    }
  }
  for (const client of [one, two]) client.cut()
})

test('a message that is taken when its socket is gone leaves no subscription behind', async (t) => {
  const [asked, answer] = [latch(), latch()]
  const { url, agent, sockets } = await serve(t, {
    limits: { subscribersPerSession: 1 },
    authorize: async (_request, { action }) => {
      if (action === 'send') {
        asked.open()
        await answer.promise
      }
      return true
    }
  })
  const sender = await SocketClient.open(url)
  sender.send({ type: 'chat.send', sessionId: 's', content: 'go' })
  await asked.promise
  sender.cut()
  await sender.closed
  if (!sockets[0]!.closed) await once(sockets[0]!, 'close')
  await nextTurn()
  answer.open()
  await agent.next()
  const other = await SocketClient.follow(url, { s: 0 })
  await other.until(({ kinds }) => kinds.length > 0)
  t.strictSame(other.kinds[0], 'chat_subscribed')
  other.cut()
})

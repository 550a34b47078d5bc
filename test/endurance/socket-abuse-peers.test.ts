/* Peers that send and read nothing, that are silent, and that come and go in crowds. */
import type { Socket } from 'node:net'
import { test } from 'tap'
import { random } from '../helpers/random.ts'
import { clientFrame, OPCODE, type RawSocket } from '../helpers/raw-socket.ts'
import { eventually, serveSockets, type SocketServer } from '../helpers/serve-sockets.ts'

const CHURN = Number(process.env['CHURN'] ?? 3_000)

const UNSUBSCRIBE = { type: 'chat.unsubscribe', sessions: [{ sessionId: 'x' }] }

/** What one answer and what was on its way before may come to, in bytes. */
const BOUND = 1_000_000

/** A peer that never reads, and our side of its connection. */
async function deafPeer ({ app, peer }: SocketServer): Promise<{ deaf: RawSocket, ours: Socket }> {
  const sockets: Socket[] = []
  const note = (socket: Socket): void => { sockets.push(socket) }
  app.server.on('connection', note)
  const deaf = await peer()
  app.server.off('connection', note)
  deaf.stall()
  return { deaf, ours: sockets[0]! }
}

/** The most that waited to be written there, until it was closed. */
async function peakOf (socket: Socket): Promise<number> {
  let peak = 0
  await eventually(() => {
    peak = Math.max(peak, socket.writableLength)
    return socket.closed
  })
  return peak
}

const MANY = Array.from({ length: 1_000 }, (_, index) => ({ sessionId: `session-${index}` }))
const FLOODS: Record<string, Buffer> = {
  'unsubscribes from a thousand sessions': clientFrame(JSON.stringify({ type: 'chat.unsubscribe', sessions: MANY })),
  'subscribes to more sessions than it may': clientFrame(JSON.stringify({ type: 'chat.subscribe', sessions: MANY })),
  'is refused': clientFrame(JSON.stringify({ type: 'chat.abort', sessionId: 'none', requestId: 'r'.repeat(200) }))
}

for (const [what, message] of Object.entries(FLOODS)) {
  test(`a peer that ${what}, again and again, and reads no answer fills no memory, and is cut`, async (t) => {
    const server = await serveSockets(t, { stallTimeoutMs: 300, limits: { messagesPerSecond: 1_000_000, subscriptionsPerSocket: 1 } })
    const other = await server.peer()
    const { deaf, ours } = await deafPeer(server)
    const peak = peakOf(ours)
    const flood = Buffer.alloc(30_000_000, message)
    deaf.send(flood.subarray(0, flood.length - flood.length % message.length))
    t.ok(await peak < BOUND, `${await peak} bytes waited`)
    await other.ask(UNSUBSCRIBE, 'chat_unsubscribed')
    t.strictSame(server.log, [])
  })
}

test('a peer that reads again is answered everything, in order', async (t) => {
  const server = await serveSockets(t, { limits: { messagesPerSecond: 1_000_000 } })
  const { deaf, ours } = await deafPeer(server)
  for (let index = 0; index < 300; index++) deaf.json({ type: 'chat.unsubscribe', sessions: [...MANY.slice(1), { sessionId: `last-of-${index}` }] })
  // Our side is full, and takes no more of them.
  await eventually(() => ours.writableLength > 0)
  deaf.socket.resume()
  await deaf.until(({ told }) => told.at(-1)?.['sessionId'] === 'last-of-299')
  t.equal(deaf.told.length, 300_000)
  t.strictSame(deaf.told.filter(({ sessionId }) => String(sessionId).startsWith('last')).map(({ sessionId }) => sessionId), Array.from({ length: 300 }, (_, index) => `last-of-${index}`))
})

test('a peer that pings and pings and reads no answer fills no memory, and is cut', async (t) => {
  const server = await serveSockets(t, { limits: { messagesPerSecond: 1_000_000 } })
  const other = await server.peer()
  const { deaf, ours } = await deafPeer(server)
  const peak = peakOf(ours)
  const ping = clientFrame('x'.repeat(125), { opcode: OPCODE.PING })
  deaf.send(Buffer.alloc(200_000 * ping.length, ping))
  t.ok(await peak < BOUND, `${await peak} bytes waited`)
  await other.ask(UNSUBSCRIBE, 'chat_unsubscribed')
  t.strictSame(server.log, [])
})

test('pings are messages too: more than may be are the end', async (t) => {
  const { peer, log } = await serveSockets(t, { limits: { messagesPerSecond: 1 } })
  const [abuser, other] = [await peer(), await peer()]
  for (let sent = 1; sent < 1_000 && abuser.closeCode === null; sent++) {
    abuser.send(clientFrame('', { opcode: OPCODE.PING }))
    await abuser.until(({ pongs, closeCode }) => pongs === sent || closeCode !== null)
  }
  t.equal(await abuser.gone(), 1008)
  t.strictSame(abuser.codes, ['TOO_MANY_MESSAGES'])
  await other.ask(UNSUBSCRIBE, 'chat_unsubscribed')
  t.strictSame(log, [])
})

test('a peer that answers no ping is cut, one that answers stays, however little it says', async (t) => {
  const { peer, log, connections } = await serveSockets(t, { heartbeatMs: 100, stallTimeoutMs: 200 })
  const [quiet, dead, liar] = [await peer(), await peer(), await peer()]
  for (const each of [dead, liar]) each.answersPings = false
  // Answers that were not asked for are none.
  const lies = setInterval(() => { if (!liar.closed) liar.send(clientFrame('0.abc', { opcode: OPCODE.PONG })) }, 20)
  t.teardown(() => clearInterval(lies))
  t.equal(await dead.gone(), null, 'without a goodbye: nobody would hear it')
  await liar.gone()
  await quiet.until(({ pings }) => pings > 10)
  await quiet.ask(UNSUBSCRIBE, 'chat_unsubscribed')
  t.equal(await connections(), 1)
  t.strictSame(log, [])
})

test('a peer that talks all the time is asked for a sign of life all the same', async (t) => {
  const { peer } = await serveSockets(t, { heartbeatMs: 100, stallTimeoutMs: 200 })
  const talker = await peer()
  talker.answersPings = false
  const talk = setInterval(() => { if (!talker.closed) talker.json(UNSUBSCRIBE) }, 20)
  t.teardown(() => clearInterval(talk))
  await talker.gone()
  t.ok(talker.pings > 0)
})

test(`${CHURN} peers that come and go at any moment leave nothing behind`, async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length
  const server = await serveSockets(t, { limits: { subscribers: 64, subscribersPerSession: 64, sockets: 64 } })
  const { app, peer, log, connections } = server
  await app.agentRuns.createSession({ id: 's' })
  const before = timers()
  const { below, pick } = random(1)
  const subscribe = (sessionId: string): Buffer => clientFrame(JSON.stringify({ type: 'chat.subscribe', sessions: [{ sessionId }] }))
  let left = CHURN
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) {
      const client = await peer({ behind: pick([Buffer.alloc(0), subscribe('s'), subscribe('none'), clientFrame('x'), clientFrame(JSON.stringify(UNSUBSCRIBE))]) })
      const leave = pick([() => client.cut(), () => client.socket.resetAndDestroy(), () => client.socket.end(), () => client.send(clientFrame('', { opcode: OPCODE.CLOSE })), () => client.send(clientFrame('', { rsv: 1 }))])
      for (let turns = below(20); turns > 0; turns--) await new Promise(setImmediate)
      leave()
      await client.gone()
    }
  }))
  await eventually(async () => await connections() === 0)
  await eventually(() => timers() <= before)
  const last = await Promise.all(Array.from({ length: 64 }, () => peer({ behind: subscribe('s') })))
  await Promise.all(last.map((client) => client.until(({ told }) => told.length > 0)))
  t.strictSame([...new Set(last.flatMap(({ codes }) => codes))], ['chat_subscribed'], 'every place is free again')
  t.equal((await peer()).status, 429, 'and not one more')
  t.strictSame(log, [])
})

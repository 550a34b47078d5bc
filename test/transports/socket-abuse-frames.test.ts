/* Bytes that are no frames, frames that say too much or never end, and connections that go at any moment. */
import { test } from 'tap'
import { latch } from '../helpers/latch.ts'
import { clientFrame, handshake, OPCODE, RawSocket } from '../helpers/raw-socket.ts'
import { eventually, serveSockets } from '../helpers/serve-sockets.ts'

const UNSUBSCRIBE = { type: 'chat.unsubscribe', sessions: [{ sessionId: 'x' }] }
const MESSAGE = JSON.stringify(UNSUBSCRIBE)

/** Other clients are served as before. */
async function assertServed (peer: RawSocket): Promise<void> {
  await peer.ask(UNSUBSCRIBE, 'chat_unsubscribed')
}

const closing = (code: number, reason: string | Buffer = ''): Buffer => {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)])
  payload.writeUInt16BE(code)
  return clientFrame(payload, { opcode: OPCODE.CLOSE })
}

const BROKEN: Array<[name: string, bytes: Buffer, code: number]> = [
  ['no mask', clientFrame(MESSAGE, { masked: false }), 1002],
  ...[1, 2, 4, 7].map((rsv): typeof BROKEN[number] => [`the reserved bits ${rsv}`, clientFrame(MESSAGE, { rsv }), 1002]),
  ...[3, 4, 5, 6, 7, 11, 15].map((opcode): typeof BROKEN[number] => [`the opcode ${opcode}`, clientFrame(MESSAGE, { opcode }), 1002]),
  ['the middle of no message', clientFrame(MESSAGE, { opcode: OPCODE.CONTINUATION }), 1002],
  ['a message within another', Buffer.concat([clientFrame('{', { fin: false }), clientFrame(MESSAGE)]), 1002],
  ['a ping in parts', clientFrame('x', { opcode: OPCODE.PING, fin: false }), 1002],
  ['a ping that is too long', clientFrame('x'.repeat(126), { opcode: OPCODE.PING }), 1002],
  ['a goodbye of one byte', clientFrame('x', { opcode: OPCODE.CLOSE }), 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535].map((code): typeof BROKEN[number] => [`the close code ${code}`, closing(code), 1002]),
  ['a goodbye that is no UTF-8', closing(1000, Buffer.from([0xff])), 1007],
  ['a message that is no UTF-8', clientFrame(Buffer.from([0x22, 0xc0, 0xaf, 0x22])), 1007],
  ['half of a character at the end', clientFrame(Buffer.from('"\u20ac').subarray(0, 3)), 1007],
  ['a surrogate', clientFrame(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), 1007],
  ['a message of more than may be', clientFrame(' '.repeat(262_145)), 1009],
  ['parts that are more than may be', Buffer.concat([clientFrame(' '.repeat(200_000), { fin: false }), clientFrame(' '.repeat(62_145), { opcode: OPCODE.CONTINUATION })]), 1009],
  // Of which nothing more comes.
  ['the word that 90 MB follow', clientFrame('', { declared: 90_000_000 }), 1009],
  ['the word that an exabyte follows', clientFrame('', { declared: 2 ** 60 }), 1009],
  ['binary that is too much', clientFrame('', { opcode: OPCODE.BINARY, declared: 262_145 }), 1009],
  ['HTTP', Buffer.from('GET /sessions HTTP/1.1\r\nhost: localhost\r\n\r\n'), 1002],
  ['TLS', Buffer.from('160301020001000001fc0303', 'hex'), 1002]
]

test('bytes that break the protocol end the socket with the code for it, and nobody else\'s', async (t) => {
  const { peer, log, connections } = await serveSockets(t)
  const other = await peer()
  for (const [name, bytes, code] of BROKEN) {
    const abuser = await peer()
    abuser.send(bytes)
    t.equal(await abuser.gone(), code, name)
    t.strictSame(abuser.told, [], name)
  }
  await assertServed(other)
  await eventually(async () => await connections() === 1)
  t.strictSame(log, [])
})

// The library would wait for half a minute.
test('who breaks the protocol and then does not let go is let go', { timeout: 20_000 }, async (t) => {
  const { app, peer, log, connections } = await serveSockets(t)
  const abusers = [await peer(), await peer()]
  abusers[0]!.stall()
  for (const abuser of abusers) {
    // It reads no goodbye, or answers none.
    abuser.answersPings = false
    abuser.socket.end = () => abuser.socket
    abuser.send(clientFrame('', { rsv: 7 }))
  }
  await eventually(async () => await connections() === 0)
  t.strictSame(log, [])
  t.equal((await app.inject('/runs')).statusCode, 200)
})

test('a message may come in many parts, with pings between them, and as long as may be', async (t) => {
  const { peer, log } = await serveSockets(t)
  const client = await peer()
  const bytes = Buffer.from(JSON.stringify({ ...UNSUBSCRIBE, sessions: [{ sessionId: 'x' }] }).padEnd(262_144))
  const parts: Buffer[] = []
  // Parts of every size, some of them empty.
  for (let at = 0, size = 0; at < bytes.length; at += size, size = (size + 1) % 700) {
    parts.push(clientFrame(bytes.subarray(at, at + size), { fin: false, opcode: at === 0 && parts.length === 0 ? OPCODE.TEXT : OPCODE.CONTINUATION }))
    if (parts.length % 50 === 0) parts.push(clientFrame('still here', { opcode: OPCODE.PING }))
  }
  client.send(...parts, clientFrame('', { opcode: OPCODE.CONTINUATION }))
  await client.until(({ told }) => told.length > 0)
  t.strictSame(client.told, [{ kind: 'chat_unsubscribed', sessionId: 'x' }])
  // And each byte in a packet of its own.
  client.socket.setNoDelay()
  for (const byte of clientFrame(MESSAGE)) {
    client.send(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  await client.until(({ told }) => told.length > 1)
  t.strictSame(log, [])
})

test('a message in more parts than there may be is the end, however small they are', async (t) => {
  const { peer, log } = await serveSockets(t)
  const [abuser, other] = [await peer(), await peer()]
  const empty = clientFrame('', { fin: false, opcode: OPCODE.CONTINUATION })
  abuser.send(clientFrame('', { fin: false }), Buffer.alloc(1_000_000 * empty.length, empty))
  t.equal(await abuser.gone(), 1008)
  await assertServed(other)
  t.strictSame(log, [])
})

test('who never ends a message, and answers no ping, is cut', async (t) => {
  const { peer, log, connections } = await serveSockets(t, { heartbeatMs: 100, stallTimeoutMs: 200 })
  const [abuser, other] = [await peer(), await peer()]
  abuser.send(clientFrame('{', { fin: false }))
  // A frame that is half said: no answer to a ping fits behind it.
  const half = await peer()
  half.send(clientFrame(MESSAGE).subarray(0, 8))
  await Promise.all([abuser, half].map((each) => {
    each.answersPings = false
    return each.gone()
  }))
  await assertServed(other)
  await eventually(async () => await connections() === 1)
  t.strictSame(log, [])
})

test('what is sent right behind the handshake, in the same packet, is not lost while it is still asked who comes', async (t) => {
  const asked = latch()
  const known = latch()
  const { app, peer } = await serveSockets(t, { identify: async () => { asked.open(); await known.promise; return 'alice' } })
  await app.agentRuns.createSession({ id: 's', owner: 'alice' })
  const subscribe = clientFrame(JSON.stringify({ type: 'chat.subscribe', sessions: [{ sessionId: 's' }] }))
  const opening = peer({ behind: Buffer.concat([subscribe, clientFrame(MESSAGE).subarray(0, 9)]) })
  await asked.promise
  known.open()
  const client = await opening
  await client.until(({ kinds }) => kinds.includes('chat_subscribed'))
  client.send(clientFrame(MESSAGE).subarray(9))
  await client.until(({ kinds }) => kinds.includes('chat_unsubscribed'))
  t.equal(client.told.length, 2)
})

test('who leaves while it is still asked who comes leaves nothing behind', async (t) => {
  const known = latch()
  let asked = 0
  const { app, log, url, connections } = await serveSockets(t, { limits: { sockets: 1 }, identify: async () => { asked++; await known.promise; return 'alice' } })
  const peers = Array.from({ length: 6 }, () => new RawSocket(url, handshake({ behind: clientFrame(MESSAGE) })))
  await eventually(() => asked === 6)
  for (const [index, peer] of peers.entries()) {
    if (index % 3 === 0) peer.socket.resetAndDestroy()
    else if (index % 3 === 1) peer.cut()
    else peer.socket.end()
  }
  known.open()
  await eventually(async () => await connections() === 0)
  // There is room again.
  const next = await RawSocket.open(url)
  t.equal(next.status, 101)
  next.cut()
  t.equal((await app.inject('/runs')).statusCode, 200)
  t.strictSame(log, [])
})

test('a peer that goes by half a close, by a reset, in the middle of a message or while one is served is gone with all that it had', async (t) => {
  let [asked, served] = [latch(), latch()]
  let slow = false
  const { app, agent, peer, log, connections } = await serveSockets(t, {
    limits: { subscribersPerSession: 1, sockets: 1 },
    authorize: async (_, { action }) => {
      if (slow && action === 'send') {
        asked.open()
        await served.promise
      }
      return true
    }
  })
  await app.agentRuns.createSession({ id: 's' })
  const leave: Record<string, (client: RawSocket) => unknown> = {
    'half a close': (client) => client.socket.end(),
    'a reset': (client) => client.socket.resetAndDestroy(),
    'a close': (client) => client.cut(),
    'half a close in the middle of a message': (client) => client.socket.end(clientFrame(MESSAGE).subarray(0, 10)),
    'a reset in the middle of a message': (client) => client.socket.write(clientFrame(MESSAGE).subarray(0, 10), () => client.socket.resetAndDestroy()),
    'a goodbye': (client) => client.send(closing(1000, 'bye')),
    'a goodbye of its own': (client) => client.send(closing(4999))
  }
  for (const [way, go] of Object.entries(leave)) {
    const client = await peer()
    t.equal(client.status, 101, `${way}: there was room`)
    client.json({ type: 'chat.subscribe', sessions: [{ sessionId: 's' }] })
    await client.until(({ codes }) => codes.length > 0)
    t.strictSame(client.codes, ['chat_subscribed'], way)
    go(client)
    await eventually(async () => await connections() === 0)
  }
  // What it had asked for is done; that it is followed then would be for nobody.
  slow = true
  for (const go of [leave['a reset']!, leave['half a close']!]) {
    [asked, served] = [latch(), latch()]
    const client = await peer()
    client.json({ type: 'chat.send', sessionId: 's', content: 'x' })
    await asked.promise
    go(client)
    // Its place is free: it is known to be gone.
    let next = await peer()
    while (next.status !== 101) next = await peer()
    served.open()
    ;(await agent.next()).end()
    await eventually(async () => !await app.agentRuns.isProcessing('s'))
    next.json({ type: 'chat.subscribe', sessions: [{ sessionId: 's' }] })
    await next.until(({ codes }) => codes.length > 0)
    t.equal(next.codes[0], 'chat_subscribed')
    next.cut()
    await eventually(async () => await connections() === 0)
  }
  t.strictSame(log, [])
})

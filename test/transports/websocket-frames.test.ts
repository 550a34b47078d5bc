/* Frames of our own making, read by the library from a real socket, between its own. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { test, type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { textFrames } from '../../transports/websocket/frames.ts'

/** A client of the library that keeps its messages, and the server's end of its connection. */
async function connected (t: Test) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const messages: string[] = []
  client.on('message', (data, isBinary) => messages.push(isBinary ? 'binary' : (data as Buffer).toString()))
  const [[peer]] = await Promise.all([once(server, 'connection') as Promise<[WebSocket]>, once(client, 'open')])
  const socket = (peer as unknown as { _socket: Socket })._socket
  /** Says goodbye behind everything; answers what came, and with which code it ended. */
  const received = async (): Promise<{ messages: string[], code: number }> => {
    peer.close(1000)
    const [code] = await once(client, 'close') as [number]
    return { messages, code }
  }
  return { peer, socket, client, received }
}

const LENGTHS = [0, 1, 125, 126, 127, 255, 256, 65_534, 65_535, 65_536, 65_537, 1_000_000]
/** One, two, three and four bytes of UTF-8. */
const CHARACTERS = ['x', 'ü', '—', '💥']

/** Texts of so many bytes, as nearly as the character allows. */
const TEXTS = LENGTHS.flatMap((bytes) => CHARACTERS.map((character) => character.repeat(bytes / Buffer.byteLength(character))))

test('texts of every length and width arrive as one message each, from one buffer and from many', async (t) => {
  const { socket, received } = await connected(t)
  socket.write(textFrames(TEXTS))
  for (const text of TEXTS) socket.write(textFrames([text]))
  const { messages, code } = await received()
  t.equal(code, 1000)
  t.equal(messages.length, 2 * TEXTS.length)
  for (const [index, text] of [...TEXTS, ...TEXTS].entries()) t.ok(messages[index] === text, `${Buffer.byteLength(text)} bytes of ${JSON.stringify(text.slice(0, 2))}`)
})

test('where a frame is torn apart by the network makes no difference', async (t) => {
  const { socket, received } = await connected(t)
  const texts = ['{"kind":"text"}', 'ü'.repeat(63), '💥'.repeat(100)]
  const bytes = textFrames(texts)
  socket.setNoDelay(true)
  for (let at = 0; at < bytes.length; at++) await new Promise((resolve) => { socket.write(bytes.subarray(at, at + 1), resolve) })
  t.strictSame((await received()).messages, texts)
})

test('between our frames the library sends its own', async (t) => {
  const { peer, socket, client, received } = await connected(t)
  const control: string[] = []
  client.on('ping', (data) => control.push(`ping ${data.toString()}`))
  socket.write(textFrames(['one', 'ü'.repeat(40_000)]))
  peer.ping('a')
  peer.send('two')
  socket.write(textFrames(['three']))
  peer.ping('b')
  const { messages, code } = await received()
  t.strictSame([messages, control, code], [['one', 'ü'.repeat(40_000), 'two', 'three'], ['ping a', 'ping b'], 1000])
})

test('frames have the bytes of RFC 6455; no texts are no bytes', (t) => {
  t.strictSame(textFrames(['hi', 'ü']), Buffer.from([0x81, 2, 0x68, 0x69, 0x81, 2, 0xC3, 0xBC]))
  t.equal(textFrames([]).length, 0)
  t.end()
})

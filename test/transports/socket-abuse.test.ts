/* Messages that are none, and how much of them there may be. */
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { clientFrame, OPCODE, type RawSocket } from '../helpers/raw-socket.ts'
import { serveSockets } from '../helpers/serve-sockets.ts'

/** Other clients are served as before. */
async function assertServed (peer: RawSocket): Promise<void> {
  await peer.ask({ type: 'chat.unsubscribe', sessions: [{ sessionId: 'x' }] }, 'chat_unsubscribed')
}

const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

const WRONG: Array<[name: string, bytes: string | Buffer, error: string | RegExp, reference?: Record<string, string>, code?: string]> = [
  ['nothing', '', 'A message must be JSON.'],
  ['half of an object', '{"type":"chat.send","sessionId":"s"', 'A message must be JSON.'],
  ['a word', 'hello', 'A message must be JSON.'],
  ['NaN', 'NaN', 'A message must be JSON.'],
  ['two objects', '{}{}', 'A message must be JSON.'],
  ['a prototype', '{"type":"chat.send","__proto__":{"sessionId":"s"},"sessionId":"s","content":"x"}', 'A message must be JSON.'],
  ['a constructor', '{"type":"chat.abort","sessionId":"s","constructor":{"prototype":{}}}', 'A message must be JSON.'],
  ['a prototype deep within', '{"type":"chat.send","sessionId":"s","content":"x","options":{"a":[{"__proto__":1}]}}', 'A message must be JSON.'],
  ...['null', '5', '"text"', 'true', '[]', '[{"type":"chat.abort","sessionId":"s"}]', deep(60_000)].map((json): typeof WRONG[number] => [json.slice(0, 50), json, 'A message must be a JSON object.']),
  ['no type', '{"sessionId":"s","requestId":"r"}', 'A message must have a "type".', { sessionId: 's', requestId: 'r' }],
  ['a type that is no text', '{"type":["chat.send"],"sessionId":"s"}', 'A message must have a "type".', { sessionId: 's' }],
  ['a type that there is not', '{"type":"chat.sned","sessionId":"s","requestId":"r"}', /^There is no message of type "chat.sned", only "chat.subscribe", .*"chat.permission-response".$/, { sessionId: 's', requestId: 'r' }, 'UNKNOWN_MESSAGE_TYPE'],
  ...['toString', '__proto__', 'constructor', '', 'CHAT.SEND', 'chat_send'].map((type): typeof WRONG[number] => [`the type ${type}`, JSON.stringify({ type }), /^There is no message of type/, {}, 'UNKNOWN_MESSAGE_TYPE']),
  ['a long type', JSON.stringify({ type: 'x'.repeat(10_000) }), /^There is no message of type "x{200}", only/, {}, 'UNKNOWN_MESSAGE_TYPE'],
  ['an unknown property', '{"type":"chat.abort","sessionId":"s","requestId":"r","force":true}', 'message has no property "force"', { sessionId: 's', requestId: 'r' }],
  ['the owner', '{"type":"chat.send","sessionId":"s","content":"x","owner":"bob"}', 'message has no property "owner"', { sessionId: 's' }],
  ['a context', '{"type":"chat.send","sessionId":"s","content":"x","context":{}}', 'message has no property "context"', { sessionId: 's' }],
  ['no session', '{"type":"chat.abort"}', /^message must have required/],
  ['a session that is a number', '{"type":"chat.abort","sessionId":5,"requestId":"r"}', 'message/sessionId must be string', { requestId: 'r' }],
  ['a session that cannot be', '{"type":"chat.abort","sessionId":"../x"}', /^message\/sessionId must match/, { sessionId: '../x' }],
  ['a session that is too long', JSON.stringify({ type: 'chat.abort', sessionId: 's'.repeat(500) }), /^message\/sessionId must match/],
  ['a name that is too long', JSON.stringify({ type: 'chat.abort', sessionId: 's', requestId: 'r'.repeat(201) }), /^message\/requestId must not have more than 200/, { sessionId: 's' }],
  ['a name that is empty', '{"type":"chat.abort","sessionId":"s","requestId":""}', /^message\/requestId must not have fewer than 1/, { sessionId: 's', requestId: '' }],
  ['content that is empty', '{"type":"chat.send","sessionId":"s","content":""}', /^message\/content/, { sessionId: 's' }],
  ['content that is deep', `{"type":"chat.send","sessionId":"s","content":${deep(60_000)}}`, /^message\/content/, { sessionId: 's' }],
  ['a key that is none', '{"type":"chat.send","sessionId":"s","content":"x","idempotencyKey":"ü"}', /^message\/idempotencyKey must match/, { sessionId: 's' }],
  ['no sessions', '{"type":"chat.subscribe","sessions":[]}', /^message\/sessions must not have fewer than 1/],
  ['too many sessions', JSON.stringify({ type: 'chat.subscribe', sessions: Array(1_001).fill({ sessionId: 's' }) }), /^message\/sessions must not have more than 1000/],
  ...[-1, 1.5, '5', null, 'LATEST', 2 ** 53, true].map((lastSeq): typeof WRONG[number] => [`the cursor ${JSON.stringify(lastSeq)}`, JSON.stringify({ type: 'chat.subscribe', sessions: [{ sessionId: 's', lastSeq }] }), /^message\/sessions\/0\/lastSeq/]),
  ['a cursor that is too large', '{"type":"chat.subscribe","sessions":[{"sessionId":"s","lastSeq":1e999}]}', /^message\/sessions\/0\/lastSeq/],
  ['a cursor where there is none', '{"type":"chat.unsubscribe","sessions":[{"sessionId":"s","lastSeq":0}]}', 'message/sessions/0 has no property "lastSeq"'],
  ['an approval that says nothing', '{"type":"chat.permission-response","sessionId":"s","requestId":"r"}', /^message must have required/, { sessionId: 's', requestId: 'r' }],
  ['an approval that says "yes"', '{"type":"chat.permission-response","sessionId":"s","requestId":"r","allow":"yes"}', 'message/allow must be boolean', { sessionId: 's', requestId: 'r' }]
]

test('what is no message is refused by a code and in words, names what it was about, and does nothing', async (t) => {
  const { app, peer, log } = await serveSockets(t)
  const other = await peer()
  let abuser = await peer()
  for (const [index, [name, bytes, error, reference = {}, code = 'INVALID_MESSAGE']] of WRONG.entries()) {
    // Twenty from one would be too many.
    if (index % 15 === 14) abuser = await peer()
    const before = abuser.told.length
    abuser.send(clientFrame(bytes))
    await abuser.until(({ told }) => told.length > before)
    const { error: said, ...rest } = abuser.told[before]!
    t.match(said, error, name)
    t.strictSame(rest, { kind: 'protocol_error', code, ...reference }, name)
  }
  t.equal(await app.agentRuns.getSession('s'), null)
  await assertServed(other)
  await assertServed(abuser)
  t.strictSame(log, [])
})

test('a binary message is none', async (t) => {
  const { peer } = await serveSockets(t)
  const abuser = await peer()
  abuser.send(clientFrame('{"type":"chat.unsubscribe","sessions":[{"sessionId":"x"}]}', { opcode: OPCODE.BINARY }))
  await abuser.until(({ told }) => told.length > 0)
  t.strictSame(abuser.told, [{ kind: 'protocol_error', code: 'INVALID_MESSAGE', error: 'A message must be text.' }])
})

test('what is deep is served or refused, and is no failure of ours', async (t) => {
  const { peer, log } = await serveSockets(t, { limits: { messagesPerSecond: 1_000_000 } })
  const abuser = await peer()
  for (let depth = 1; depth < 60_000; depth = Math.ceil(depth * 1.5)) {
    abuser.send(clientFrame(`{"type":"chat.send","sessionId":"s","content":"x","options":{"a":${deep(depth)}}}`))
    abuser.send(clientFrame(`{"type":"chat.permission-response","sessionId":"s","requestId":"r","allow":true,"updatedInput":${deep(depth)}}`))
  }
  await abuser.ask({ type: 'chat.unsubscribe', sessions: [{ sessionId: 'x' }] }, 'chat_unsubscribed')
  t.strictSame([...new Set(abuser.codes)].sort(), ['INVALID_OPTIONS', 'SESSION_NOT_FOUND', 'chat_unsubscribed'])
  t.strictSame(log, [])
})

for (const [what, bytes] of [['no JSON', 'x'], ['of a type that there is not', '{"type":"x"}'], ['no object', '[]']] as const) {
  test(`some twenty messages that are ${what} are the end of the socket, and of that one only`, async (t) => {
    const { peer, log } = await serveSockets(t)
    const [abuser, other] = [await peer(), await peer()]
    abuser.send(...Array<Buffer>(100).fill(clientFrame(bytes)))
    t.equal(await abuser.gone(), 1008)
    const refused = abuser.codes.indexOf('TOO_MANY_MESSAGES')
    t.ok(refused >= 19 && refused <= 21, `after ${refused}`)
    t.equal(abuser.codes.length, refused + 1, 'and nothing is said after that')
    t.match(abuser.told[refused], { retryAfter: 5, error: 'The client sends more than it may.' })
    await assertServed(other)
    t.strictSame(log, [])
  })
}

test('a flood of messages that are right is the end too, and what was burst and what is left is paid from one purse', async (t) => {
  const { peer, log } = await serveSockets(t, { limits: { messagesPerSecond: 10 } })
  const [abuser, other] = [await peer(), await peer()]
  const message = clientFrame('{"type":"chat.unsubscribe","sessions":[{"sessionId":"x"}]}')
  abuser.send(...Array<Buffer>(1_000).fill(message))
  t.equal(await abuser.gone(), 1008)
  const served = abuser.codes.filter((code) => code === 'chat_unsubscribed').length
  // Twenty seconds' worth, and what comes in while they are served.
  t.ok(served <= 300, `${served} were served`)
  t.ok(abuser.codes.includes('TOO_MANY_MESSAGES'))
  await assertServed(other)
  t.strictSame(log, [])
})

test('a store that breaks in a way of its own is INTERNAL_ERROR: the log knows why, the client does not, and the socket lives', async (t) => {
  const inner = sqliteStore({ path: ':memory:' })
  t.teardown(() => inner.close())
  let broken = true
  const store = new Proxy(inner, {
    get: (_, property) => {
      const value: unknown = Reflect.get(inner, property)
      if (typeof value !== 'function') return value
      const method = (value as (...args: unknown[]) => unknown).bind(inner)
      return property === 'getSession' || property === 'getPermission' || property === 'read' ? (...args: unknown[]) => { if (broken) throw new TypeError('the secret of the store'); return method(...args) } : method
    }
  })
  const { agent, peer, log } = await serveSockets(t, { store })
  const client = await peer()
  for (const message of [
    { type: 'chat.send', sessionId: 's', content: 'x', requestId: 'r' }, { type: 'chat.abort', sessionId: 's', requestId: 'r' },
    { type: 'chat.permission-response', sessionId: 's', requestId: 'r', allow: true }
  ]) {
    t.strictSame(await client.ask(message), { kind: 'protocol_error', code: 'INTERNAL_ERROR', error: 'Something went wrong.', sessionId: 's', requestId: 'r' })
    client.told.length = 0
  }
  t.strictSame(await client.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 's' }] }), { kind: 'protocol_error', code: 'INTERNAL_ERROR', error: 'Something went wrong.', sessionId: 's' })
  t.strictSame(log.map(({ level }) => level), [50, 50, 50, 50])
  broken = false
  await client.ask({ type: 'chat.send', sessionId: 's', content: 'x' }, 'chat_accepted')
  ;(await agent.next()).end()
  await client.until(({ kinds }) => kinds.includes('complete'))
})

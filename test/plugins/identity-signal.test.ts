import { test } from 'tap'
import type { Identity } from '../../index.ts'
import { clientFrame } from '../helpers/raw-socket.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { eventually, serveSockets } from '../helpers/serve-sockets.ts'

const JSON_STREAM = { accept: 'text/event-stream', 'content-type': 'application/json' }

test('an identity whose signal is aborted gets a 401, and what is no signal is a 401 and a warning', async (t) => {
  const answers: Array<[unknown, number]> = [
    [undefined, 200], [null, 200], [new AbortController().signal, 200], [AbortSignal.abort(), 401], [{}, 401], [new AbortController(), 401], ['aborted', 401], [5, 401]
  ]
  let signal: unknown
  const { url, peer, log } = await serveSockets(t, { identify: () => ({ owner: 'alice', signal } as Identity) })
  for (const [answer, status] of answers) {
    signal = answer
    t.equal((await fetch(`${url}/sessions`)).status, status)
    t.equal((await peer()).status, status === 200 ? 101 : 401)
  }
  t.equal(log.length, 8, 'of each of the four that are no signal, on each of two routes')
  for (const { level, msg } of log) t.strictSame([level, msg], [40, 'identify failed: the request gets a 401'])
})

test('when the signal is aborted, streams end with stream_closing and sockets with 4401; the run and other identities go on', async (t) => {
  const controller = new AbortController()
  const { app, agent, url, peerOf, log } = await serveSockets(t, {
    heartbeatMs: 100,
    identify: ({ headers }) => ({ owner: 'alice', signal: headers['x-user'] === 'revoked' ? controller.signal : null })
  })
  const open = (user: string, path: string, body?: unknown) => SseClient.open(url + path, {
    headers: { 'x-user': user, ...(body !== undefined && JSON_STREAM) }, ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) })
  })
  const posting = open('revoked', '/sessions/s/messages', { content: 'go' })
  const run = await agent.next()
  const dialect = await open('revoked', '/ai-sdk/s/stream')
  const streams = [await posting, await open('revoked', '/sessions/s/stream'), await open('revoked', '/sessions/unborn/stream')]
  const others = await open('known', '/sessions/s/stream')
  const [socket, otherSocket] = await Promise.all(['revoked', 'known'].map((user) => peerOf(user, { behind: clientFrame('{"type":"chat.subscribe","sessions":[{"sessionId":"s"}]}') })))
  await Promise.all([streams[1]!.frame('text'), others.frame('text'), dialect.until(({ raw }) => raw.includes('"start"')), socket!.until(({ kinds }) => kinds.includes('text')), otherSocket!.until(({ kinds }) => kinds.includes('text'))])

  controller.abort()
  await Promise.all([...streams, dialect].map((stream) => stream.ended()))
  t.strictSame(streams.map(({ kinds }) => kinds), [['chat_subscribed', 'text', 'stream_closing'], ['chat_subscribed', 'text', 'stream_closing'], ['chat_subscribed', 'stream_closing']])
  t.notMatch(dialect.raw, '[DONE]', 'a dialect does not take that for the end of the run')
  t.equal(await socket!.gone(), 4401)
  t.strictSame(socket!.kinds, ['chat_subscribed', 'text', 'stream_closing'])

  t.equal(run.context.signal.aborted, false)
  await run.emit({ kind: 'text', content: 'still here' })
  await Promise.all([others.until(({ events }) => events.length === 2), otherSocket!.until(({ kinds }) => kinds.length === 3)])
  t.equal((await app.agentRuns.getSession('s'))?.isProcessing, true)
  others.cut()
  t.strictSame(log, [])
})

test('a message that comes after the signal was aborted is not served, however seldom one looks', async (t) => {
  const controller = new AbortController()
  const { app, peer } = await serveSockets(t, { heartbeatMs: 600_000, identify: () => ({ owner: 'alice', signal: controller.signal }) })
  const client = await peer()
  await client.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 'waited-for' }] }, 'chat_subscribed')
  controller.abort()
  client.json({ type: 'chat.send', sessionId: 's', content: 'x' })
  t.equal(await client.gone(), 4401)
  t.strictSame(client.kinds, ['chat_subscribed', 'stream_closing'])
  t.equal(await app.agentRuns.getSession('s'), null)
})

test('a stream that opens while the signal is aborted ends like one that was open', async (t) => {
  const controller = new AbortController()
  const { app, url, connections } = await serveSockets(t, {
    heartbeatMs: 100,
    identify: () => ({ owner: 'alice', signal: controller.signal }),
    authorize: () => { controller.abort(); return true }
  })
  const stream = await (await SseClient.open(`${url}/sessions/unborn/stream`)).ended()
  t.strictSame(stream.kinds, ['chat_subscribed', 'stream_closing'])
  await eventually(async () => await connections() === 0)
  t.equal(await app.agentRuns.getSession('unborn'), null)
})

/* What one owner may have of this process, and that the others do not notice. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { SocketClient } from '../helpers/read-socket.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

const as = (user: string) => ({ headers: { 'x-user': user } })

async function serve (t: Test, limits: AgentRunsOptions['limits'] & object) {
  return serveApp(t, { providers: { agent: scriptedProvider() }, identify: ({ headers }) => headers['x-user'] as string | undefined, limits })
}

/** How a stream is answered: 'open', or by which code it is refused. */
async function open (url: string, sessionId: string, user: string): Promise<{ code: string, client?: SseClient }> {
  const client = await SseClient.open(`${url}/sessions/${sessionId}/stream`, as(user))
  if (client.response.statusCode === 200) return { code: 'open', client }
  return { code: (JSON.parse((await client.ended()).raw) as { code: string }).code }
}

async function eventually (look: () => Promise<string>, wanted: string): Promise<void> {
  while (await look() !== wanted) await new Promise(setImmediate)
}

test('an owner has so many streams; those that end make room, and others have their own', async (t) => {
  const { app, url } = await serve(t, { subscribersPerOwner: 2 })
  await app.agentRuns.createSession({ id: 's', owner: 'alice' })
  const first = await open(url, 's', 'alice')
  t.equal((await open(url, 's', 'alice')).code, 'open')
  t.equal((await open(url, 's', 'alice')).code, 'TOO_MANY_SUBSCRIBERS')
  t.equal((await open(url, 'of-bob', 'bob')).code, 'open')
  const socket = await SocketClient.follow(url, { s: 0 }, as('alice'))
  t.match(await socket.frame('protocol_error'), { code: 'TOO_MANY_SUBSCRIBERS', sessionId: 's' })
  first.client!.cut()
  await eventually(async () => (await open(url, 's', 'alice')).code, 'open')
  const ofTheApp = app.agentRuns.subscribe('s')
  t.match((await ofTheApp.next()).value, { kind: 'chat_subscribed' }, 'the app itself has no limit')
  await ofTheApp.return(undefined)
  socket.cut()
})

test('an owner has so many streams that wait for a session; what appears, ends or is cut makes room', async (t) => {
  const { app, url } = await serve(t, { waitingSubscribersPerOwner: 2 })
  await app.agentRuns.createSession({ id: 'there', owner: 'alice' })
  const appears = await open(url, 'a', 'alice')
  const leaves = await open(url, 'b', 'alice')
  t.equal((await open(url, 'c', 'alice')).code, 'TOO_MANY_SUBSCRIBERS')
  t.equal((await open(url, 'there', 'alice')).code, 'open', 'what does not wait is not counted')
  t.equal((await open(url, 'of-bob', 'bob')).code, 'open')
  await app.agentRuns.startRun({ sessionId: 'a', owner: 'alice', content: 'go' })
  await appears.client!.frame('text')
  const third = await open(url, 'c', 'alice')
  t.equal(third.code, 'open')
  t.equal((await open(url, 'd', 'alice')).code, 'TOO_MANY_SUBSCRIBERS')
  leaves.client!.cut()
  await eventually(async () => (await open(url, 'd', 'alice')).code, 'open')
  await app.agentRuns.createSession({ id: 'c', owner: 'bob' })
  await app.agentRuns.startRun({ sessionId: 'c', owner: 'bob', content: 'go' })
  await third.client!.ended()
  await eventually(async () => (await open(url, 'e', 'alice')).code, 'open')
})

test('an owner has so many WebSockets; those that end make room, and others have their own', async (t) => {
  const { url } = await serve(t, { socketsPerOwner: 1 })
  const first = await SocketClient.open(url, as('alice'))
  await t.rejects(SocketClient.open(url, as('alice')), /429/)
  const other = await SocketClient.open(url, as('bob'))
  first.cut()
  await eventually(async () => SocketClient.open(url, as('alice')).then((client) => { client.cut(); return 'open' }, () => 'refused'), 'open')
  other.cut()
})

/** A request whose body is only begun. */
async function half (url: string, user: string, header: string, begin = '{"content":"'): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`POST /sessions/s/messages HTTP/1.1\r\nhost: x\r\nx-user: ${user}\r\ncontent-type: application/json\r\n${header}\r\n\r\n${begin}`)
  return socket
}

test('an owner has so many bytes of bodies on their way; what is received, or cut off, makes room', async (t) => {
  const { url } = await serve(t, { bodyBytes: 1_000, requestBytesPerOwner: 2_500 })
  const send = async (user: string): Promise<string> => {
    const response = await fetch(`${url}/sessions`, { method: 'POST', headers: { 'content-type': 'application/json', ...as(user).headers }, body: JSON.stringify({ title: 'x'.repeat(500) }) })
    return String(response.status)
  }
  const waiting = [await half(url, 'alice', 'content-length: 900'), await half(url, 'alice', 'transfer-encoding: chunked', '400\r\n{"content":"')]
  t.teardown(() => waiting.forEach((socket) => socket.destroy()))
  await eventually(() => send('alice'), '201')
  const third = await half(url, 'alice', 'content-length: 600')
  await eventually(() => send('alice'), '429')
  t.equal(await send('bob'), '201')
  waiting[0]!.destroy()
  third.destroy()
  await eventually(() => send('alice'), '201')
})

test('a body of which nothing is expected, or that is too large, takes nothing of it', async (t) => {
  const { app } = await serve(t, { bodyBytes: 100, requestBytesPerOwner: 100 })
  const send = async (length: number): Promise<unknown> => (await app.inject({ method: 'POST', url: '/sessions', headers: { 'content-type': 'application/json', ...as('alice').headers }, payload: JSON.stringify({ title: 'x'.repeat(length) }) })).statusCode
  for (let round = 0; round < 3; round++) t.strictSame([await send(10), await send(200), (await app.inject({ url: '/sessions', ...as('alice') })).statusCode], [201, 413, 200])
})

test('an owner has so many bytes of large answers that are not taken; what is taken, or cut off, makes room', async (t) => {
  const { app, url } = await serve(t, { answerBytesPerOwner: 150_000 })
  await app.agentRuns.startRun({ sessionId: 's', owner: 'alice', content: 'x'.repeat(100_000) })
  const read = async (user: string): Promise<string> => {
    const response = await fetch(`${url}/sessions/s/events`, as(user))
    return response.status === 200 ? String((await response.text()).length > 100_000) : (await response.json() as { code: string }).code
  }
  t.strictSame([await read('alice'), await read('alice')], ['true', 'true'])
  // The answer is on its way from when it was made until its connection is through.
  let release!: () => void
  const held = new Promise<void>((resolve) => { release = resolve })
  app.server.once('request', (_request, response: ServerResponse) => {
    const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse
    response.end = (...args: unknown[]) => { void held.then(() => end(...args)); return response }
  })
  const first = read('alice')
  await eventually(() => read('alice'), 'TOO_MANY_ANSWER_BYTES')
  t.equal(await read('bob'), 'SESSION_NOT_FOUND')
  release()
  t.equal(await first, 'true')
  await eventually(() => read('alice'), 'true')
})

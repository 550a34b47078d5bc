/* Approvals over real sockets: two kinds of clients, two servers, and processes that die at the worst moment. */
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { WebSocket } from 'ws'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event, EventOf } from '../../index.ts'
import { settledOf, story, TOOL } from '../helpers/approvals.ts'
import { buildApp, serveApp } from '../helpers/build-app.ts'
import { latch, type Latch } from '../helpers/latch.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

type Told = Record<string, unknown> & { kind: string }

/** A client at a WebSocket that answers approvals. */
class SocketClient {
  readonly told: Told[] = []
  readonly #socket: WebSocket
  readonly #waiting: Latch[] = []

  private constructor (socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      this.told.push(JSON.parse(data.toString()) as Told)
      for (const waiting of this.#waiting.splice(0)) waiting.open()
    })
  }

  static async open (t: Test, url: string): Promise<SocketClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`)
    t.teardown(() => { socket.terminate() })
    const client = new SocketClient(socket)
    await once(socket, 'open')
    return client
  }

  /** What it is told of an approval once it has answered. */
  async answer (sessionId: string, requestId: string, allow: boolean): Promise<Told> {
    const of = (frame: Told): boolean => frame['requestId'] === requestId && ['permission_accepted', 'protocol_error'].includes(frame.kind)
    const before = this.told.filter(of).length
    this.#socket.send(JSON.stringify({ type: 'chat.permission-response', sessionId, requestId, allow }))
    for (;;) {
      const told = this.told.filter(of)[before]
      if (told !== undefined) return told
      const more = latch()
      this.#waiting.push(more)
      await more.promise
    }
  }
}

const answerByHttp = (url: string, requestId: string, allow: boolean) => postJson(`${url}/sessions/s/permissions/${requestId}`, { allow })

/** The log of a session as a client gets it. */
async function logAt (url: string): Promise<Event[]> {
  return (await (await fetch(`${url}/sessions/s/events`)).json() as { events: Event[] }).events
}

async function untilAsked (url: string, count = 1): Promise<string> {
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  const requests = (): Event[] => client.events.filter(({ kind }) => kind === 'permission_request')
  await client.until(() => requests().length >= count)
  client.cut()
  return (requests()[count - 1] as EventOf<'permission_request'>).requestId
}

test('of answers over HTTP and over a WebSocket at the same time exactly one holds, and the agent hears it once', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, store: ':memory:' })
  const socket = await SocketClient.open(t, url)
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  for (let round = 1; round <= 30; round++) {
    const heard: boolean[] = []
    const decided = run.context.requestPermission(TOOL).then(({ allow }) => { heard.push(allow) })
    const requestId = await untilAsked(url, round)
    // Neither is always the first.
    const byHttp = round % 2 === 0 ? answerByHttp(url, requestId, true) : null
    const bySocket = socket.answer('s', requestId, false)
    const [posted, told] = await Promise.all([byHttp ?? answerByHttp(url, requestId, true), bySocket])
    await decided
    const isPosted = posted.status === 200
    t.match(posted, isPosted ? { body: { kind: 'permission_resolved', requestId, allow: true } } : { status: 409, body: { code: 'PERMISSION_ALREADY_RESOLVED' } })
    t.match(told, isPosted ? { kind: 'protocol_error', code: 'PERMISSION_ALREADY_RESOLVED', sessionId: 's', requestId } : { kind: 'permission_accepted', sessionId: 's', requestId })
    t.strictSame(heard, [isPosted])
    t.match((await logAt(url)).at(-1), { kind: 'permission_resolved', seq: 1 + 2 * round, requestId, allow: isPosted })
  }
})

test('every client sees the request and its outcome, from any device and instance', async (t) => {
  const agent = scriptedProvider()
  const store = join(tempDir(t), 'runs.db')
  const first = await serveApp(t, { providers: { agent }, store })
  const second = await serveApp(t, { providers: { agent: scriptedProvider() }, store })
  const clients = await Promise.all([first, second].map(({ url }) => SseClient.open(`${url}/sessions/s/stream`)))
  await postJson(`${first.url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  const decisions = [run.context.requestPermission(TOOL), run.context.requestPermission(TOOL)]
  await Promise.all(clients.map((client) => client.until(({ events }) => events.length === 3)))
  const [one, two] = clients[0]!.events.slice(1) as Array<EventOf<'permission_request'>>
  const late = await SseClient.open(`${second.url}/sessions/s/stream`)
  t.match(await late.frame('chat_subscribed'), { pendingPermissions: [one, two] })
  late.cut()
  const socket = await SocketClient.open(t, second.url)
  t.match(await socket.answer('s', two!.requestId, false), { kind: 'permission_accepted' })
  t.match(await answerByHttp(second.url, one!.requestId, true), { status: 200, body: { kind: 'permission_resolved', seq: 5 } })
  t.match(await answerByHttp(first.url, one!.requestId, false), { status: 409 })
  t.strictSame(await Promise.all(decisions), [{ allow: true }, { allow: false }])
  run.end()
  for (const client of clients) {
    await client.frame('complete')
    client.cut()
    t.strictSame(story(client.events), ['user go', 'asks 1', 'asks 2', 'resolved 2 false', 'resolved 1 true', 'complete finished'])
  }
})

test('an abort at the other instance cancels what waits, and the agent hears so', async (t) => {
  const agent = scriptedProvider()
  const store = join(tempDir(t), 'runs.db')
  const first = await serveApp(t, { providers: { agent }, store })
  const second = await serveApp(t, { providers: { agent: scriptedProvider() }, store })
  await postJson(`${first.url}/sessions/s/messages`, { content: 'go' })
  const heard = settledOf((await agent.next()).context.requestPermission(TOOL))
  const requestId = await untilAsked(second.url)
  t.match(await postJson(`${second.url}/sessions/s/abort`, {}), { body: { kind: 'complete', reason: 'aborted', seq: 4 } })
  t.match(await answerByHttp(first.url, requestId, true), { status: 409 })
  t.match(await heard, { error: { name: 'AbortError' } })
  t.strictSame(story(await logAt(first.url)), ['user go', 'asks 1', 'cancelled 1 aborted', 'complete aborted'])
})

const ASK = JSON.stringify({ demo: { mode: 'approval', n: 2 } })

async function serve (t: Test, database: string) {
  const server = spawnScript(t, 'serve-demo.ts', [database])
  const [, url] = (await server.line('listening ')).split(' ')
  return { server, url: url! }
}

test('kill -9 while an approval waits: after the restart it is cancelled, and the session asks again', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const before = await serve(t, database)
  await postJson(`${before.url}/sessions/s/messages`, { content: ASK })
  const requestId = await untilAsked(before.url)
  await before.server.kill('SIGKILL')

  const after = await serve(t, database)
  const lines = story((await logAt(after.url)).slice(1))
  t.strictSame(lines, ['assistant @@demo:1@@', 'tool_use', 'asks 1', 'cancelled 1 interrupted', 'complete interrupted RUN_INTERRUPTED'])
  t.match(await (await fetch(`${after.url}/sessions/s`)).json(), { isProcessing: false, pendingPermissions: [] })
  t.match(await answerByHttp(after.url, requestId, true), { status: 409, body: { code: 'PERMISSION_ALREADY_RESOLVED' } })
  t.equal((await postJson(`${after.url}/sessions/s/messages`, { content: ASK })).status, 202)
  t.equal((await answerByHttp(after.url, await untilAsked(after.url, 2), true)).status, 200)
  await (await SseClient.open(`${after.url}/sessions/s/stream?until=complete`)).ended()
  t.equal(story(await logAt(after.url)).at(-1), 'complete finished')
})

test('the process that drives the run dies with the decision in the store: the answer came to nothing, and everybody is told so', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const { server, url } = await serve(t, database)
  const app = await buildApp(t, { providers: { echo: scriptedProvider() }, store: sqliteStore({ path: database, leaseMs: 300 }) })
  await postJson(`${url}/sessions/s/messages`, { content: ASK })
  const requestId = await untilAsked(url)
  // It takes nothing from now on.
  server.process.kill('SIGSTOP')
  const answered = settledOf(app.agentRuns.answerPermission({ sessionId: 's', requestId, allow: true }))
  const decided = sqliteStore({ path: database })
  t.teardown(() => decided.close())
  await decided.open()
  while ((await decided.getPermission('s', null, requestId))!.status === 'pending') await new Promise((resolve) => { setImmediate(resolve) })
  await server.kill('SIGKILL')
  t.match(await answered, { error: { code: /^AGENT_RUNS_(PERMISSION_ALREADY_RESOLVED|STORE_UNAVAILABLE)$/ } })
  for await (const { kind } of app.agentRuns.subscribe('s')) if (kind === 'complete') break
  const events: Event[] = []
  for await (const event of app.agentRuns.replayEvents('s')) events.push(event)
  t.strictSame(story(events).slice(3), ['asks 1', 'cancelled 1 interrupted', 'complete interrupted RUN_INTERRUPTED'])
  t.match(await settledOf(app.agentRuns.answerPermission({ sessionId: 's', requestId, allow: true })), { error: { code: 'PERMISSION_ALREADY_RESOLVED' } })
})

/* Approvals over real sockets: two kinds of clients, two servers, and processes that die at the worst moment. */
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { WebSocket } from 'ws'
import type { EventOf } from '../../index.ts'
import { answerByHttp, logAt, untilAsked } from '../helpers/approvals-by-http.ts'
import { settledOf, story, TOOL } from '../helpers/approvals.ts'
import { serveApp } from '../helpers/build-app.ts'
import { latch, type Latch } from '../helpers/latch.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
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

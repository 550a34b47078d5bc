/* The npm package `eventsource`, as services use it, against a real server whose connections break. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { EventSource } from 'eventsource'
import { test, type Test } from 'tap'
import type { Event } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import { echo } from '../../providers/echo/echo.ts'
import { buildApp, serveApp } from '../helpers/build-app.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { postJson } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

// `fetch` opens a connection in reserve when a stream is aborted; a server that closes would wait for it for ever.
const server = { forceCloseConnections: true }

/** An EventSource that keeps what it was sent, and every request that it made. */
class Follower {
  readonly source: EventSource
  readonly frames: Array<Event | Frame> = []
  /** The Last-Event-ID of each request; null = none. */
  readonly requests: Array<string | null> = []
  /** What each `error` event told. */
  readonly errors: Array<number | string | undefined> = []
  #waiting: Array<() => void> = []

  constructor (t: Test, url: string) {
    this.source = new EventSource(url, {
      fetch: (input, init) => {
        this.#note(this.requests, init.headers['Last-Event-ID'] ?? null)
        return fetch(input, init)
      }
    })
    this.source.onmessage = ({ data }: { data: string }) => this.#note(this.frames, JSON.parse(data) as Event | Frame)
    this.source.onerror = ({ code, message }) => this.#note(this.errors, code ?? message)
    t.teardown(() => this.source.close())
  }

  get events (): Event[] {
    return this.frames.filter((frame): frame is Event => 'seq' in frame)
  }

  /** Each event in a line. */
  get lines (): string[] {
    return this.events.map((event) => [event.seq, event.kind, ...contentOf(event)].join(' '))
  }

  /** Of each subscription: where the server began, and what the client held by then. */
  get resumes (): Array<{ cursor: number, held: number }> {
    let held = 0
    const resumes: Array<{ cursor: number, held: number }> = []
    for (const frame of this.frames) {
      if ('seq' in frame) held = frame.seq
      else if (frame.kind === 'chat_subscribed') resumes.push({ cursor: frame.cursor, held })
    }
    return resumes
  }

  /** Resolves once `enough` holds. */
  async until (enough: (follower: Follower) => boolean): Promise<void> {
    while (!enough(this)) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
  }

  /** Resolves with the n-th frame of that kind. */
  async kind (kind: string, n = 1): Promise<void> {
    await this.until(({ frames }) => frames.filter((frame) => frame.kind === kind).length >= n)
  }

  #note<T> (list: T[], item: T): void {
    list.push(item)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function contentOf (event: Event): string[] {
  if (event.kind === 'complete') return [event.reason]
  return 'content' in event ? [String(event.content)] : []
}

/** What a run of `n` texts looks like. */
function wholeRun (n: number): string[] {
  const texts = Array.from({ length: n }, (_, i) => `${i + 2} text @@${i + 1}@@`)
  return ['1 text go', ...texts, `${n + 2} complete finished`]
}

test('a client whose connection breaks again and again in the middle of a run gets every event once and in order', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } }, server)
  const proxy = await CuttingProxy.open(t, url)
  const client = new Follower(t, `${proxy.url}/sessions/s/stream`)
  await client.kind('chat_subscribed')
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  let said = 0
  const sayThrough = async (last: number): Promise<void> => {
    while (said < last) await run.emit({ kind: 'text', content: `@@${++said}@@` })
  }

  for (const [breaks, at] of [40, 100, 160, 220].entries()) {
    const cut = proxy.cutInside(`@@${at}@@`)
    await sayThrough(at)
    await cut
    await sayThrough(at + 20)
    await client.until(({ requests }) => requests.length === breaks + 2)
    // While it comes back: part of these it reads from the log, part of them live.
    await sayThrough(at + 40)
    await client.kind('chat_subscribed', breaks + 2)
  }
  // The next time it breaks inside the first frame.
  const cut = proxy.cutInside('chat_subscribed')
  proxy.cut()
  await sayThrough(280)
  await cut
  await sayThrough(300)
  run.end()
  await client.kind('complete')

  t.strictSame(client.lines, wholeRun(300))
  t.strictSame(client.requests.length, 7)
  t.strictSame(client.resumes.length, 6)
  t.strictSame(client.resumes.map(({ cursor }) => cursor), client.resumes.map(({ held }) => held))
})

test('a client that is cut off at any moment of a run that goes on at its own pace misses nothing', async (t) => {
  const { url } = await serveApp(t, { providers: { echo: echo() } }, server)
  const proxy = await CuttingProxy.open(t, url)
  const client = new Follower(t, `${proxy.url}/sessions/s/stream`)
  await postJson(`${url}/sessions/s/messages`, { content: '{"demo":{"n":300,"gapMs":20,"nonce":"x"}}' })
  for (const breaks of [1, 2, 3]) {
    await client.kind('chat_subscribed', breaks)
    const held = client.events.length
    await client.until(({ events }) => events.length > held + 10)
    proxy.cut()
  }
  await client.kind('complete')

  t.strictSame(client.events.map(({ seq }) => seq), Array.from({ length: 302 }, (_, i) => i + 1))
  t.strictSame(client.lines.slice(1, -1), wholeRun(300).slice(1, -1).map((line) => line.replace('@@', '@@x:')))
  t.strictSame(client.lines.at(-1), '302 complete finished')
  t.strictSame(client.resumes.map(({ cursor }) => cursor), client.resumes.map(({ held }) => held))
  t.strictSame(client.resumes.length, 4)
})

test('a client that opens the stream before the session exists gets everything that comes of the first message', async (t) => {
  const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) } }, server)
  const client = new Follower(t, `${url}/sessions/s/stream`)
  await client.kind('chat_subscribed')
  const { status } = await postJson(`${url}/sessions/s/messages`, { content: 'ping pong' })
  await client.kind('complete')

  t.strictSame(status, 202)
  t.strictSame(client.resumes, [{ cursor: 0, held: 0 }])
  t.strictSame(client.lines, [
    '1 text ping pong', '2 stream_delta ping', '3 stream_delta  pong', '4 stream_end', '5 text ping pong', '6 complete finished'
  ])
  t.strictSame(client.requests, [null])
})

test('until=complete stops a client for ever by a 204 once it has the end', async (t) => {
  const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) } }, server)
  const proxy = await CuttingProxy.open(t, url)
  const other = new Follower(t, `${proxy.url}/sessions/other/stream`)
  await other.kind('chat_subscribed')
  await postJson(`${url}/sessions/s/messages`, { content: 'ping' })
  const all = new Follower(t, `${url}/sessions/s/stream`)
  await all.kind('complete')

  const client = new Follower(t, `${proxy.url}/sessions/s/stream?until=complete`)
  await client.until(({ source }) => source.readyState === EventSource.CLOSED)
  t.strictSame(client.lines, ['1 text ping', '2 stream_delta ping', '3 stream_end', '4 text ping', '5 complete finished'])
  t.strictSame(client.requests, [null, '5'])
  t.strictSame(client.errors.at(-1), 204)

  // A client that loses its connection only now waits as long before it comes back: the first would be back before it.
  proxy.cut()
  await other.kind('chat_subscribed', 2)
  t.strictSame(client.requests, [null, '5'])
  t.strictSame(client.source.readyState, EventSource.CLOSED)
})

test('a client goes on by itself when the server is closed and another one is started in its place', async (t) => {
  const store = join(tempDir(t), 'runs.db')
  const before = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent: before }, store })
  const client = new Follower(t, `${url}/sessions/s/stream`)
  await client.kind('chat_subscribed')
  await postJson(`${url}/sessions/s/messages`, { content: 'first' })
  const first = await before.next()
  await first.emit({ kind: 'text', content: 'done' })
  first.end()
  await client.kind('complete')
  await postJson(`${url}/sessions/s/messages`, { content: 'second' })
  const second = await before.next()
  await second.emit({ kind: 'stream_delta', messageId: 'm', content: 'half ' }, { kind: 'stream_delta', messageId: 'm', content: 'of it' })
  await app.close()
  // One for the end of its stream, one for a server that was not there.
  await client.until(({ errors }) => errors.length >= 2)

  const after = scriptedProvider()
  const restarted = await buildApp(t, { providers: { agent: after }, store }, server)
  await restarted.listen({ port: Number(new URL(url).port), host: '127.0.0.1' })
  await postJson(`${url}/sessions/s/messages`, { content: 'third' })
  const third = await after.next()
  await third.emit({ kind: 'text', content: 'here again' })
  await client.kind('chat_subscribed', 2)
  await third.emit({ kind: 'text', content: 'live again' })
  third.end()
  await client.kind('complete', 3)

  t.strictSame(client.lines, [
    '1 text first', '2 text done', '3 complete finished',
    '4 text second', '5 stream_delta half ', '6 stream_delta of it', '7 text half of it', '8 complete interrupted',
    '9 text third', '10 text here again', '11 text live again', '12 complete finished'
  ])
  t.strictSame(client.resumes, [{ cursor: 0, held: 0 }, { cursor: 8, held: 8 }])
  t.strictSame(client.frames.map(({ kind }) => kind).filter((kind) => !['text', 'stream_delta'].includes(kind)), [
    'chat_subscribed', 'complete', 'complete', 'stream_closing', 'chat_subscribed', 'complete'
  ])
})

/** A proxy that answers 502 for a server that is away. */
async function gateway (t: Test, url: string) {
  let isAway = false
  const proxy = createServer((incoming, outgoing) => {
    if (isAway) {
      outgoing.writeHead(502).end('Bad Gateway')
      return
    }
    request(url + incoming.url!, { headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    }).end()
  })
  await new Promise<void>((resolve) => { proxy.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    proxy.close()
    proxy.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    leave: () => {
      isAway = true
      proxy.closeAllConnections()
    },
    comeBack: () => { isAway = false }
  }
}

test('a 502 of a proxy stops a client for ever, as the standard says; another one goes on after the last seq', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } }, server)
  const proxy = await gateway(t, url)
  const client = new Follower(t, `${proxy.url}/sessions/s/stream`)
  await client.kind('chat_subscribed')
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' })
  await client.until(({ events }) => events.length === 2)
  proxy.leave()
  await client.until(({ source }) => source.readyState === EventSource.CLOSED)
  await run.emit({ kind: 'text', content: 'two' })
  proxy.comeBack()
  const next = new Follower(t, `${proxy.url}/sessions/s/stream?lastEventId=${client.events.at(-1)!.seq}`)
  await next.kind('chat_subscribed')
  run.end()
  await next.kind('complete')

  t.strictSame([client.requests, client.errors.at(-1)], [[null, '2'], 502])
  t.strictSame([...client.lines, ...next.lines], ['1 text go', '2 text one', '3 text two', '4 complete finished'])
  t.strictSame([...client.resumes, ...next.resumes], [{ cursor: 0, held: 0 }, { cursor: 2, held: 0 }])
})

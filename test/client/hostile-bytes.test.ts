/* A server that sends too much over HTTP: the client stops reading at a bound, and says so. */
import { createGzip, gzipSync } from 'node:zlib'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test, type Test } from 'tap'
import type * as eventStreams from '../../client/event-stream.ts'
import { createClient, follow, type RunsClientError } from '../../client/index.ts'
import { delta, subscribed } from '../helpers/client-frames.ts'
import { countedFetch } from '../helpers/counted-fetch.ts'
import { flood, hostileServer, onWire, stream } from '../helpers/hostile-server.ts'
import { stateShortly, take, takeAll } from '../helpers/taken.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** What one read may bring behind a bound. */
const CHUNK = 128 * KIB
const X = 'x'.repeat(64 * KIB)
const soon = { retry: { minMs: 1, maxMs: 1, attempts: 0 } }

/** Asks by `ask`, while each request is answered by `answer`: the error, the bytes that were read, and the requests. */
async function refused (t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void, ask: (url: string, fetch: typeof globalThis.fetch) => Promise<unknown>) {
  const server = await hostileServer(t, answer)
  const counted = countedFetch()
  const error = await ask(server.url, counted.fetch).then(() => null, (reason: unknown) => reason) as RunsClientError | null
  return { error, bytes: counted.bytes, cancelled: counted.cancelled, requests: server.asked.length }
}

const SHAPES: Array<[name: string, first: string, piece: string]> = [
  ['a line of data that does not end', `${onWire(subscribed())}data: `, X],
  ['lines of data without an end of their event', onWire(subscribed()), 'data: x\n'.repeat(8 * KIB)],
  ['empty lines of data', onWire(subscribed()), 'data\n'.repeat(8 * KIB)],
  ['a comment that does not end', `${onWire(subscribed())}:`, X],
  ['an id that does not end', `${onWire(subscribed())}id: `, X],
  ['a field without a name that does not end', '', X],
  ['lines that end in CR, without an end of their event', onWire(subscribed()), 'data: x\r'.repeat(8 * KIB)]
]

for (const [name, first, piece] of SHAPES) {
  test(`${name} ends the stream with RESPONSE_TOO_LARGE, and not before the bound`, async (t) => {
    const { error, bytes, cancelled, requests } = await refused(t,
      (_request, response) => flood(stream(response, first), piece),
      (url, fetch) => takeAll(follow(url, { fetch, maxResponseBytes: MIB }))
    )
    t.match(error, { code: 'RESPONSE_TOO_LARGE', statusCode: 200 })
    // A field name and a line end are not counted where they end a line.
    t.ok(bytes >= MIB && bytes <= 8 * MIB + CHUNK, `${bytes}`)
    t.equal(cancelled, 1)
    t.equal(requests, 1, 'it would come again')
  })
}

test('without an option it is 16 MiB: an event below it comes, and one above it does not', async (t) => {
  const large = { ...delta(1), content: 'é'.repeat(5 * MIB) }
  const { error, bytes, requests } = await refused(t, (_request, response) => flood(stream(response, `${onWire(subscribed(), large)}data: `), X), async (url, fetch) => {
    const items = follow(url, { fetch })
    t.strictSame(await take(items, 2), ['chat_subscribed', 1])
    await items.next()
  })
  t.equal(error?.code, 'RESPONSE_TOO_LARGE')
  const before = Buffer.byteLength(onWire(subscribed(), large))
  t.ok(bytes - before >= 16 * MIB && bytes - before <= 16 * MIB + CHUNK, `${bytes - before}`)
  t.equal(requests, 1)
})

test('the bound is per event: a stream of any number of events and comments has none', async (t) => {
  const { error, bytes } = await refused(t,
    (_request, response) => {
      stream(response, onWire(subscribed()))
      for (let seq = 1; seq <= 200; seq++) response.write(`: ${'-'.repeat(1_000)}\nevent: x\nid: 1\n\n${onWire({ ...delta(seq), content: X.slice(0, 10_000) })}`)
      response.write(onWire({ kind: 'session_deleted', sessionId: 's' }))
    },
    async (url, fetch) => t.equal((await takeAll(follow(url, { fetch, maxResponseBytes: 20_000 }))).length, 202)
  )
  t.equal(error, null)
  t.ok(bytes > 2_000_000)
})

test('wherever a stream is cut into pieces, its frames are the same: lines that end in CR LF, texts of many bytes a character', async (t) => {
  const events = Array.from({ length: 300 }, (_, index) => ({ ...delta(index + 1), content: 'é€😀'.repeat(index % 50) }))
  const lines = [subscribed(), ...events, { kind: 'session_deleted', sessionId: 's' }].map((frame) => JSON.stringify(frame, null, 1).split('\n').map((line) => `data: ${line}\r\n`).join('') + '\r\n')
  const bytes = Buffer.from(lines.join(''))
  for (const size of [7, 4_095, 4_096, 4_097, bytes.length]) {
    const { error } = await refused(t, (_request, response) => { response.writeHead(200, { 'content-type': 'text/event-stream' }).end(bytes) }, async (url, fetch) => {
      const cut: typeof fetch = async (input, init) => {
        const whole = Buffer.from(await (await fetch(input, init)).arrayBuffer())
        let from = 0
        const body = new ReadableStream({
          pull (controller) {
            if (from >= whole.length) return controller.close()
            controller.enqueue(whole.subarray(from, from += size))
          }
        })
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
      }
      const contents: string[] = []
      for await (const item of follow(url, { fetch: cut })) if (item.kind === 'stream_delta') contents.push(item.content)
      t.strictSame(contents, events.map(({ content }) => content), `in pieces of ${size}`)
    })
    t.equal(error, null)
  }
})

test('an error whose body does not end is read to 64 KiB, and is a failure as others are', async (t) => {
  for (const status of [500, 404]) {
    const states: string[] = []
    const followed = await refused(t,
      (_request, response) => flood(response.writeHead(status, { 'content-type': 'text/html' }), X),
      (url, fetch) => takeAll(follow(url, { ...soon, retry: { minMs: 1, maxMs: 1, attempts: 2 }, fetch, onState: (state) => states.push(stateShortly(state)) }))
    )
    const tries = status === 500 ? 3 : 1
    t.match(followed.error, { code: 'HTTP_ERROR', statusCode: status })
    t.match({ requests: followed.requests, cancelled: followed.cancelled }, { requests: tries, cancelled: tries })
    t.ok(followed.bytes <= tries * (64 * KIB + CHUNK), `${followed.bytes}`)
    const asked = await refused(t, (_request, response) => flood(response.writeHead(status, { 'content-type': 'application/json' }), `{"statusCode":${status},"code":"STORE_FAILED","message":"${X}`), (url, fetch) => createClient(url, { ...soon, fetch }).getSession('s'))
    t.match(asked.error, { code: 'HTTP_ERROR', statusCode: status })
    t.ok(asked.bytes <= 64 * KIB + CHUNK, `${asked.bytes}`)
  }
})

test('a compressed body counts by what it becomes', async (t) => {
  const bomb = gzipSync('x'.repeat(32 * MIB))
  const packed = { 'content-encoding': 'gzip', 'content-type': 'application/json' }
  const failed = await refused(t, (_request, response) => { response.writeHead(500, packed).end(bomb) }, (url, fetch) => createClient(url, { ...soon, fetch }).listSessions())
  t.match(failed.error, { code: 'HTTP_ERROR', statusCode: 500 })
  t.ok(failed.bytes <= 64 * KIB + CHUNK, `${failed.bytes}`)
  const answered = await refused(t, (_request, response) => { response.writeHead(200, packed).end(bomb) }, (url, fetch) => createClient(url, { ...soon, fetch }).listSessions())
  t.match(answered.error, { code: 'RESPONSE_TOO_LARGE', statusCode: 200 })
  t.ok(answered.bytes <= 16 * MIB + CHUNK, `${answered.bytes}`)
  const streamed = await refused(t, (_request, response) => {
    const zip = createGzip()
    zip.pipe(response.writeHead(200, { ...packed, 'content-type': 'text/event-stream' }))
    zip.end(`${onWire(subscribed())}data: ${'x'.repeat(32 * MIB)}`)
  }, (url, fetch) => takeAll(follow(url, { fetch })))
  t.equal(streamed.error?.code, 'RESPONSE_TOO_LARGE')
  t.ok(streamed.bytes <= 16 * MIB + CHUNK, `${streamed.bytes}`)
})

test('an answer that does not end is RESPONSE_TOO_LARGE, and is not asked for again', async (t) => {
  for (const status of [200, 202]) {
    const { error, bytes, cancelled, requests } = await refused(t,
      (_request, response) => flood(response.writeHead(status, { 'content-type': 'application/json' }), X),
      (url, fetch) => createClient(url, { fetch, maxResponseBytes: MIB }).history('s')
    )
    t.match(error, { code: 'RESPONSE_TOO_LARGE', statusCode: status })
    t.ok(bytes > MIB && bytes <= MIB + CHUNK, `${bytes}`)
    t.match({ cancelled, requests }, { cancelled: 1, requests: 1 })
  }
})

test('a page as large as the server makes them comes whole', async (t) => {
  const events = Array.from({ length: 5 }, (_, index) => ({ ...delta(index + 1), content: '€'.repeat(MIB / 3) }))
  const { error, bytes } = await refused(t,
    (_request, response) => { response.end(JSON.stringify({ events, hasMore: false, cursor: 5, isProcessing: false })) },
    async (url, fetch) => t.strictSame((await createClient(url, { fetch }).history('s')).events, events)
  )
  t.equal(error, null)
  t.ok(bytes > 5 * MIB, `${bytes}`)
})

test('a page where a stream should be is not read', async (t) => {
  const { error, bytes, cancelled } = await refused(t, (_request, response) => flood(response.writeHead(200, { 'content-type': 'text/html' }), X), (url, fetch) => takeAll(follow(url, { fetch })))
  t.equal(error?.code, 'NOT_A_STREAM')
  t.match({ bytes, cancelled }, { bytes: 0, cancelled: 1 })
})

test('in runtimes without body streams a body is measured once it was read', async (t) => {
  const bodies = (text: string) => async (): Promise<Response> => Object.defineProperty(new Response(text), 'body', { value: undefined })
  const ask = (text: string): Promise<unknown> => createClient('http://127.0.0.1:1', { fetch: bodies(text), maxResponseBytes: 100 }).listSessions()
  t.strictSame(await ask('{"sessions":[]}'), [])
  await t.rejects(ask(`{"sessions":["${'x'.repeat(100)}"]}`), { code: 'RESPONSE_TOO_LARGE' })
})

for (const line of ['data: ', '']) {
  test(`${line === '' ? 'CRs without end' : 'an unfinished line'}: the parser is given pieces of 4 KiB, however they come`, async (t) => {
    const pieces: number[] = []
    const { createParser } = await import('eventsource-parser')
    const { eventStream } = await t.mockImport<typeof eventStreams>('../../client/event-stream.ts', {
      'eventsource-parser': {
        createParser: (config: Parameters<typeof createParser>[0]) => {
          const parser = createParser(config)
          return { ...parser, feed: (text: string) => { pieces.push(text.length); parser.feed(text) } }
        }
      }
    })
    const chunks = line === '' ? ['\r'.repeat(16 * KIB)] : [line, ...Array.from({ length: 16 * KIB }, () => 'x'), '\n\n']
    const body = new ReadableStream({ start (controller) { for (const chunk of chunks) controller.enqueue(Buffer.from(chunk)); controller.close() } })
    const fetch = async (): Promise<Response> => new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    const attempt = { cursor: 0, untilComplete: false, signal: new AbortController().signal, suggest () {}, over () {}, again () {} }
    const frames: unknown[] = []
    for await (const frame of eventStream(new URL('http://127.0.0.1:1'), { fetch }, attempt)) frames.push(frame)
    t.equal(frames.length, line === '' ? 0 : 1)
    t.ok(Math.max(...pieces) <= 4 * KIB, `${Math.max(...pieces)}`)
    t.ok(pieces.length <= 6, `${pieces.length}`)
  })
}

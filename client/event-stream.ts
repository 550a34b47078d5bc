/* One HTTP answer that is a stream of Server-Sent Events, read no faster than its frames are taken. */
import { createParser } from 'eventsource-parser'
import { MAX_RESPONSE_BYTES, tooLarge } from './bounds.ts'
import { RunsClientError } from './errors.ts'
import type { Attempt } from './following.ts'
import { httpError } from './http-error.ts'
import type { ConnectionOptions } from './options.ts'
import { requestHeaders } from './request-headers.ts'
import { countStream } from './scarce-streams.ts'
import { onWake } from './wake.ts'
import { Watch } from './watch.ts'

/** Characters that the parser gets at once: where lines end in CR, its time is quadratic in their number. */
const PIECE = 4 * 1024
/** A page that wakes up takes a connection for dead that was silent for longer: the server's heartbeat and a bit. */
const STALE_MS = 20_000
const LINE_END = /[\r\n]/

/**
 * Asks for the stream at `url` after a cursor, and yields what its frames hold. The cursor goes in the query: a header of our own
 * would make browsers send a CORS preflight first. Throws RunsClientError; ends when the server ends the stream.
 */
export async function * eventStream (url: URL, options: ConnectionOptions, attempt: Attempt): AsyncGenerator {
  if (options.fetch === undefined && isReactNative()) throw noStreams()
  const watch = new Watch(attempt.signal, options.idleTimeoutMs)
  const closed = countStream(url)
  const forget = onWake((reason) => { if (reason === 'online' || watch.silentMs >= STALE_MS) attempt.again() })
  try {
    const response = await watch.over(open(url, options, attempt, watch.signal))
    if (response.status === 204) return attempt.over()
    if (!response.ok) throw await watch.over(httpError(response))
    const body = response.body as Response['body'] | undefined
    if (response.status === 200 && isStream(response) && body === undefined) throw noStreams()
    if (response.status !== 200 || body == null || !isStream(response)) {
      throw new RunsClientError('NOT_A_STREAM', `The answer of ${response.url} is no event stream.`, { statusCode: response.status })
    }
    yield * frames(body.getReader(), watch, attempt, options.maxResponseBytes)
  } finally {
    forget()
    closed()
    watch.end()
  }
}

/** Its own `fetch` resolves with a whole answer only: that of a stream never. */
function isReactNative (): boolean {
  return (globalThis as { navigator?: { product?: string } }).navigator?.product === 'ReactNative'
}

function noStreams (): RunsClientError {
  return new RunsClientError('NO_STREAMS', 'This fetch gives answers only whole: use createClient with transport: "websocket", or give a fetch that streams, such as that of expo/fetch.')
}

function isStream ({ headers }: Response): boolean {
  return headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') === true
}

async function open (url: URL, options: ConnectionOptions, { cursor, untilComplete }: Attempt, signal: AbortSignal): Promise<Response> {
  const target = new URL(url)
  target.searchParams.set('lastEventId', String(cursor))
  if (untilComplete) target.searchParams.set('until', 'complete')
  const headers = await requestHeaders(options, { accept: 'text/event-stream' })
  const { credentials, fetch = globalThis.fetch } = options
  return await fetch(target, { headers, signal, ...(credentials !== undefined && { credentials }) })
}

async function * frames (reader: ReadableStreamDefaultReader<Uint8Array>, watch: Watch, attempt: Attempt, maxBufferSize = MAX_RESPONSE_BYTES): AsyncGenerator {
  const decoder = new TextDecoder()
  let arrived: unknown[] = []
  let isTooLarge = false
  const parser = createParser({
    maxBufferSize,
    onEvent: ({ data }) => { arrived.push(parsed(data)) },
    onRetry: (retryMs) => attempt.suggest(retryMs),
    onError: ({ type }) => { isTooLarge ||= type === 'max-buffer-size-exceeded' }
  })
  let held = ''
  for (;;) {
    const { done, value } = await watch.over(reader.read())
    if (done) return
    const text = decoder.decode(value, { stream: true })
    held += text
    // The parser keeps each fragment of an unfinished line as a string of its own: few long ones take less memory.
    if (held.length < PIECE && !LINE_END.test(text)) continue
    for (let from = 0; from < held.length; from += PIECE) {
      parser.feed(held.slice(from, from + PIECE))
      yield * arrived
      arrived = []
      if (isTooLarge) throw tooLarge('An event', maxBufferSize, 200)
    }
    held = ''
  }
}

/** What is no JSON is no frame. The caller says so: what came before it counts. */
function parsed (data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

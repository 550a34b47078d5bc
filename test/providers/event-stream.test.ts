/* The forms in which services stream, and in which they do not: all are one answer. */
import { ReadableStream } from 'node:stream/web'
import { test, type Test } from 'tap'
import { fetchEvents } from '../../providers/openai/event-stream.ts'

const HI = '{"choices":[{"delta":{"content":"h\u00e4"}}]}'
const STOP = '{"choices":[{"delta":{},"finish_reason":"stop"}]}'
const stream = (...data: string[]): string => data.map((each) => `data: ${each}\n\n`).join('')

/** What the SDK reads of a body that comes in pieces of so many bytes. */
async function read (t: Test, body: string, { type = 'text/event-stream', size = 1_000_000, status = 200 } = {}): Promise<string> {
  const bytes = Buffer.from(body)
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
  const original = globalThis.fetch
  t.teardown(() => { globalThis.fetch = original })
  globalThis.fetch = async () => new Response(ReadableStream.from(pieces) as never, { status, headers: { 'content-type': type } })
  try {
    return await (await fetchEvents('http://model')).text()
  } finally {
    globalThis.fetch = original
  }
}

const WHOLE = stream(HI, STOP, '[DONE]')

for (const [what, body] of Object.entries({
  'as the API has it': stream(HI, STOP, '[DONE]'),
  'with other line ends': stream(HI, STOP, '[DONE]').replaceAll('\n', '\r\n'),
  'without a space behind the field': stream(HI, STOP, '[DONE]').replaceAll('data: ', 'data:'),
  'without an empty line between events': `data: ${HI}\ndata: ${STOP}\ndata: [DONE]`,
  'with an event in several lines': 'data: {"choices":\ndata: [{"delta":{"content":"h\u00e4"}}]}\n\n' + stream(STOP, '[DONE]'),
  'with all fields': stream(HI).replace('data:', 'id: 1\nretry: 3000\nevent: message\ndata:') + stream(STOP, '[DONE]'),
  'with keep-alives': ': PROCESSING\n\n:\n\nevent: ping\ndata: \n\nevent: ping\n\n' + stream('', 'null', 'ping', '"ping"', '[PING]', '[]', HI, STOP, '[DONE]'),
  'with more behind its end': stream(HI, STOP, '[DONE]', HI)
})) {
  test(`a stream ${what} is the same events, wherever it is cut`, async (t) => {
    for (const size of [1, 2, 3, 7, 1_000_000]) t.equal(await read(t, body, { size }), WHOLE, `pieces of ${size} bytes`)
  })
}

test('a stream ends without a last line break, and one that is not streamed is one event, whatever its type says', async (t) => {
  t.equal(await read(t, stream(HI) + `data: ${STOP}`), stream(HI, STOP))
  for (const type of ['application/json', 'text/event-stream', 'text/plain']) {
    t.equal(await read(t, HI, { type }), stream(HI), type)
    t.equal(await read(t, stream(HI), { type }), stream(HI), type)
  }
  t.equal(await read(t, '{\n  "choices": []\n}', { type: 'application/json' }), stream('{  "choices": []}'))
})

test('errors in a stream are errors, however they are told', async (t) => {
  const told = stream('{"error":{"message":"x"}}')
  t.equal(await read(t, 'event: error\ndata: {"message":"x"}\n\n'), told)
  t.equal(await read(t, 'event: error\ndata: {"error":{"message":"x"}}\n\n'), told)
  t.equal(await read(t, 'error: {"message":"x"}\n\n'), told)
})

test('pages and failures are as they came', async (t) => {
  t.equal(await read(t, '<html>', { type: 'text/html' }), '<html>')
  t.equal(await read(t, '{"error":1}', { type: 'application/json', status: 400 }), '{"error":1}')
})

test('an event without an end is refused', async (t) => {
  await t.rejects(read(t, 'data: {' + 'x'.repeat(17 * 1024 * 1024)), { code: 'MODEL_FAILED' })
})

import { test, type Test } from 'tap'
import type { Event, EventOf, Limits } from '../../index.ts'
import { echo } from '../../providers/echo/echo.ts'
import { story } from '../helpers/approvals.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'

const MARKER = 'MARKER-7f3a-native'
process.env['ECHO_NATIVE_MARKER'] = MARKER

/** Plays a script against a server with a client; what the client got, and every byte of every other answer. */
async function play (t: Test, demo: Record<string, unknown>, limits: Partial<Limits> = {}): Promise<{ events: Event[], bytes: string, last: Event, session: unknown }> {
  const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) }, limits })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  const posted = await postJson(`${url}/sessions/s/messages`, { content: JSON.stringify({ demo: { nonce: 'n', ...demo } }) })
  if (demo['mode'] === 'hang' || demo['mode'] === 'ignoreAbort') {
    await client.until(({ events }) => events.length > Number(demo['at'] ?? demo['n']))
    await postJson(`${url}/sessions/s/abort`, {})
  }
  await client.frame('complete')
  const others = await Promise.all(['', '/messages', '/events', '/runs', '/stream?until=complete'].map(async (path) => (await fetch(`${url}/sessions/s${path}`)).text()))
  client.cut()
  const bytes = [JSON.stringify(posted.body), client.raw, ...others].join('\n')
  t.notMatch(bytes, new RegExp(MARKER), 'no native id, no inner error on the wire')
  t.strictSame(client.events.map(({ seq }) => seq), client.events.map((_, index) => index + 1))
  t.equal(client.kinds.filter((kind) => kind === 'complete').length, 1, 'one terminal')
  t.equal((await postJson(`${url}/sessions/s/messages`, { content: '{"demo":{"n":0}}' })).status, 202, 'the session is free')
  return { events: client.events, bytes, last: client.events.at(-1)!, session: JSON.parse(others[0]!) }
}

const marks = (events: Event[]) => events.slice(1).flatMap((event) => [...JSON.stringify(event).matchAll(/@@n:(\d+)@@/g)].map(([, i]) => Number(i)))
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1)

test('the echo says back what it was told, in deltas that are its whole text', async (t) => {
  const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) } })
  const content = '  Grüße,\n\nthis is  the text \u2028 of 💥 the day. '
  const client = await SseClient.open(`${url}/sessions/s/messages`, {
    method: 'POST', headers: { accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify({ content: [{ type: 'text', text: content }] })
  })
  await client.ended()
  const deltas = client.events.flatMap((event) => event.kind === 'stream_delta' ? [event.content] : [])
  t.ok(deltas.length > 5)
  t.equal(deltas.join(''), content)
  t.match(client.events.at(-2), { kind: 'text', role: 'assistant', content })
})

test('mode ok: n events, in texts or in deltas of one message that ends as one text', async (t) => {
  const texts = await play(t, { n: 5, size: 10 })
  t.strictSame(marks(texts.events), upTo(5))
  t.match(texts.events[1], { kind: 'text', content: '@@n:1@@xxxxxxxxxx' })
  const deltas = await play(t, { n: 5, kind: 'stream_delta' })
  t.strictSame(deltas.events.map(({ kind }) => kind), ['text', ...upTo(5).map(() => 'stream_delta'), 'text', 'complete'])
  t.match(deltas.events.at(-2), { content: upTo(5).map((i) => `@@n:${i}@@`).join('') })
})

test('mode burst: more than a turn takes, all of it', async (t) => {
  t.strictSame(marks((await play(t, { n: 2_000, mode: 'burst' })).events), upTo(2_000))
})

test('modes that fail end with one failed complete, after what came before', async (t) => {
  const sync = await play(t, { mode: 'throwSync' })
  t.strictSame(marks(sync.events), [])
  t.match(sync.last, { exitCode: 1, success: false, reason: 'failed', error: { code: 'PROVIDER_FAILED', message: 'The provider failed.' } })
  const after = await play(t, { mode: 'throwAfter', n: 6, at: 4 })
  t.strictSame(marks(after.events), upTo(4))
  t.match(after.last, { reason: 'failed', error: { code: 'PROVIDER_FAILED' } })
  const broken = await play(t, { mode: 'unserialisable', n: 6, at: 3 })
  t.strictSame(marks(broken.events), upTo(2))
  t.match(broken.last, { reason: 'failed', error: { code: 'EVENT_NOT_SERIALISABLE' } })
})

test('modes around the end: none, two, and events after it', async (t) => {
  t.match((await play(t, { mode: 'noTerminal', n: 2 })).last, { reason: 'finished', exitCode: 0 })
  t.match((await play(t, { mode: 'doubleTerminal', n: 2 })).last, { reason: 'finished', exitCode: 0 })
  const after = await play(t, { mode: 'emitAfter' })
  t.strictSame(marks(after.events), [1])
  t.match(after.last, { reason: 'finished', exitCode: 0 })
})

test('modes that need an abort get one', async (t) => {
  const hang = await play(t, { mode: 'hang', n: 5, at: 3 })
  t.strictSame(marks(hang.events), upTo(3))
  t.match(hang.last, { aborted: true, reason: 'aborted' })
  const deaf = await play(t, { mode: 'ignoreAbort', n: 3 })
  t.match(deaf.last, { aborted: true, reason: 'aborted' })
})

test('modes with difficult content arrive intact', async (t) => {
  const tooLarge = await play(t, { mode: 'huge', n: 2 })
  t.match(tooLarge.last, { reason: 'failed', error: { code: 'EVENT_TOO_LARGE' } }, 'above the limit of an event')
  t.match((await play(t, { size: 1e12 })).events.at(-1), { error: { code: 'EVENT_TOO_LARGE' } })
  const huge = await play(t, { mode: 'huge', n: 2 }, { eventBytes: 4_000_000 })
  t.equal((huge.events[1] as { content: string }).content.length, 2 * 1024 * 1024 + '@@n:1@@'.length)
  const weird = await play(t, { mode: 'weird', n: 3 })
  t.strictSame(marks(weird.events), upTo(3))
  t.match(weird.events[2], { sessionId: 's', seq: 3, content: /CR\rLF\nCRLF\r\n LS\u2028 PS\u2029 NUL\0 BOM\uFEFF lone\uD800 surrogates\uDC00/ })
})

test('mode leak: the native id is replaced wherever it stood, in whole and in parts', async (t) => {
  const { events, last } = await play(t, { mode: 'leak', n: 12 })
  t.strictSame([...new Set(marks(events))].sort((a, b) => a - b), upTo(12))
  t.match(last, { reason: 'failed', usage: { session: 's' }, error: { code: 'LEAK', message: 'failed in s' } })
})

test('the native id is resumed in the next run of the session', async (t) => {
  const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) } })
  const ids: unknown[] = []
  const original = echo().run
  const spy = await serveApp(t, { providers: { echo: { run: (context) => { ids.push(context.providerSessionId); return original(context) } } } })
  for (const content of ['one', 'two', 'three']) {
    const client = await SseClient.open(`${spy.url}/sessions/s/messages`, {
      method: 'POST', headers: { accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify({ content })
    })
    await client.ended()
  }
  t.equal(ids[0], null)
  t.match(ids[1], new RegExp(`^echo-native-${MARKER}-`))
  t.equal(ids[2], ids[1])
  t.equal((await fetch(`${url}/runs`)).status, 200)
})

/** Has the echo ask, and gives the answer that `answer` makes of its request; what the client saw. */
async function rehearse (t: Test, answer: (url: string, request: EventOf<'permission_request'>) => Promise<{ status: number }>, demo: object = {}): Promise<Event[]> {
  const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) }, store: ':memory:' })
  const client = await SseClient.open(`${url}/sessions/s/messages`, {
    method: 'POST', headers: { accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify({ content: JSON.stringify({ demo: { mode: 'approval', n: 3, nonce: 'n', ...demo } }) })
  })
  const request = await client.frame('permission_request') as EventOf<'permission_request'>
  t.match(await (await fetch(`${url}/sessions/s`)).json(), { pendingPermissions: [request] })
  t.equal((await answer(url, request)).status, 200)
  await client.ended()
  t.strictSame(client.seqs, client.seqs.map((_, index) => index + 1))
  return client.events.slice(1)
}

const decide = (decision: object) => (url: string, { requestId }: { requestId: string }) => postJson(`${url}/sessions/s/permissions/${requestId}`, decision)

test('mode approval asks for leave to use a tool, and says what was allowed', async (t) => {
  const events = await rehearse(t, decide({ allow: true, optionId: 'once', updatedInput: { nonce: 'changed' }, message: 'go' }), { at: 2 })
  t.strictSame(story(events), ['assistant @@n:1@@', 'assistant @@n:2@@', 'tool_use', 'asks 1', 'resolved 1 true once', 'tool_result', 'assistant @@n:3@@', 'complete finished'])
  const [, , use, request, , result] = events as [Event, Event, EventOf<'tool_use'>, EventOf<'permission_request'>, Event, EventOf<'tool_result'>]
  t.strictSame([request.toolId, request.toolName, request.input], [use.toolId, use.toolName, use.toolInput], 'the tool that it asks for is the one that waits')
  t.match(request.options, [{ optionId: 'once', kind: 'allow_once' }, { optionId: 'never', kind: 'reject_once' }])
  t.strictSame([result.toolId, result.toolResult], [use.toolId, { content: { said: 'allowed', optionId: 'once', message: 'go', input: { nonce: 'changed' } }, isError: false }])
})

test('mode approval says what was refused, and that without words the input is its own', async (t) => {
  const refused = await rehearse(t, decide({ allow: false }))
  t.strictSame(story(refused), ['assistant @@n:1@@', 'tool_use', 'asks 1', 'resolved 1 false', 'tool_result', 'assistant @@n:2@@', 'assistant @@n:3@@', 'complete finished'])
  t.match(refused[4], { toolResult: { content: { said: 'refused' }, isError: true } })
  const allowed = await rehearse(t, decide({ allow: true }))
  t.strictSame((allowed[4] as EventOf<'tool_result'>).toolResult, { content: { said: 'allowed', input: { nonce: 'n' } }, isError: false })
})

test('mode approval lets go when it is aborted', async (t) => {
  const events = await rehearse(t, (url) => postJson(`${url}/sessions/s/abort`, {}))
  t.strictSame(story(events), ['assistant @@n:1@@', 'tool_use', 'asks 1', 'cancelled 1 aborted', 'complete aborted'])
})

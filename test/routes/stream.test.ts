import { test, type Test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider, type ScriptedRun } from '../helpers/scripted-provider.ts'

/** A server with a session `s` that holds the events 1 to 4 of a completed run. */
async function serveSession (t: Test) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent } })
  const post = async (content: string): Promise<ScriptedRun> => {
    await postJson(`${url}/sessions/s/messages`, { content })
    return agent.next()
  }
  const run = await post('hi')
  await run.emit({ kind: 'text', content: 'one' }, { kind: 'text', content: 'two' })
  run.end()
  await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
  const open = (query = '', headers: Record<string, string> = {}) => SseClient.open(`${url}/sessions/s/stream${query}`, { headers })
  return { app, agent, url, post, open }
}

const frames = (client: SseClient) => client.frames.map(({ id, data }) => `${id ?? '-'} ${data.kind}`)

test('a stream replays everything after Last-Event-ID, then goes live, across runs', async (t) => {
  const { open, post } = await serveSession(t)
  const client = await open('', { 'last-event-id': '2' })
  await client.until(({ seqs }) => seqs.includes(4))
  const run = await post('again')
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'th' }, { kind: 'text', messageId: 'm', content: 'three' })
  run.end()
  await client.until(({ seqs }) => seqs.includes(8))
  client.cut()
  t.strictSame(frames(client), ['2 chat_subscribed', '3 text', '4 complete', '5 text', '6 stream_delta', '7 text', '8 complete'])
  t.strictSame(client.frames[0]?.data, {
    kind: 'chat_subscribed', sessionId: 's', isProcessing: false, runId: null, waiting: [], cursor: 2, lastSeq: 4, compactedThrough: 0, pendingPermissions: [], morePendingPermissions: []
  })
})

test('on the wire: retry first, one data line and one id a frame, in that order, no event line', async (t) => {
  const { open } = await serveSession(t)
  const client = await (await open('?until=complete&lastEventId=3')).ended()
  const [subscribed, complete] = client.frames.map(({ data }) => JSON.stringify(data))
  t.equal(client.raw, `retry: 1000\ndata: ${subscribed}\nid: 3\n\ndata: ${complete}\nid: 4\n\n`)
  t.match(client.response.headers, {
    'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no', 'x-content-type-options': 'nosniff'
  })
})

test('live and replayed events are the same to the byte', async (t) => {
  const { open, post } = await serveSession(t)
  const live = await open('?lastEventId=4')
  await live.frame('chat_subscribed')
  const run = await post('weird')
  await run.emit(
    { kind: 'text', content: 'CR\rLF\nCRLF\r\n LS\u2028 NUL\0 lone\ud800 💥' },
    { kind: 'custom', name: 'x', data: { '\n\nid: 99\ndata: {}\n\n': '\r\rid: 98\r\r', big: 1e300, zero: -0 }, id: '97\nid: 96', event: 'forged\nid: 95', seq: 94 }
  )
  run.end()
  await live.frame('complete')
  live.cut()
  const replayed = await (await open('?lastEventId=4&until=complete')).ended()
  const bytes = ({ raw }: SseClient): string => raw.slice(raw.indexOf('\nid: 4\n\n'))
  t.equal(bytes(live), bytes(replayed))
  t.strictSame(live.frames.map(({ id }) => id), ['4', '5', '6', '7', '8'])
})

test('where a stream starts: the header, else the query, else everything', async (t) => {
  const { open } = await serveSession(t)
  const start = async (query: string, headers: Record<string, string> = {}) => {
    const client = await (await open(`${query}${query === '' ? '?' : '&'}until=complete`, headers)).ended()
    return frames(client)
  }
  const all = ['0 chat_subscribed', '1 text', '2 text', '3 text', '4 complete']
  t.strictSame(await start(''), all)
  t.strictSame(await start('?lastEventId='), all)
  t.strictSame(await start('?lastEventId=0'), all)
  t.strictSame(await start('?lastEventId=3'), ['3 chat_subscribed', '4 complete'])
  t.strictSame(await start('?lastEventId=1', { 'last-event-id': '3' }), ['3 chat_subscribed', '4 complete'], 'the header is newer than an EventSource\'s URL')
  t.strictSame(await start('?lastEventId=3', { 'last-event-id': '' }), ['3 chat_subscribed', '4 complete'], 'an empty header is none')
})

test('?lastEventId=latest gives only what is new', async (t) => {
  const { open, post } = await serveSession(t)
  const client = await open('?lastEventId=latest')
  await client.frame('chat_subscribed')
  ;(await post('new')).end()
  await client.frame('complete')
  client.cut()
  t.strictSame(frames(client), ['4 chat_subscribed', '5 text', '6 complete'])
})

test('a cursor that makes no sense here is answered by a gap and everything, never by silence', async (t) => {
  const { open } = await serveSession(t)
  const everything = ['1 text', '2 text', '3 text', '4 complete']
  for (const id of ['-1', '1.5', '1e3', '0x10', '+5', '005', '5abc', 'NaN', '9007199254740993', '12345678901234567890', '1, 2', 'latest']) {
    const client = await (await open('?until=complete', { 'last-event-id': id })).ended()
    t.strictSame(frames(client), ['0 chat_subscribed', '- gap', ...everything], id)
    t.strictSame(client.frames[1]?.data, { kind: 'gap', sessionId: 's', reason: 'malformed', from: 1, to: 4 }, id)
  }
  const ahead = await (await open('?until=complete', { 'last-event-id': '77' })).ended()
  t.strictSame(frames(ahead), ['0 chat_subscribed', '- gap', ...everything])
  t.strictSame(ahead.frames[1]?.data, { kind: 'gap', sessionId: 's', reason: 'ahead', from: 5, to: 77 })
})

test('a malformed query is a 400, as no EventSource has sent it', async (t) => {
  const { app } = await serveSession(t)
  for (const query of ['lastEventId=x', 'lastEventId=-1', 'lastEventId=1e3', 'lastEventId=007', 'lastEventId=1&lastEventId=2', 'until=never', 'until=']) {
    const { statusCode, body } = await app.inject(`/sessions/s/stream?${query}`)
    t.equal(statusCode, 400, query)
    t.match((JSON.parse(body) as { code: string }).code, /^INVALID_(CURSOR|REQUEST)$/, query)
  }
})

test('a stream on a session that does not exist yet waits for it, and creates nothing', async (t) => {
  const { app, url, agent } = await serveSession(t)
  const early = await Promise.all(['', '?until=complete', '?lastEventId=latest'].map((query) => SseClient.open(`${url}/sessions/later/stream${query}`)))
  const lost = await SseClient.open(`${url}/sessions/later/stream`, { headers: { 'last-event-id': '9' } })
  for (const client of [...early, lost]) {
    t.strictSame(await client.frame('chat_subscribed'), {
      kind: 'chat_subscribed', sessionId: 'later', isProcessing: false, runId: null, waiting: [], cursor: 0, lastSeq: 0, compactedThrough: 0, pendingPermissions: [], morePendingPermissions: []
    })
  }
  t.equal(await app.agentRuns.getSession('later'), null)
  await postJson(`${url}/sessions/later/messages`, { content: 'here' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'I am' })
  run.end()
  for (const client of early) {
    await client.frame('complete')
    t.strictSame(frames(client), ['0 chat_subscribed', '1 text', '2 text', '3 complete'])
  }
  await early[1]!.ended()
  await lost.frame('complete')
  t.strictSame(frames(lost), ['0 chat_subscribed', '- gap', '1 text', '2 text', '3 complete'])
  for (const client of [...early, lost]) client.cut()
})

test('?until=complete ends behind the run that is running, else the latest, and is a 204 to who has it', async (t) => {
  const { open, post, url, app } = await serveSession(t)
  for (const cursor of ['4', 'latest']) {
    t.equal((await fetch(`${url}/sessions/s/stream?until=complete&lastEventId=${cursor}`)).status, 204)
  }
  const run = await post('again')
  const client = await open('?until=complete', { 'last-event-id': '4' })
  await client.until(({ seqs }) => seqs.includes(5))
  run.end()
  await client.ended()
  t.strictSame(frames(client), ['4 chat_subscribed', '5 text', '6 complete'])

  await app.agentRuns.createSession({ id: 'fresh' })
  const fresh = await SseClient.open(`${url}/sessions/fresh/stream?until=complete`)
  t.match(await fresh.frame('chat_subscribed'), { lastSeq: 0 }, 'a session without any run waits for its first')
  fresh.cut()
})

test('clients that want no stream are told so; curl and absent-minded ones are served', async (t) => {
  const { app, open } = await serveSession(t)
  const refused = await app.inject({ url: '/sessions/s/stream', headers: { accept: 'application/json' } })
  t.match([refused.statusCode, refused.json()], [406, { code: 'NOT_ACCEPTABLE' }])
  for (const accept of ['*/*', 'text/*', 'text/event-stream', 'text/html, */*;q=0.1']) {
    t.equal((await (await open('?until=complete', { accept })).ended()).response.statusCode, 200, accept)
  }
  t.equal((await app.inject({ method: 'HEAD', url: '/sessions/s/stream' })).statusCode, 404)
  t.equal((await app.inject({ method: 'PUT', url: '/sessions/s/stream' })).statusCode, 404)
})

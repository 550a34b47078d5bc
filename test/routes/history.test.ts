import { test } from 'tap'
import type { Event } from '../../index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

interface History { events: Event[], hasMore: boolean, cursor: number, isProcessing: boolean }

async function serve (t: Parameters<typeof serveApp>[0]) {
  const agent = scriptedProvider()
  const { url, app } = await serveApp(t, { providers: { agent } })
  const post = async (content: string) => {
    await postJson(`${url}/sessions/s/messages`, { content })
    return agent.next()
  }
  const get = async <T>(path: string): Promise<T> => await (await fetch(`${url}/sessions/s${path}`)).json() as T
  const settled = async () => { await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended() }
  return { url, app, post, get, settled }
}

test('the history is read backwards in pages, oldest first in each', async (t) => {
  const { post, get, settled } = await serve(t)
  const run = await post('hi')
  for (const content of ['a', 'b', 'c']) await run.emit({ kind: 'stream_delta', messageId: content, content }, { kind: 'text', messageId: content, content })
  run.end()
  await settled()
  const latest = await get<History>('/messages?limit=2')
  t.strictSame(latest.events.map(({ seq, kind }) => [seq, kind]), [[7, 'text'], [8, 'complete']])
  t.match(latest, { hasMore: true, cursor: 8, isProcessing: false })
  const before = await get<History>(`/messages?limit=10&before=${latest.events[0]!.seq}`)
  t.strictSame(before.events.map(({ seq }) => seq), [1, 3, 5])
  t.match(before, { hasMore: false })
  t.match(await get('/messages?before='), { code: 'INVALID_REQUEST' })
})

test('a page reloaded in the middle of a message shows the whole text, once', async (t) => {
  const { url, post, get, settled } = await serve(t)
  const first = await post('one')
  await first.emit({ kind: 'text', messageId: 'a', content: 'first answer' })
  first.end()
  await settled()
  const run = await post('two')
  await run.emit({ kind: 'stream_delta', messageId: 'b', content: 'second ' }, { kind: 'stream_delta', messageId: 'b', content: 'ans' })
  await (await SseClient.open(`${url}/sessions/s/stream`)).until(({ seqs }) => seqs.includes(6))

  const history = await get<History>('/messages')
  t.strictSame(history.events.map(({ kind }) => kind), ['text', 'text', 'complete'])
  t.match(history, { hasMore: false, cursor: 3, isProcessing: true })
  const client = await SseClient.open(`${url}/sessions/s/stream?lastEventId=${history.cursor}`)
  await client.until(({ seqs }) => seqs.includes(6))
  await run.emit({ kind: 'stream_delta', messageId: 'b', content: 'wer' }, { kind: 'text', messageId: 'b', content: 'second answer' })
  run.end()
  await client.frame('complete')
  client.cut()
  const shown = new Map<string, string>()
  for (const event of [...history.events, ...client.events]) {
    if (event.kind === 'text') shown.set(event.messageId, event.content as string)
    if (event.kind === 'stream_delta') shown.set(event.messageId, (shown.get(event.messageId) ?? '') + event.content)
  }
  t.strictSame([...shown.values()], ['one', 'first answer', 'two', 'second answer'])
  t.strictSame([...history.events, ...client.events].map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('everything that is retained is there as JSON, to the byte of the stream', async (t) => {
  const { url, app, post, get, settled } = await serve(t)
  const run = await post('hi')
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'a' }, { kind: 'custom', name: 'x', data: { big: 1e300, text: '\u2028' } })
  run.end()
  await settled()
  const text = await (await fetch(`${url}/sessions/s/events`)).text()
  const stream = await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
  const lines = [...stream.raw.matchAll(/^data: ([^\n]*)\nid: [1-9]\d*$/gm)].map(([, json]) => json)
  t.equal(text, `{"events":[${lines.join(',')}],"hasMore":false,"lastSeq":5,"compactedThrough":0}`)
  t.match(await get('/events?after=3&limit=1'), { events: [{ seq: 4 }], hasMore: true, lastSeq: 5 })
  t.match(await get('/events?after=1.5'), { code: 'INVALID_REQUEST' })
  t.match(await get('/events?after=99'), { events: [], hasMore: false, lastSeq: 5 })
  t.strictSame((await app.agentRuns.history('s')).events.map(({ seq }) => seq), [1, 3, 4, 5])
})

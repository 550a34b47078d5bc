import { join } from 'node:path'
import { test } from 'tap'
import type { Event } from '../../index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** Resolves once the session's `compactedThrough` has come to `seq`. */
async function compactedThrough (url: string, seq: number): Promise<void> {
  for (;;) {
    const session = await (await fetch(`${url}/sessions/s`)).json() as { compactedThrough: number }
    if (session.compactedThrough >= seq) return
  }
}

/** What a client shows that keeps the rules of the protocol. */
function textsOf (events: Event[]): string[] {
  const texts = new Map<string, string>()
  for (const event of events) {
    if (event.kind === 'text') texts.set(event.messageId, event.content as string)
    if (event.kind === 'stream_delta') texts.set(event.messageId, event.snapshot === true ? event.content : (texts.get(event.messageId) ?? '') + event.content)
  }
  return [...texts.values()]
}

test('some time after its end a run keeps its whole messages and loses its deltas, and clients are told', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent }, retention: { completedRunMs: 0 } })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit(...['a', 'b', 'c'].map((content) => ({ kind: 'stream_delta', messageId: 'm', content })))
  run.end()
  await compactedThrough(url, 4)
  const { events } = await (await fetch(`${url}/sessions/s/events`)).json() as { events: Event[] }
  t.strictSame(events.map(({ seq, kind }) => [seq, kind]), [[1, 'text'], [5, 'text'], [6, 'complete']])

  const fresh = await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
  t.strictSame(fresh.kinds, ['chat_subscribed', 'text', 'text', 'complete'], 'who held nothing misses nothing')
  t.match(fresh.frames[0]?.data, { cursor: 0, lastSeq: 6, compactedThrough: 4 })
  const resumed = await (await SseClient.open(`${url}/sessions/s/stream?until=complete`, { headers: { 'last-event-id': '3' } })).ended()
  t.strictSame(resumed.kinds, ['chat_subscribed', 'gap', 'text', 'complete'])
  t.strictSame(resumed.frames[1]?.data, { kind: 'gap', sessionId: 's', reason: 'compacted', from: 4, to: 4 })
  t.strictSame(resumed.frames.map(({ id }) => id), ['3', undefined, '5', '6'])

  await postJson(`${url}/sessions/s/messages`, { content: 'more' })
  const next = await agent.next()
  await next.emit({ kind: 'stream_delta', messageId: 'n', content: 'x' })
  t.equal(((await (await fetch(`${url}/sessions/s`)).json()) as { compactedThrough: number }).compactedThrough, 4, 'a run that is running is left alone')
  next.end()
})

test('a completed run stays replayable to the last delta until its time is over', async (t) => {
  const agent = scriptedProvider()
  const { url, app } = await serveApp(t, { providers: { agent }, store: join(tempDir(t), 'runs.db') })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'a' }, { kind: 'stream_delta', messageId: 'm', content: 'b' })
  run.end()
  const client = await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
  t.strictSame(client.kinds, ['chat_subscribed', 'text', 'stream_delta', 'stream_delta', 'text', 'complete'])
  t.equal((await app.agentRuns.getSession('s'))?.compactedThrough, 0)
})

test('a long running run is merged as it goes: bounded for a new client, unchanged for one that follows', async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent }, retention: { maxTransientEventsPerRun: 64 } })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  const live = await SseClient.open(`${url}/sessions/s/stream`)
  const expected = { m: '', n: '' }
  const say = async (messageId: 'm' | 'n', i: number): Promise<void> => {
    expected[messageId] += `${i} `
    await run.emit({ kind: 'stream_delta', messageId, content: `${i} ` })
  }
  let half: SseClient | null = null
  for (let i = 0; i < 1_000; i++) {
    await say(i % 3 === 0 ? 'n' : 'm', i)
    if (i === 400) await run.emit({ kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: {} })
    if (i === 500) {
      half = await SseClient.open(`${url}/sessions/s/stream`)
      await half.frame('chat_subscribed')
      await half.until(({ seqs }) => (seqs.at(-1) ?? 0) >= 400)
      half.cut()
    }
  }
  await compactedThrough(url, 900)
  const { events } = await (await fetch(`${url}/sessions/s/events`)).json() as { events: Event[] }
  t.ok(events.length < 150, `${events.length} events are kept of more than 1,000`)
  const late = await SseClient.open(`${url}/sessions/s/stream`)
  const back = await SseClient.open(`${url}/sessions/s/stream`, { headers: { 'last-event-id': half!.lastEventId! } })
  t.match(await back.frame('gap'), { reason: 'compacted', from: Number(half!.lastEventId) + 1 })
  run.end()
  await Promise.all([live, late, back].map((client) => client.frame('complete')))
  for (const client of [live, late, back]) client.cut()
  t.strictSame(live.seqs, live.seqs.map((_, index) => index + 1), 'no hole for who was there')
  const truth = textsOf(live.events).slice(1).sort()
  t.strictSame(truth, [expected.m, expected.n].sort())
  t.strictSame(textsOf(late.events).slice(1).sort(), truth)
  t.strictSame(textsOf([...half!.events, ...back.events]).slice(1).sort(), truth)
})

import { test } from 'tap'
import { echo } from '../../providers/echo/echo.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'

const EVENTS = 800
const CLIENTS = 60

test('60 clients that join at any moment of a fast run, and are cut and come back, get each event once and in order', async (t) => {
  const { url } = await serveApp(t, { providers: { echo: echo() } })
  const first = await SseClient.open(`${url}/sessions/s/stream`)
  await postJson(`${url}/sessions/s/messages`, { content: JSON.stringify({ demo: { n: EVENTS, gapMs: 1, kind: 'stream_delta', nonce: 'x', size: 50 } }) })

  const follow = async (i: number): Promise<number[]> => {
    // Joins when the run has come to an arbitrary place.
    await first.until(({ events }) => events.length >= (i * 37) % EVENTS)
    const seqs: number[] = []
    for (let cursor = 0, cuts = 0; ; cuts++) {
      const client = await SseClient.open(`${url}/sessions/s/stream`, { headers: { 'last-event-id': String(cursor) } })
      const enough = cuts < 3 ? 50 + i * 3 : EVENTS * 2
      await client.until(({ events, kinds }) => events.length >= enough || kinds.at(-1) === 'complete')
      seqs.push(...client.seqs)
      client.cut()
      if (client.kinds.includes('complete')) return seqs
      cursor = seqs.at(-1) ?? 0
    }
  }
  const expected = Array.from({ length: EVENTS + 3 }, (_, index) => index + 1)
  const all = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => follow(i)))
  t.equal(all.filter((seqs) => seqs.length === expected.length && seqs.every((seq, index) => seq === expected[index])).length, CLIENTS)
  await first.frame('complete')
  t.strictSame(first.seqs, expected)
  first.cut()
})

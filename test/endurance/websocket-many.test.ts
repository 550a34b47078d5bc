/* One connection for everything: as many sessions as a user may have open, through a network that breaks. */
import { test } from 'tap'
import type { Event } from '../../index.ts'
import type { AcceptedFrame } from '../../lib/protocol/words.ts'
import { echo } from '../../providers/echo/echo.ts'
import { serveApp } from '../helpers/build-app.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { random } from '../helpers/random.ts'
import { SocketClient } from '../helpers/read-socket.ts'

const SESSIONS = 200
const EVENTS = 60
const CUTS = 8

const ids = Array.from({ length: SESSIONS }, (_, i) => `s${i}`)

/** What a client keeps from one connection to the next. */
class Memory {
  readonly events = new Map<string, Event[]>(ids.map((id) => [id, []]))
  readonly runIds = new Map<string, string>()
  connections = 0

  /** Comes back: sends what was not answered again, and follows the rest from where it is. */
  async connect (url: string): Promise<SocketClient> {
    const client = await SocketClient.open(url)
    this.connections++
    const answered = ids.filter((id) => this.runIds.has(id))
    if (answered.length > 0) client.subscribe(Object.fromEntries(answered.map((id) => [id, this.cursor(id)])))
    for (const [i, id] of ids.entries()) {
      if (this.runIds.has(id)) continue
      const demo = { n: EVENTS, gapMs: 15 + i % 17, nonce: id, kind: i % 2 === 0 ? 'text' : 'stream_delta' }
      client.send({ type: 'chat.send', sessionId: id, content: JSON.stringify({ demo }), idempotencyKey: 'first' })
    }
    return client
  }

  cursor (id: string): number {
    return this.events.get(id)!.at(-1)?.seq ?? 0
  }

  /** Takes what came of a connection that is gone. */
  keep (client: SocketClient): void {
    for (const frame of client.frames) {
      if ('seq' in frame) this.events.get(frame.sessionId)!.push(frame)
      else if (frame.kind === 'chat_accepted') this.runIds.set(frame.sessionId, (frame as AcceptedFrame).runId)
    }
  }

  get complete (): number {
    return ids.filter((id) => this.events.get(id)!.at(-1)?.kind === 'complete').length
  }
}

test(`one socket that follows ${SESSIONS} sessions with a run in each, is cut off again and again and resumes, gets every event once and in order`, async (t) => {
  const { app, url } = await serveApp(t, { providers: { echo: echo() } })
  const proxy = await CuttingProxy.open(t, url)
  const memory = new Memory()
  const { below, pick } = random(3)
  for (let cuts = 0; cuts < CUTS; cuts++) {
    const client = await memory.connect(proxy.url)
    if (cuts % 2 === 0) {
      // Anywhere; the first time before all of the messages were answered.
      const enough = cuts === 0 ? 50 + below(50) : 300 + below(700)
      await client.until(({ frames }) => frames.length >= enough)
      proxy.cut()
    } else {
      // In the middle of a frame, of which half has come.
      const going = pick(ids.filter((id) => memory.events.get(id)!.length < EVENTS / 2))
      await proxy.cutInside(`@@${going}:${Math.min(EVENTS, Math.max(1, memory.cursor(going)) + 6)}@@`)
    }
    await client.closed
    memory.keep(client)
  }
  t.ok(memory.complete < SESSIONS, `it was cut off in the middle: ${memory.complete} runs were over`)
  const last = await memory.connect(url)
  await last.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length + memory.complete === SESSIONS)
  await last.served()
  memory.keep(last)
  last.cut()

  t.equal(memory.connections, CUTS + 1)
  for (const [i, id] of ids.entries()) {
    const events = memory.events.get(id)!
    t.strictSame(events.map(({ seq }) => seq), events.map((_, index) => index + 1), id)
    const marks = events.slice(1, 1 + EVENTS).map((event) => 'content' in event ? event.content : null)
    t.strictSame(marks, Array.from({ length: EVENTS }, (_, index) => `@@${id}:${index + 1}@@`), id)
    t.strictSame(events.slice(1 + EVENTS).map(({ kind }) => kind), i % 2 === 0 ? ['complete'] : ['text', 'complete'], id)
    t.strictSame((await app.agentRuns.listRuns(id)).runs.map(({ runId }) => runId), [memory.runIds.get(id)], 'one run, however often it was asked for')
  }
})

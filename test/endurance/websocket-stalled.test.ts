/* Sockets whose peers take nothing: what is kept for them is little, and nobody else notices. */
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { SocketClient } from '../helpers/read-socket.ts'
import { postJson } from '../helpers/read-sse.ts'
import { scriptedProvider, type ScriptedRun } from '../helpers/scripted-provider.ts'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const FLOOD = { mode: 'burst', n: 3_000, size: 20_000 }
const MEGABYTES = FLOOD.n * FLOOD.size / 1e6
const OTHERS = 98
/** What buffers may hold of the flood: of each stalled reader a page or two, and the pages that are on their way. */
const BUFFER_LIMIT = 10e6
const HIGH_WATER_BYTES = 256 * 1024
const PAGE_BYTES = 256 * 1024

const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)

test('of a hundred sockets on a busy server one stalls: it costs the others nothing, the server little, and has everything in the end', async (t) => {
  const server = spawnScript(t, 'serve-demo.ts', [join(tempDir(t), 'runs.db')])
  const url = (await server.line('listening ')).split(' ')[1]!
  const buffered = async (): Promise<number> => (await (await fetch(`${url}/memory`)).json() as { arrayBuffers: number }).arrayBuffers
  const play = (sessionId: string, demo: Record<string, unknown>) => postJson(`${url}/sessions/${sessionId}/messages`, { content: JSON.stringify({ demo }) })

  const [stalled, fast] = await Promise.all([SocketClient.follow(url, { s: 0 }), SocketClient.follow(url, { s: 0 })])
  const others = await Promise.all(upTo(OTHERS).map((i) => SocketClient.follow(url, { [`s${i}`]: 0 })))
  await Promise.all([stalled, fast, ...others].map((client) => client.frame('chat_subscribed')))
  stalled.stall()
  await play('s', FLOOD)
  await Promise.all(others.map((_, i) => play(`s${i + 1}`, { n: 40, size: 1_000, gapMs: 1 })))
  let peak = 0
  for (const part of [0.2, 0.4, 0.6, 0.8, 1]) {
    await fast.until(({ events }) => events.length >= FLOOD.n * part)
    peak = Math.max(peak, await buffered())
  }
  await Promise.all([fast, ...others].map((client) => client.frame('complete')))
  peak = Math.max(peak, await buffered())
  t.ok(peak < BUFFER_LIMIT, `${Math.round(peak / 1e6)} MB in buffers while ${MEGABYTES} MB were streamed past a stalled reader`)
  t.strictSame(fast.seqs, upTo(FLOOD.n + 2))
  t.equal(others.filter(({ seqs }) => JSON.stringify(seqs) === JSON.stringify(upTo(42))).length, OTHERS)
  t.ok(stalled.seqs.length < FLOOD.n)

  stalled.resume()
  const half = FLOOD.n / 2
  await stalled.until(({ events }) => events.length >= half)
  stalled.cut()
  await stalled.closed
  const again = await SocketClient.follow(url, { s: stalled.seqs.at(-1)! })
  await again.frame('complete')
  t.strictSame([...stalled.seqs, ...again.seqs], fast.seqs)
  for (const client of [fast, again, ...others]) client.cut()
})

test('what is kept for one stalled socket is a page, not a page of each session that it follows', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent } })
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => { sockets.push(socket) })
  const ids = upTo(100).map((i) => `s${i}`)
  const say = async (runs: ScriptedRun[], times: number): Promise<void> => {
    for (let i = 0; i < times; i++) await Promise.all(runs.map((run) => run.emit({ kind: 'text', content: 'x'.repeat(20_000) })))
  }
  const runs: ScriptedRun[] = []
  for (const id of ids) {
    await postJson(`${url}/sessions/${id}/messages`, { content: 'go' })
    runs.push(await agent.next())
  }
  await say(runs, 20)
  for (const id of ids) while ((await app.agentRuns.getSession(id))!.lastSeq < 21) await nextTurn()

  // Half of them live when it stalls, half with all of their logs to come.
  const [live, logs] = [ids.slice(0, 50), ids.slice(50)]
  const client = await SocketClient.follow(url, Object.fromEntries(live.map((id) => [id, 21])))
  await client.until(({ kinds }) => kinds.length === 50)
  client.stall()
  client.subscribe(Object.fromEntries(logs.map((id) => [id, 0])))
  const socket = sockets.find(({ remotePort }) => remotePort === client.localPort)!
  while (socket.writableLength < HIGH_WATER_BYTES) await nextTurn()
  const witness = await SocketClient.follow(url, Object.fromEntries(ids.map((id) => [id, 21])))
  await say(runs, 20)
  await witness.until(({ events }) => events.length === 100 * 20)
  t.ok(socket.writableLength < HIGH_WATER_BYTES + PAGE_BYTES + 25_000, `${Math.round(socket.writableLength / 1e3)} kB wait for it`)
  t.ok(client.events.length < 50 * 40, 'it has not taken them')

  client.resume()
  await say(runs, 5)
  for (const run of runs) run.end()
  await client.until(({ events }) => events.length === 50 * (47 - 21) + 50 * 47)
  await client.served()
  for (const id of ids) {
    const { seqs, kinds } = client.session(id)
    t.strictSame(seqs, live.includes(id) ? upTo(47, 22) : upTo(47), id)
    t.strictSame(kinds.filter((kind) => kind !== 'text'), ['chat_subscribed', 'complete'], id)
  }
  witness.cut()
  client.cut()
})

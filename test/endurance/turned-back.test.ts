/* When time is turned back: a database that is restored from a backup, a clock that jumps. */
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { buildApp, serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { type ScriptedProvider, scriptedProvider } from '../helpers/scripted-provider.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const HOUR_MS = 3_600_000

async function say (url: string, agent: ScriptedProvider, text: string): Promise<void> {
  await postJson(`${url}/sessions/s/messages`, { content: text })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: `${text}!` })
  run.end()
  await (await SseClient.open(`${url}/sessions/s/stream?until=complete`)).ended()
}

test('a client that is ahead of a restored backup is told so, and gets what there is', async (t) => {
  const [path, backup] = [join(tempDir(t), 'runs.db'), join(tempDir(t), 'backup.db')]
  const agent = scriptedProvider()
  const before = await serveApp(t, { providers: { agent }, store: path })
  await say(before.url, agent, 'one')
  await postJson(`${before.url}/sessions/s/messages`, { content: 'two' })
  const running = await agent.next()
  await running.emit({ kind: 'stream_delta', messageId: 'm', content: 'half of' })
  const client = await SseClient.open(`${before.url}/sessions/s/stream`)
  await client.until(({ seqs }) => seqs.includes(5))
  const source = new Database(path, { readonly: true })
  await source.backup(backup)
  source.close()
  await running.emit({ kind: 'stream_delta', messageId: 'm', content: ' it all' })
  running.end()
  await client.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length === 2)
  client.cut()
  t.equal(client.lastEventId, '8')
  await before.app.close()

  for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true })
  copyFileSync(backup, path)
  const after = await serveApp(t, { providers: { agent }, store: path })
  const back = await SseClient.open(`${after.url}/sessions/s/stream`, { headers: { 'last-event-id': client.lastEventId! } })
  await back.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length === 2)
  t.strictSame(back.frames.map(({ id, data }) => `${id ?? '-'} ${data.kind}`), ['0 chat_subscribed', '- gap', '1 text', '2 text', '3 complete', '4 text', '5 stream_delta', '6 text', '7 complete'])
  t.match(back.frames[1]!.data, { kind: 'gap', reason: 'ahead' })
  t.match(back.events.slice(-2), [{ content: 'half of' }, { reason: 'interrupted' }], 'a run that was running when the backup was made ended with it')
  await say(after.url, agent, 'three')
  await back.until(({ seqs }) => seqs.includes(10))
  back.cut()
})

/** Lets the wall's clock jump; it goes on from there. */
function jump (t: Test, ms: number): void {
  const { now } = Date
  Date.now = () => now() + ms
  t.teardown(() => { Date.now = now })
}

test('a clock that jumps by an hour, forth or back, ends no run, opens no hole, and takes nobody for dead', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  // Databases of a host: there are no locks, and only the leases tell who is alive.
  const stores = Array.from({ length: 2 }, () => {
    const database = new Database(path, { timeout: 100 })
    database.pragma('journal_mode = WAL')
    t.teardown(() => database.close())
    return sqliteStore({ database, leaseMs: 3_000 })
  })
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, store: stores[0]!, heartbeatMs: 100, runTimeoutMs: 60_000 })
  const other = await buildApp(t, { providers: { agent: scriptedProvider() }, store: stores[1]! })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  let seq = 1
  for (const ms of [HOUR_MS, -2 * HOUR_MS, 3 * HOUR_MS]) {
    jump(t, ms)
    await run.emit({ kind: 'text', content: 'still here' })
    await client.until(({ seqs }) => seqs.includes(seq + 1))
    seq++
    // So long that the other instance has looked who is alive.
    await client.comments(client.raw.split('\n:').length + 12)
    await t.rejects(other.agentRuns.startRun({ sessionId: 's', content: 'mine?' }), { code: 'AGENT_RUNS_RUN_IN_PROGRESS' })
  }
  run.end()
  await client.frame('complete')
  client.cut()
  t.strictSame(client.events.map(({ seq, kind }) => [seq, kind]), [[1, 'text'], [2, 'text'], [3, 'text'], [4, 'text'], [5, 'complete']])
  t.match(client.events.at(-1), { reason: 'finished' })
  const times = client.events.map(({ timestamp }) => Date.parse(timestamp))
  t.ok(times[2]! < times[1]!, 'timestamps say what the clock said; the order is that of the seqs')
  await app.agentRuns.createSession({ id: 'newer' })
  t.strictSame((await app.agentRuns.listSessions()).sessions.map(({ id }) => id), ['newer', 's'])
})

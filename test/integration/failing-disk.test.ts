import { closeSync, copyFileSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { noSmallDisk, SmallDisk } from '../helpers/small-disk.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('a disk that is full refuses messages, goes on being read, and when there is room again nothing was lost', { skip: noSmallDisk() }, async (t) => {
  const disk = new SmallDisk(t, 8)
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent }, store: join(disk.path, 'runs.db') })
  const sessions = ['a', 'b', 'c', 'd']
  for (const id of sessions) await postJson(`${url}/sessions/${id}/messages`, { content: 'go' })
  const runs = [await agent.next(), await agent.next(), await agent.next(), await agent.next()]
  const clients = await Promise.all(sessions.map((id) => SseClient.open(`${url}/sessions/${id}/stream`)))
  for (const run of runs) await run.emit({ kind: 'text', content: 'before' })
  await Promise.all(clients.map((client) => client.until(({ events }) => events.length === 2)))

  disk.fill()
  // Far more than what SQLite may still have room for in its log file.
  const blocked = runs.map((run) => run.emit(...Array.from({ length: 60 }, () => ({ kind: 'text', content: 'x'.repeat(20_000) }))))
  let refused
  do refused = await postJson(`${url}/sessions`, { title: 'x'.repeat(500) })
  while (refused.status === 201)
  t.match(refused, { status: 503, body: { code: 'STORE_UNAVAILABLE', message: 'The store is not available.' } })
  t.equal(refused.headers.get('retry-after'), '1')
  t.equal((await fetch(`${url}/sessions/a/messages`)).status, 200, 'what is there is still served')
  const seen = clients.map(({ seqs }) => seqs.length)
  disk.free()

  await Promise.all(blocked)
  for (const run of runs) run.end()
  await Promise.all(clients.map((client) => client.frame('complete')))
  for (const [index, client] of clients.entries()) {
    t.ok(seen[index]! < 63, 'the disk was full before the run was over')
    t.strictSame(client.seqs, Array.from({ length: 63 }, (_, seq) => seq + 1))
    t.match(client.events.at(-1), { kind: 'complete', reason: 'finished' })
  }
  t.equal((await postJson(`${url}/sessions/a/messages`, { content: 'again' })).status, 202)
})

test('a database on a read-only disk is refused at boot by name, and left as it is', { skip: noSmallDisk() }, async (t) => {
  const disk = new SmallDisk(t, 8)
  const path = join(disk.path, 'runs.db')
  const store = sqliteStore({ path })
  await store.open()
  await store.close()
  disk.remount('ro')
  t.teardown(() => disk.remount('rw'))
  await t.rejects(sqliteStore({ path }).open(), { code: /AGENT_RUNS_STORE_INVALID|STORE_UNAVAILABLE/ })
})

test('a database whose file is removed or replaced says so, instead of writing what nobody will ever read', async (t) => {
  const agent = scriptedProvider()
  const path = join(tempDir(t), 'runs.db')
  const { url } = await serveApp(t, { providers: { agent }, store: path })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  rmSync(path)
  let answer
  do answer = await postJson(`${url}/sessions`, {})
  while (answer.status === 201)
  t.match(answer, { status: 503, body: { code: 'STORE_UNAVAILABLE' } })
  run.end()
})

/** A database with some history, closed. */
async function fill (path: string): Promise<void> {
  const store = sqliteStore({ path })
  await store.open()
  for (let i = 0; i < 300; i++) await store.createSession({ id: `s${i}`, owner: '', provider: null, title: 'x'.repeat(900), metadata: {} })
  await store.close()
}

test('a damaged database, or a file that is none, is refused at boot and left as it is', async (t) => {
  const directory = tempDir(t)
  const whole = join(directory, 'whole.db')
  await fill(whole)
  const size = statSync(whole).size
  for (const [name, at, text] of [['middle', size / 2, '\xff'.repeat(20_000)], ['header', 0, 'not a database at all'], ['schema', 100, '\xff'.repeat(3_000)]] as const) {
    const path = join(directory, `${name}.db`)
    copyFileSync(whole, path)
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.from(text, 'latin1'), 0, text.length, at)
    closeSync(file)
    await t.rejects(sqliteStore({ path }).open(), { code: 'AGENT_RUNS_STORE_INVALID' }, name)
    t.equal(statSync(path).size, size, 'nothing was made anew in its place')
  }
  const text = join(directory, 'notes.txt')
  writeFileSync(text, 'dear diary, '.repeat(500))
  await t.rejects(sqliteStore({ path: text }).open(), { code: 'AGENT_RUNS_STORE_INVALID' })
})

test('damage that is met while serving costs the request that meets it, and not the process', async (t) => {
  const agent = scriptedProvider()
  const path = join(tempDir(t), 'runs.db')
  await fill(path)
  const database = new Database(path)
  t.teardown(() => database.close())
  // What it has read before it must read again.
  database.pragma('cache_size = 1')
  const { url } = await serveApp(t, { providers: { agent }, store: sqliteStore({ database }) })
  const size = statSync(path).size
  const file = openSync(path, 'r+')
  for (let at = 20_480; at < size; at += 4_096) writeSync(file, Buffer.alloc(4_096, 0xff), 0, 4_096, at)
  closeSync(file)
  const answer = await fetch(`${url}/sessions?limit=500`)
  t.strictSame(await answer.json(), { statusCode: 500, code: 'STORE_FAILED', error: 'Internal Server Error', message: 'The store failed.' }, 'nothing of SQLite\'s own words')
  t.equal((await fetch(`${url}/nowhere`)).status, 404, 'the process serves on')
})

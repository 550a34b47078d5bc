/* SIGTERM to a server that is a process of its own: with stuck peers, twice, and while it starts. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { spawnModule } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('SIGTERM: the standalone server exits with 0 although a peer is stuck; a second signal exits at once', async (t) => {
  const start = async () => {
    const server = spawnModule(t, 'standalone/server.ts', ['--port', '0', '--db', join(tempDir(t), 'runs.db'), '--log-level', 'silent', '--close-grace-ms', '500'])
    const [url] = (await server.line('fastify-agent-runs is listening')).match(/http:[^ ]*\d/)!
    return { server, url }
  }
  const first = await start()
  await postJson(`${first.url}/sessions/s/messages`, { content: '{"demo":{"mode":"hang","n":200,"at":200,"size":100000}}' })
  const stalled = await SseClient.open(`${first.url}/sessions/s/stream`)
  stalled.stall()
  const client = await SseClient.open(`${first.url}/sessions/s/stream`)
  await client.until(({ seqs }) => seqs.includes(201))
  t.equal(await first.server.kill('SIGTERM'), 0)
  await client.ended()
  t.strictSame(client.kinds.slice(-2), ['complete', 'stream_closing'])
  stalled.cut()

  const second = await start()
  await postJson(`${second.url}/sessions/s/messages`, { content: '{"demo":{"mode":"ignoreAbort","n":1}}' })
  second.server.process.kill('SIGTERM')
  await second.server.line('Closing')
  t.equal(await second.server.kill('SIGTERM'), 1)
})

test('SIGTERM while the server starts ends it, and the next one finds everything in order', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const start = () => spawnModule(t, 'standalone/server.ts', ['--port', '0', '--db', database, '--log-level', 'silent'])
  const first = start()
  // In the middle of creating and migrating it.
  while (!existsSync(database)) await new Promise((resolve) => { setImmediate(resolve) })
  const second = start()
  t.ok(['SIGTERM', 0].includes(await first.kill('SIGTERM')), 'at once, or in order')
  const [url] = (await second.line('fastify-agent-runs is listening')).match(/http:[^ ]*\d/)!
  t.equal((await postJson(`${url}/sessions/s/messages`, { content: 'hi' })).status, 202)
  t.equal(await second.kill('SIGTERM'), 0)
})

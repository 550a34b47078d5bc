import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { spawnModule } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const ROOT = join(import.meta.dirname, '../..')

test('examples/dialect: the dialect of docs/dialects.md is spoken', async (t) => {
  const code = readFileSync(join(ROOT, 'examples/dialect/server.ts'), 'utf8')
  const shown = /```ts\n(const body = [^`]*(?:`[^`]+`[^`]*)*?)```/.exec(readFileSync(join(ROOT, 'docs/dialects.md'), 'utf8'))![1]!
  t.ok(code.includes(shown), 'what the document shows is what runs')

  const server = spawnModule(t, 'examples/dialect/server.ts', [], { PORT: '0', DATABASE: join(tempDir(t), 'runs.db') })
  await server.line('{"level":30')
  const [url] = /http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+/.exec(server.lines.join())!
  const response = await fetch(`${url}/lines`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"room":"demo","say":"Hello there"}' })
  t.equal(response.headers.get('x-lines'), '1')
  const { runs: [run] } = await (await fetch(`${url}/sessions/demo/runs`)).json() as { runs: Array<{ runId: string }> }
  t.equal(await response.text(), `retry: 1000\ndata: "# ${run!.runId}"\n\ndata: "Hello there"\n\ndata: "# finished"\n\n`)
  t.match(await (await fetch(`${url}/lines/demo/messages`)).json(), { messages: ['user: Hello there', 'assistant: Hello there'] })
  t.equal((await fetch(`${url}/lines/demo/stream`)).status, 204)
  t.match(await (await fetch(`${url}/lines`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"room":"de/mo","say":"Hello"}' })).json(), { statusCode: 400, code: 'INVALID_REQUEST' })
  t.match(await (await fetch(`${url}/lines`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"room":"demo"}' })).json(), { statusCode: 400, code: 'INVALID_REQUEST' })
})

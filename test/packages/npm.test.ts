import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test, type Test } from 'tap'
import { ENV, npmProject } from '../helpers/packed-package.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { assertReadmeRuns } from '../helpers/readme-app.ts'
import { ScriptProcess } from '../helpers/spawn-script.ts'

const plugin = npmProject('plugin')
const client = npmProject('client')
const server = npmProject('server')

/** Every module that the page imports is there, compiled, and nothing that it does not need. */
async function assertPlayground (t: Test, url: string): Promise<void> {
  const page = await (await fetch(url)).text()
  const { imports } = JSON.parse(/<script type="importmap">([^<]*)</.exec(page)![1]!) as { imports: Record<string, string> }
  const modules = [new URL('playground/app.js', url).href]
  for (const module of modules) {
    const answer = await fetch(module)
    t.match([answer.status, answer.headers.get('content-type')], [200, /javascript/], module)
    for (const [, name] of (await answer.text()).matchAll(/^(?:import|export)(?:\b[^'"\n]*\bfrom)? ?["']([^'"]+)["']/gm)) {
      const { href } = imports[name!] === undefined ? new URL(name!, module) : new URL(imports[name!]!, url)
      if (!modules.includes(href)) modules.push(href)
    }
  }
  const paths = modules.map((module) => new URL(module).pathname)
  for (const wanted of ['/playground/client/index.js', '/playground/client/transcript.js', '/playground/eventsource-parser/index.js', '/playground/chat.js']) t.ok(paths.includes(wanted), wanted)
  for (const hidden of ['/playground/client/index.d.ts', '/playground/client/index.ts', '/playground/index.html']) t.equal((await fetch(new URL(hidden, url))).status, 404, hidden)
}

/** The files of an installed package. */
function filesOf (root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

test('the plugin, installed by npm', { skip: plugin.skip, timeout: 300_000 }, async (t) => {
  const project = plugin.copy(t)
  const root = join(project, 'node_modules/fastify-agent-runs')

  await t.test('runs the README\'s app as an ES module, in CommonJS and in TypeScript', (t) => assertReadmeRuns(t, project))

  await t.test('holds what runs and what explains it, and nothing else', (t) => {
    const files = filesOf(root)
    for (const wanted of ['dist/index.js', 'dist/index.d.ts', 'dist/client.d.ts', 'dist/db/sqlite/migrations/0000_initial.sql', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs/PROTOCOL.md']) {
      t.ok(files.includes(wanted), wanted)
    }
    t.strictSame(files.filter((path) => !/^(dist\/|docs\/.*\.md$|docs\/config\.schema\.json$|package\.json$|README\.md$|LICENSE$|CHANGELOG\.md$)/.test(path)), [])
    t.strictSame(files.filter((path) => /^dist\/(test|bench|client|standalone|playground)\//.test(path)), [])
    t.end()
  })

  await t.test('brings nothing that only the server needs; its bin says where that is', (t) => {
    const fastify = readdirSync(join(project, 'node_modules/@fastify'))
    for (const foreign of ['swagger', 'swagger-ui', 'static', 'cookie', 'cors', 'rate-limit']) t.notOk(fastify.includes(foreign), foreign)
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'dist/bin.js')], { encoding: 'utf8', env: ENV })
    t.match([status, stderr], [1, /npx fastify-agent-runs-server/])
    t.end()
  })
})

test('the client library, installed by npm', { skip: client.skip, timeout: 300_000 }, async (t) => {
  const project = client.copy(t)
  t.strictSame(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')).sort(), ['eventsource-parser', 'fastify-agent-runs-client'])
  const files = filesOf(join(project, 'node_modules/fastify-agent-runs-client'))
  for (const wanted of ['dist/client/index.js', 'dist/client/index.d.ts', 'README.md', 'LICENSE']) t.ok(files.includes(wanted), wanted)
  t.strictSame(files.filter((path) => !/^(dist\/(client|lib\/protocol)\/|package\.json$|README\.md$|LICENSE$)/.test(path)), [])
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', 'console.log(Object.keys(await import("fastify-agent-runs-client")).join())'], { cwd: project, encoding: 'utf8', env: ENV })
  t.match([stdout, stderr], [/createClient/, ''])
})

test('the server, installed by npm', { skip: server.skip, timeout: 300_000 }, async (t) => {
  const project = server.copy(t)
  const root = join(project, 'node_modules/fastify-agent-runs-server')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const child = spawn(join(project, 'node_modules/.bin/fastify-agent-runs-server'), ['--port', '0'], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'], env: ENV })
  t.teardown(() => { child.kill('SIGKILL') })
  const script = new ScriptProcess(child)
  const greeting = 'fastify-agent-runs is listening at '
  const url = (await script.line(greeting)).slice(greeting.length).split('. ')[0]!
  t.equal((await postJson(`${url}/sessions/bin/messages`, { content: 'hi' })).status, 202)
  const stream = await SseClient.open(`${url}/sessions/bin/stream?until=complete`)
  t.strictSame((await stream.ended()).kinds, ['chat_subscribed', 'text', 'stream_delta', 'stream_end', 'text', 'complete'])
  t.match(await (await fetch(`${url}/openapi.json`)).json(), { info: { version }, paths: { '/sessions/{id}/messages': {} } })
  t.equal((await fetch(`${url}/docs`)).status, 200)
  await assertPlayground(t, `${url}/`)
  t.equal(await script.kill('SIGTERM'), 0)
  t.strictSame(filesOf(root).filter((path) => !/^(standalone\/[\w-]+\.js$|playground\/[\w-]+\.(js|css|html|svg)$|package\.json$|README\.md$|LICENSE$)/.test(path)), [])
})

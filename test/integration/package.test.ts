import { execFile, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test, type Test } from 'tap'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { ScriptProcess } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)
// Tools of the tests, which the project has not installed.
const TSX = import.meta.resolve('tsx')
const TYPES = join(ROOT, 'node_modules/@types')

/**
 * An empty project in which the packed package is installed beside what it says it depends on. What those depend on they
 * find where the links lead: the package itself finds nothing there that it does not name.
 */
async function installPacked (t: Test): Promise<string> {
  const project = tempDir(t)
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: ROOT })
  // npm 12 will answer with an object, npm 11 answers with a list; what the build prints comes before either.
  const [, filename] = /"filename": "([^"]+)"/.exec(stdout)!
  const modules = join(project, 'node_modules')
  mkdirSync(join(modules, 'fastify-agent-runs'), { recursive: true })
  await run('tar', ['-xzf', join(project, filename!), '-C', join(modules, 'fastify-agent-runs'), '--strip-components=1'])
  for (const name of needed(join(modules, 'fastify-agent-runs'))) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  writeFileSync(join(project, 'package.json'), '{"name":"consumer","private":true,"type":"module"}')
  return project
}

/** What whoever installs a package gets with it. */
function needed (path: string): string[] {
  const { dependencies, peerDependencies, peerDependenciesMeta: meta } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<'dependencies' | 'peerDependencies', Record<string, string>> & { peerDependenciesMeta: Record<string, { optional?: boolean }> }
  return [...Object.keys(dependencies), ...Object.keys(peerDependencies).filter((name) => meta[name]?.optional !== true)]
}

/** The snippets of the README, as they stand. */
function snippet (language: string): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  return new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readme)![1]!
}

// What a consumer's own types may rely on.
const CONSUMER = `
import { type Event, type Provider, ProviderError } from 'fastify-agent-runs'
import { sqliteStore } from 'fastify-agent-runs/sqlite'
import { command } from 'fastify-agent-runs/providers/command'
import { memoryStore, providerSuite, type StoreHarness, storeSuite } from 'fastify-agent-runs/conformance'
import { test } from 'node:test'
declare module 'fastify-agent-runs' { interface EventKinds { weather: { celsius: number } } }
export const mine: Provider = {
  async * run ({ content, providerSessionId, history }) {
    for await (const event of history()) if (event.kind === 'weather') yield { kind: 'weather', celsius: event.celsius }
    yield { kind: 'stream_delta', content: String(content) + String(providerSessionId) }
    throw new ProviderError('no', { code: 'NO' })
  }
}
export function show (event: Event): string {
  switch (event.kind) {
    case 'tool_use': return event.toolName
    case 'complete': return event.reason
    // @ts-expect-error a text has no toolName
    case 'text': return event.toolName
    default: return event.kind
  }
}
const state = await app.runs.getRun('r')
export const status: 'queued' | 'running' | 'completed' | undefined = state?.status
const harness: StoreHarness = { database: async () => ({ open: async () => memoryStore(), close: async () => {} }) }
export const suites = [() => storeSuite(test, harness), () => providerSuite(test, { create: () => mine, content: 'hi' })]
export const others = [sqliteStore({ path: 'x.db' }), command({ command: 'ls' })]
`

// Says what happened in the app of a snippet, then leaves.
const PROBE = `
async function probe () {
  const answer = await app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content: 'hi' } })
  process.stdout.write(String(answer.statusCode))
  await app.close()
}
`

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

test('the packed package', async (t) => {
  const project = await installPacked(t)

  await t.test('runs the README\'s snippet in TypeScript, ESM and CommonJS, with its migrations', async (t) => {
    const code = snippet('ts').replace('port: 3000', 'port: 0').replace('throw error', 'throw error; void probe()') + PROBE
    const required = code.replaceAll(/import (\S+) from (\S+)/g, 'const $1 = require($2)').replace('import { echo } from', 'const { echo } = require(')
      .replace("providers/echo'", "providers/echo')")
    const files = { 'app.ts': code, 'app.mjs': code, 'app.cjs': required }
    for (const [name, source] of Object.entries(files)) {
      writeFileSync(join(project, name), source)
      const { stdout } = await run(process.execPath, [...name.endsWith('ts') ? ['--import', TSX] : [], name], { cwd: project, env: { ...process.env, _TAPJS_PROCESSINFO_COVERAGE_: '0' } })
      t.equal(stdout, '202', name)
    }
  })

  await t.test('has the types that the snippets need', async (t) => {
    writeFileSync(join(project, 'types.ts'), snippet('ts') + CONSUMER)
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({
      compilerOptions: { target: 'ES2022', module: 'NodeNext', strict: true, noEmit: true, skipLibCheck: true, typeRoots: [TYPES], types: ['node'] }, files: ['types.ts']
    }))
    const { stdout } = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project]).catch((error: { stdout: string }) => error)
    t.equal(stdout, '')
  })

  await t.test('has a bin that serves runs, says what its routes are, and has a playground', async (t) => {
    const [root, bin] = [join(project, 'node_modules/fastify-agent-runs'), join(project, 'fastify-agent-runs')]
    const { version, bin: { 'fastify-agent-runs': target } } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string, bin: Record<string, string> }
    symlinkSync(join(root, target!), bin)
    const child = spawn(bin, ['--port', '0'], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, _TAPJS_PROCESSINFO_COVERAGE_: '0' } })
    t.teardown(() => { child.kill('SIGKILL') })
    const server = new ScriptProcess(child)
    const greeting = 'fastify-agent-runs is listening at '
    const url = (await server.line(greeting)).slice(greeting.length).split('. ')[0]!
    t.equal((await postJson(`${url}/sessions/bin/messages`, { content: 'hi' })).status, 202)
    const stream = await SseClient.open(`${url}/sessions/bin/stream?until=complete`)
    t.strictSame((await stream.ended()).kinds, ['chat_subscribed', 'text', 'stream_delta', 'stream_end', 'text', 'complete'])
    t.match(await (await fetch(`${url}/openapi.json`)).json(), { info: { version }, paths: { '/sessions/{id}/messages': {} } })
    t.equal((await fetch(`${url}/docs`)).status, 200)
    await assertPlayground(t, `${url}/`)
    t.equal(await server.kill('SIGTERM'), 0)
  })

  await t.test('holds what runs and what explains it, and nothing else', (t) => {
    const root = join(project, 'node_modules', 'fastify-agent-runs')
    const files = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)))
    for (const wanted of ['dist/index.js', 'dist/index.d.ts', 'dist/server.js', 'dist/db/migrations/0000_initial.sql', 'dist/playground/index.html', 'dist/client/index.js', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs/PROTOCOL.md']) {
      t.ok(files.includes(wanted), wanted)
    }
    t.strictSame(files.filter((path) => !/^(dist\/|docs\/.*\.md$|docs\/config\.schema\.json$|package\.json$|README\.md$|LICENSE$|CHANGELOG\.md$)/.test(path)), [])
    t.strictSame(files.filter((path) => /^dist\/(test|bench)/.test(path)), [])
    t.end()
  })
})

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import ts from 'typescript'
import { anyTypes } from '../helpers/any-types.ts'
import { ENV, npmProject, ROOT } from '../helpers/packed-package.ts'
import { snippet } from '../helpers/readme-app.ts'

const { skip, copy } = npmProject()
const run = promisify(execFile)
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
// Fastify needs them; beside its dependencies a consumer has none but these.
const NODE_TYPES = { typeRoots: [join(ROOT, 'node_modules/@types')], types: ['node'] }

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
const state = await app.agentRuns.getRun('r')
export const status: 'queued' | 'running' | 'completed' | undefined = state?.status
const harness: StoreHarness = { database: async () => ({ open: async () => memoryStore(), close: async () => {} }) }
export const suites = [() => storeSuite(test, harness), () => providerSuite(test, { create: () => mine, content: 'hi' })]
export const others = [sqliteStore({ path: 'x.db' }), command({ command: 'ls' })]
`

const REQUIRING = `
import Fastify = require('fastify')
import runs = require('fastify-agent-runs')
import plugin, { ProviderError, type Provider } from 'fastify-agent-runs'
import sqlite = require('fastify-agent-runs/sqlite')
import { echo } from 'fastify-agent-runs/providers/echo'
const app = Fastify()
app.register(runs.default, { providers: { echo: echo() }, store: sqlite.sqliteStore({ path: ':memory:' }) })
// @ts-expect-error the plugin needs providers
void (() => app.register(plugin, {}))
const failing: Provider = { async * run () { throw new ProviderError('no', { code: 'NO' }) } }
async function main (): Promise<void> {
  await app.ready()
  const state = await app.agentRuns.getRun('r')
  const status: 'queued' | 'running' | 'completed' | undefined = state?.status
  const { statusCode } = await app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content: 'hi' } })
  process.stdout.write([statusCode, status, typeof failing.run, runs.agentRuns === plugin].join(' '))
  await app.close()
}
void main()
`

const HOST = `
import { DatabaseSync } from 'node:sqlite'
import Database from 'better-sqlite3'
import { type HostDatabase, sqliteStore } from 'fastify-agent-runs/sqlite'
const database = new Database(':memory:')
export const host: HostDatabase = database
export const stores = [sqliteStore({ database }), sqliteStore({ database: host })]
// @ts-expect-error a database of node:sqlite
sqliteStore({ database: new DatabaseSync(':memory:') })
// @ts-expect-error a statement
sqliteStore({ database: database.prepare('SELECT 1') })
// @ts-expect-error a path
sqliteStore({ database: 'app.db' })
// @ts-expect-error nothing of a database
sqliteStore({ database: {} })
`

const BROWSER = `
import { createClient, emptyTranscript, fold } from 'fastify-agent-runs-client'
const client = createClient('http://127.0.0.1:3000')
let transcript = emptyTranscript
for await (const item of client.follow('my-chat', { until: 'complete' })) transcript = fold(transcript, item)
document.title = String(transcript.cursor)
`

const ESM = ['all.mts', 'consumer.mts']
const COMMONJS = ['all.cts', 'readme.cts', 'requiring.cts']
// With `module` node16 and node18 the compiler refuses CommonJS, as those versions of Node did.
const SETTINGS: Record<string, { files: string[], options: ts.CompilerOptions }> = {
  'module node16': { files: ESM, options: { module: ts.ModuleKind.Node16 } },
  'module node20': { files: [...ESM, ...COMMONJS], options: { module: ts.ModuleKind.Node20 } },
  'module nodenext': { files: [...ESM, ...COMMONJS], options: { module: ts.ModuleKind.NodeNext } },
  'moduleResolution bundler, module esnext': { files: ESM, options: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler } },
  'moduleResolution bundler, module preserve': { files: [...ESM, ...COMMONJS], options: { module: ts.ModuleKind.Preserve } },
  'moduleResolution bundler, module commonjs': { files: COMMONJS, options: { module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Bundler } },
  'for browsers, without the types of Node': { files: ['browser.mts'], options: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] } }
}

test('the types of the packed package', { skip, timeout: 300_000 }, async (t) => {
  const project = copy(t)
  const root = join(project, 'node_modules/fastify-agent-runs')
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, { types?: string }> }
  const types = Object.values(exports).flatMap((entry) => entry.types === undefined ? [] : [relative(project, join(root, entry.types))])
  const names = Object.keys(exports).filter((name) => exports[name]!.types !== undefined).map((name) => `fastify-agent-runs${name.slice(1)}`)
  const sources = {
    'all.mts': names.map((name, index) => `import * as entry${index} from '${name}'\nvoid entry${index}\n`).join(''),
    'all.cts': names.map((name, index) => `import entry${index} = require('${name}')\nvoid entry${index}\n`).join(''),
    'consumer.mts': snippet('ts') + CONSUMER,
    'readme.cts': snippet('ts'),
    'requiring.cts': REQUIRING,
    'host.mts': HOST,
    'browser.mts': BROWSER
  }
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(project, name), source)
  const program = (files: string[], options: ts.CompilerOptions): ts.Program =>
    ts.createProgram(files.map((file) => join(project, file)), { target: ts.ScriptTarget.ES2022, strict: true, ...NODE_TYPES, ...options })
  /** What the compiler finds in the consumer's files and, as without `skipLibCheck`, in our types: those of others take it half a minute. */
  const problems = (compiled: ts.Program): string[] => [
    ...compiled.getOptionsDiagnostics(), ...compiled.getGlobalDiagnostics(),
    ...compiled.getSourceFiles().filter(({ fileName, isDeclarationFile }) => !isDeclarationFile || fileName.startsWith(root))
      .flatMap((file) => [...compiled.getSyntacticDiagnostics(file), ...compiled.getSemanticDiagnostics(file)])
  ].map((diagnostic) => ts.formatDiagnostic(diagnostic, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => project, getNewLine: () => '' }))

  for (const [name, { files, options }] of Object.entries(SETTINGS)) {
    await t.test(`compile: ${name}`, (t) => {
      t.strictSame(problems(program(files, options)), [])
      t.end()
    })
  }

  await t.test('compile with all that they are made of, without `skipLibCheck`', async (t) => {
    const compilerOptions = { module: 'node20', target: 'es2022', strict: true, noEmit: true, skipLibCheck: false, ...NODE_TYPES }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [...ESM, ...COMMONJS] }))
    const { stdout } = await run(process.execPath, [TSC, '-p', project], { env: ENV }).catch((error: { stdout: string }) => error)
    t.equal(stdout, '')
  })

  await t.test('take a database of better-sqlite3, and nothing else', (t) => {
    symlinkSync(join(ROOT, 'node_modules/@types'), join(project, 'node_modules/@types'))
    t.strictSame(problems(program(['host.mts'], { module: ts.ModuleKind.NodeNext })), [])
    t.end()
  })

  await t.test('say what runs, where CommonJS is compiled', async (t) => {
    program(['requiring.cts'], { module: ts.ModuleKind.Node20, skipLibCheck: true }).emit()
    const { stdout } = await run(process.execPath, ['requiring.cjs'], { cwd: project, env: ENV })
    t.equal(stdout, '202  function true')
  })

  await t.test('are nowhere `any`, but where tools are given what their parameters say', (t) => {
    const compiled = program(types, { module: ts.ModuleKind.NodeNext })
    const found = types.map((file) => [relative('node_modules/fastify-agent-runs', file), anyTypes(compiled, join(project, file), (other) => other.startsWith(root))] as const).filter(([, places]) => places.length > 0)
    t.strictSame(found, [['dist/providers/openai/index.d.ts', ['openai(options).tools<>.execute(input)', 'openai(options).tools<>.needsApproval(input)']]])
    t.end()
  })

  await t.test('come from us, from fastify and from typebox; those of the client from nobody else', (t) => {
    const foreign = (folder: string): string[] => {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'))
      const imported = files.flatMap((name) => ts.preProcessFile(readFileSync(join(folder, name), 'utf8')).importedFiles.map(({ fileName }) => fileName))
      return [...new Set(imported.filter((name) => !name.startsWith('.')))].sort()
    }
    t.strictSame(foreign(join(root, 'dist')), ['fastify', 'fastify-agent-runs-client', 'typebox'])
    t.strictSame(foreign(join(project, 'node_modules/fastify-agent-runs-client')), [])
    t.end()
  })
})

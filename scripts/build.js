/*
 * Three packages of one tree, compiled at once. Published are: this folder (dist/: the plugin), client/ (client/dist), and
 * standalone/dist (the server, with its package.json).
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, normalize, relative } from 'node:path'

const require = createRequire(import.meta.url)
const PLUGIN = 'dist'
const CLIENT = 'client/dist'
const SERVER = 'standalone/dist'
const manifest = (path) => JSON.parse(readFileSync(path, 'utf8'))
const { version, exports } = manifest('package.json')

for (const folder of [PLUGIN, CLIENT, SERVER]) rmSync(folder, { recursive: true, force: true })
execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
takeClient()
takeServer()
finishPlugin()

/** The client library, and the types of lib/ that its own lead to. */
function takeClient () {
  mkdirSync(CLIENT)
  renameSync(`${PLUGIN}/client`, `${CLIENT}/client`)
  const entries = ['index', 'ai-sdk/index'].map((entry) => `${CLIENT}/client/${entry}.d.ts`)
  for (const file of reachable(entries, (path) => path.startsWith(`${CLIENT}/lib/`) ? path.replace(CLIENT, PLUGIN) : path)) {
    if (!file.startsWith(PLUGIN)) continue
    const target = file.replace(PLUGIN, CLIENT)
    mkdirSync(dirname(target), { recursive: true })
    cpSync(file, target)
  }
  prune(CLIENT, entries)
}

/** The server. What it imports of the plugin it imports by name: in the clone they are one tree, published they are two packages. */
function takeServer () {
  mkdirSync(SERVER)
  renameSync(`${PLUGIN}/standalone`, `${SERVER}/standalone`)
  cpSync('playground', `${SERVER}/playground`, { recursive: true, filter: (path) => !path.endsWith('.md') })
  for (const file of filesOf(SERVER)) {
    if (file.endsWith('.d.ts')) rmSync(file)
    if (!file.endsWith('.js') || !file.startsWith(`${SERVER}/standalone/`)) continue
    const code = readFileSync(file, 'utf8').replace(/((?:from|import) ['"])\.\.\/([^'"]+)(['"])/g, (_all, before, path, after) => {
      if (!existsSync(join(PLUGIN, path))) throw new Error(`${file} imports ../${path}, which the plugin does not have`)
      return `${before}fastify-agent-runs${path === 'index.js' ? '' : `/internal/${path.replace(/\.js$/, '')}`}${after}`
    })
    writeFileSync(file, code)
  }
  const { private: _private, ...server } = manifest('standalone/package.json')
  server.dependencies = { ...server.dependencies, 'fastify-agent-runs': version, 'fastify-agent-runs-client': version }
  writeFileSync(`${SERVER}/package.json`, `${JSON.stringify(server, null, 2)}\n`)
  cpSync('standalone/README.md', `${SERVER}/README.md`)
  cpSync('LICENSE', `${SERVER}/LICENSE`)
  chmodSync(`${SERVER}/standalone/server.js`, 0o755)
}

function finishPlugin () {
  for (const end of ['js', 'd.ts']) writeFileSync(`${PLUGIN}/client.${end}`, "export * from 'fastify-agent-runs-client'\n")
  cpSync('db/sqlite/migrations', `${PLUGIN}/db/sqlite/migrations`, { recursive: true, filter: (path) => !/\.json$|\/meta$/.test(path) })
  chmodSync(`${PLUGIN}/bin.js`, 0o755)
  prune(PLUGIN, Object.values(exports).flatMap(({ types }) => types === undefined ? [] : [normalize(types)]))
}

/** Removes types that no entry leads to: they are of no use to anybody. */
function prune (folder, entries) {
  const wanted = reachable(entries)
  for (const file of filesOf(folder)) if (file.endsWith('.d.ts') && !wanted.has(file)) rmSync(file)
}

/** The types to which entries lead; `locate` says where one of them is now. */
function reachable (entries, locate = (path) => path) {
  const found = new Map()
  const visit = (file) => {
    if (found.has(file)) return
    found.set(file, locate(file))
    for (const [, path] of readFileSync(locate(file), 'utf8').matchAll(/["'](\.{1,2}\/[^"']+)\.ts["']/g)) visit(join(dirname(file), `${path}.d.ts`))
  }
  entries.forEach(visit)
  return new Set(found.values())
}

function filesOf (folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => relative('.', join(entry.parentPath, entry.name)))
}

import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import tap, { test } from 'tap'
import { ENV, install, ROOT, tarballs } from '../helpers/packed-package.ts'
import { assertReadmeRuns } from '../helpers/readme-app.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const project = tempDir(tap)
const packages = tarballs('server')
// pnpm asks the registry for what packages depend on, whatever the project has beside.
const overrides = Object.fromEntries(packages.map((path) => [basename(path).replace(/-\d.*/, ''), `file:${path}`]))
writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module', pnpm: { overrides } }))
const pnpm = join(ROOT, 'node_modules/pnpm/bin/pnpm.cjs')
const skip = install(project, process.execPath, [pnpm, 'add', '--ignore-scripts', '--prefer-offline', ...packages, 'fastify'])

// Where a package finds only what it names itself.
test('the packed package, installed by pnpm', { skip, timeout: 300_000 }, async (t) => {
  t.notOk(existsSync(join(project, 'node_modules/better-sqlite3')), 'what it depends on is not the project\'s')
  await t.test('runs the README\'s app as an ES module, in CommonJS and in TypeScript', (t) => assertReadmeRuns(t, project))
  await t.test('has a bin', (t) => {
    t.match(execFileSync(join(project, 'node_modules/.bin/fastify-agent-runs-server'), ['--help'], { cwd: project, env: ENV, encoding: 'utf8' }), /--port/)
    t.end()
  })
})

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { test } from 'tap'
import { nodeVersion } from '../helpers/node-version.ts'
import { ENV, npmProject } from '../helpers/packed-package.ts'
import { assertReadmeRuns } from '../helpers/readme-app.ts'

const installed = npmProject('server')
const REFUSAL = /^fastify-agent-runs needs Node 22\.14 or newer; this is v20\.\d+\.\d+\.$/

interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

{
  const { skip, path } = nodeVersion('20')
  test('on an older Node', { skip: installed.skip || skip, timeout: 300_000 }, async (t) => {
    const project = installed.copy(t)
    // What the tests' own Node is told of TypeScript, in this variable, an older one refuses; and node-tap sets it for each process that is started.
    const run = (...args: string[]): Outcome => spawnSync('env', ['-u', 'NODE_OPTIONS', path, ...args], { cwd: project, env: ENV, encoding: 'utf8' })
    const root = join(project, 'node_modules/fastify-agent-runs')
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, unknown> }
    const entries = Object.keys(exports).filter((name) => !/json$|\*$/.test(name)).map((name) => `fastify-agent-runs${name.slice(1)}`)

    for (const [way, load] of [['imported', 'import(entry)'], ['required', 'new Promise((resolve) => resolve(require(entry)))']] as const) {
      await t.test(`each entry is refused, ${way}, but the client, which runs in browsers too`, (t) => {
        const script = `
          const outcome = (entry) => ${load}.then(() => 'loaded', (error) => error.message)
          Promise.all(${JSON.stringify(entries)}.map(async (entry) => [entry, await outcome(entry)])).then((all) => console.log(JSON.stringify(all)))`
        const outcomes = JSON.parse(run('-e', script).stdout) as Array<[string, string]>
        t.match(outcomes, entries.map((entry) => [entry, entry.endsWith('/client') ? 'loaded' : REFUSAL]))
        t.equal(outcomes.length, entries.length)
        t.end()
      })
    }

    await t.test('in a bundle, which keeps what is imported for its effect alone', (t) => {
      writeFileSync(join(project, 'bundled.mjs'), "import { echo } from 'fastify-agent-runs/providers/echo'\nconsole.log(typeof echo)")
      buildSync({ absWorkingDir: project, entryPoints: ['bundled.mjs'], outfile: 'bundle.mjs', bundle: true, platform: 'node', format: 'esm', logLevel: 'silent' })
      const { status, stdout, stderr } = run('bundle.mjs')
      t.strictSame([status, stdout], [1, ''])
      t.match(stderr.split('\n').find((line) => line.startsWith('Error: '))?.slice('Error: '.length), REFUSAL)
      t.end()
    })

    await t.test('the bin says so in one line', (t) => {
      const { status, stdout, stderr } = run(join(project, 'node_modules/fastify-agent-runs-server/standalone/server.js'))
      t.match({ status, stdout, stderr: stderr.split('\n') }, { status: 1, stdout: '', stderr: [REFUSAL, ''] })
      t.equal(stderr.split('\n').length, 2)
      t.end()
    })
  })
}

for (const major of ['22', '26'] as const) {
  const { skip, path } = nodeVersion(major)
  test(`the README's app runs on Node ${major}`, { skip: installed.skip || skip, timeout: 300_000 }, (t) => assertReadmeRuns(t, installed.copy(t), path))
}

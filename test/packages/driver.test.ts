import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { ENV, npmProject } from '../helpers/packed-package.ts'

const { skip, copy } = npmProject('server')

// Of a platform on which these tests do not run.
const FOREIGN = 'win32-x64.node'
const REMEDIES = [/better-sqlite3/, /npm ci/, /pnpm install --force/, /npm rebuild better-sqlite3/, /"store" of your own/]

// Everything that does, or does not, need the driver: what each comes to, as JSON.
const SCRIPT = `
import Fastify from 'fastify'
import agentRuns from 'fastify-agent-runs'
import { memoryStore } from 'fastify-agent-runs/conformance'
import { echo } from 'fastify-agent-runs/providers/echo'
import { sqliteStore } from 'fastify-agent-runs/sqlite'

const outcome = (work) => work.then((value) => value ?? 'done', ({ code, message }) => ({ code, message }))
async function answer (store) {
  const app = Fastify()
  app.register(agentRuns, { providers: { echo: echo() }, ...store })
  try {
    return (await app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content: 'hi' } })).statusCode
  } finally {
    await app.close()
  }
}
async function hosts () {
  const { default: Database } = await import('hosts-sqlite')
  return answer({ store: sqliteStore({ database: new Database(':memory:') }) })
}
console.log(JSON.stringify({
  plugin: await outcome(answer({})),
  memory: await outcome(sqliteStore({ path: ':memory:' }).open()),
  file: await outcome(sqliteStore({ path: 'runs.db' }).open()),
  ownStore: await outcome(answer({ store: memoryStore() })),
  hosts: await outcome(hosts())
}))
`

interface Outcomes {
  [of: string]: unknown
}

function outcomes (t: Test, project: string): Outcomes {
  writeFileSync(join(project, 'script.mjs'), SCRIPT)
  const { stdout, stderr } = spawnSync(process.execPath, ['script.mjs'], { cwd: project, env: ENV, encoding: 'utf8' })
  t.equal(stderr, '')
  return JSON.parse(stdout) as Outcomes
}

const WAYS: Record<string, { reason: RegExp, breaks: (driver: string) => void }> = {
  'is not installed': {
    reason: /Cannot find package 'better-sqlite3'/,
    breaks: (driver) => rmSync(driver, { recursive: true })
  },
  'has no native file for the platform': {
    reason: /Cannot find module '.*\.node'/,
    breaks: (driver) => rmSync(join(driver, 'prebuilds'), { recursive: true })
  },
  'has the native file of another platform': {
    reason: /\.node: /,
    breaks: (driver) => {
      const prebuilds = join(driver, 'prebuilds')
      for (const name of readdirSync(prebuilds)) if (name !== FOREIGN) cpSync(join(prebuilds, FOREIGN), join(prebuilds, name))
    }
  }
}

for (const [way, { reason, breaks }] of Object.entries(WAYS)) {
  test(`better-sqlite3 ${way}`, { skip, timeout: 300_000 }, (t) => {
    const project = copy(t)
    const driver = join(project, 'node_modules/better-sqlite3')
    cpSync(driver, join(project, 'node_modules/hosts-sqlite'), { recursive: true })
    breaks(driver)
    const { plugin, memory, file, ownStore, hosts: ofHost } = outcomes(t, project)
    for (const refused of [plugin, memory, file]) {
      t.match(refused, { code: 'AGENT_RUNS_STORE_DRIVER_MISSING', message: reason })
      for (const remedy of REMEDIES) t.match((refused as { message: string }).message, remedy)
    }
    t.strictSame([ownStore, ofHost], [202, 202], 'what brings its own store or database does not need it')
    t.notOk(existsSync(join(project, 'runs.db')), 'no file is left behind')

    const bin = spawnSync(join(project, 'node_modules/.bin/fastify-agent-runs-server'), ['--port', '0'], { cwd: project, env: ENV, encoding: 'utf8' })
    t.equal(bin.status, 1)
    t.match(bin.stderr, reason)
    t.equal(bin.stderr.trimEnd().split('\n').length, 1, 'one line at the terminal')
    t.end()
  })
}

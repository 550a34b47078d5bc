/* The README's app, as it stands there, in a project that has the package installed. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { ENV, ROOT } from './packed-package.ts'

const run = promisify(execFile)
// A tool of the tests, which the project has not installed.
const TSX = import.meta.resolve('tsx')

// Says what happened in the app, then leaves.
const PROBE = `
async function probe () {
  const answer = await app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content: 'hi' } })
  process.stdout.write(String(answer.statusCode))
  await app.close()
}
`

/** The first snippet of the README in a language. */
export function snippet (language: string): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  return new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readme)![1]!
}

/** The snippet, with a message that it is sent. */
export function readmeApp (): string {
  return snippet('ts').replace('port: 3000', 'port: 0').replace('throw error', 'throw error; void probe()') + PROBE
}

/** Runs it as an ES module, in CommonJS and in TypeScript: a message must be taken. */
export async function assertReadmeRuns (t: Test, project: string, node = process.execPath): Promise<void> {
  const code = readmeApp()
  const required = code.replaceAll(/import (\S+) from (\S+)/g, 'const $1 = require($2)').replace(/import (\{ echo \}) from (\S+)/, 'const $1 = require($2)')
  for (const [name, source] of Object.entries({ 'app.mjs': code, 'app.cjs': required, 'app.ts': code })) {
    writeFileSync(join(project, name), source)
    const { stdout } = await run(node, [...name.endsWith('ts') ? ['--import', TSX] : [], name], { cwd: project, env: ENV })
    t.equal(stdout, '202', name)
  }
}

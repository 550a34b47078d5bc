/* An example as its README starts it, in a process and a directory of its own. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { ScriptProcess } from './spawn-script.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const LISTENING = /Server listening at (http:[^"]+)/

/** Runs examples/<name>/server.ts in `directory` on any port; resolves once it listens. Killed with the test. */
export async function startExample (t: Test, name: string, directory: string, env: NodeJS.ProcessEnv = {}): Promise<{ server: ScriptProcess, url: string }> {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), join(ROOT, 'examples', name, 'server.ts')], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
    // The `paths` by which examples find the sources are looked up from the directory otherwise.
    env: { ...process.env, TSX_TSCONFIG_PATH: join(ROOT, 'tsconfig.json'), _TAPJS_PROCESSINFO_COVERAGE_: '0', PORT: '0', ...env }
  })
  t.teardown(() => { child.kill('SIGKILL') })
  const server = new ScriptProcess(child)
  for (let count = 1; ; count++) {
    await server.count(count)
    const [, url] = LISTENING.exec(server.lines[count - 1]!) ?? []
    // On both addresses of localhost; one line for each.
    if (url !== undefined) return { server, url }
  }
}

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { silentLogger } from '../../lib/common/logger.ts'
import type { Provider, RunContext } from '../../lib/provider/provider.ts'
import { acp } from '../../providers/acp/index.ts'
import { claude } from '../../providers/claude/index.ts'
import type { SpawnedProcess, SpawnRequest } from '../../providers/claude/sdk.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { codexCli } from '../../providers/command/codex-cli.ts'
import { command } from '../../providers/command/command.ts'
import type { EnvironmentOptions } from '../../providers/process/environment.ts'
import { tempDir } from '../helpers/temp-dir.ts'

// Of the server: what is in it decides nothing, so it may be set for all tests of this file.
Object.assign(process.env, { TEST_KEY: 'secret', TEST_KEYS: 'more', TEST_LIST_A: 'a', TEST_LIST_B: 'b', OTHER_TEST: 'c' })

const context: RunContext = {
  session: { id: 's', owner: '', metadata: {} },
  runId: 'r',
  content: 'hello',
  options: {},
  context: undefined,
  providerSessionId: null,
  async * history () {},
  signal: new AbortController().signal,
  requestPermission: async () => ({ allow: true }),
  log: silentLogger
}

interface AgentSdk {
  query (query: { options: { env: Record<string, string | undefined>, spawnClaudeCodeProcess: (request: SpawnRequest) => SpawnedProcess } }): AsyncIterable<never>
}

const PROVIDERS: Record<string, (program: string, options: EnvironmentOptions) => Provider> = {
  command: (program, options) => command({ command: program, ...options }),
  acp: (program, options) => acp({ command: program, ...options }),
  claudeCli: (program, options) => claudeCli({ command: program, ...options }),
  codexCli: (program, options) => codexCli({ command: program, ...options }),
  claude (program, options) {
    const sdk: AgentSdk = {
      async * query ({ options: { env, spawnClaudeCodeProcess } }) {
        const child = spawnClaudeCodeProcess({ command: program, args: [], env })
        await new Promise((resolve) => { child.once('exit', resolve) })
      }
    }
    return claude({ sdk: async () => sdk, ...options })
  }
}

/** The variables that an agent of the provider finds, of those that the tests are about. */
async function variables (t: Test, create: (program: string, options: EnvironmentOptions) => Provider, options: EnvironmentOptions): Promise<Record<string, string>> {
  const program = join(tempDir(t), 'agent.cjs')
  const found = join(tempDir(t), 'found.json')
  writeFileSync(program, `#!${process.execPath}\nrequire('node:fs').writeFileSync(${JSON.stringify(found)}, JSON.stringify(process.env))`)
  chmodSync(program, 0o755)
  const provider = create(program, options)
  try {
    for await (const event of provider.run(context)) t.ok(event)
  } catch {
    // It says nothing that a protocol would understand.
  }
  await provider.close!()
  const environment = JSON.parse(readFileSync(found, 'utf8')) as Record<string, string>
  t.equal('PATH' in environment, options.inheritEnv === undefined || options.inheritEnv === true)
  return Object.fromEntries(Object.entries(environment).filter(([name]) => /^TEST_(KEY|LIST)|^OTHER_TEST|^ADDED/.test(name)))
}

const ALL = { TEST_KEY: 'secret', TEST_KEYS: 'more', TEST_LIST_A: 'a', TEST_LIST_B: 'b', OTHER_TEST: 'c' }

for (const [name, create] of Object.entries(PROVIDERS)) {
  test(`${name}: an agent gets of the server's environment what the host says, and what "env" adds`, async (t) => {
    const env = { ADDED: '1', TEST_LIST_B: undefined }
    const { TEST_LIST_B, ...others } = ALL
    t.strictSame(await variables(t, create, {}), ALL, 'by default all')
    t.strictSame(await variables(t, create, { inheritEnv: true, env }), { ...others, ADDED: '1' })
    t.strictSame(await variables(t, create, { inheritEnv: false, env }), { ADDED: '1' })
    t.strictSame(await variables(t, create, { inheritEnv: [] }), {})
    t.strictSame(await variables(t, create, { inheritEnv: ['TEST_KEY', 'TEST_LIST_*', 'NOT_THERE'], env: { ADDED: '1' } }), { TEST_KEY: 'secret', TEST_LIST_A: 'a', TEST_LIST_B: 'b', ADDED: '1' })
  })
}

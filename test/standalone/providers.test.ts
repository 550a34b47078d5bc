import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { readSettings, UsageError } from '../../standalone/flags.ts'
import { CONFIG } from '../../standalone/agents.ts'
import { inheritedVariables, readProviders } from '../../standalone/providers.ts'
import { buildStandalone } from '../helpers/build-standalone.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const SCHEMA = new URL('../../docs/config.schema.json', import.meta.url)

function configFile (t: Test, content: unknown): string {
  const path = join(tempDir(t), 'agents.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const read = (args: string[]) => readProviders(readSettings(args, {}))

function problemOf (args: string[]): string {
  try {
    read(args)
  } catch (error) {
    return error instanceof UsageError ? error.message : `not a UsageError: ${String(error)}`
  }
  return 'none'
}

test('one agent is said by flags', (t) => {
  for (const [args, name] of [
    [[], 'echo'],
    [['--', 'my-agent', '--flag'], 'command'],
    [['--provider', 'command', '--', 'my-agent'], 'command'],
    [['--provider', 'acp', '--', 'npx', 'some-agent', '--acp'], 'acp'],
    [['--provider', 'openai', '--model', 'm', '--base-url', 'http://127.0.0.1:11434/v1'], 'openai'],
    [['--provider', 'claude', '--model', 'm'], 'claude'],
    [['--provider', 'claudeCli'], 'claudeCli'],
    [['--provider', 'codexCli'], 'codexCli'],
    ...['claude', 'codex', 'gemini', 'opencode', 'cursor'].map((name) => [['--agent', name, '--model', 'm'], name])
  ] as Array<[string[], string]>) {
    const { providers } = read(args)
    t.strictSame(Object.keys(providers), [name])
    t.type(providers[name]!.run, 'function')
  }
  t.end()
})

test('a server runs an agent by its name, and says what there is', async (t) => {
  const { app } = await buildStandalone(t, ['--agent', 'opencode'])
  t.match((await app.inject('/providers')).json(), { providers: [{ name: 'opencode', isDefault: true, abilities: { approvals: true } }] })
})

test('flags that do not go together are refused in words', (t) => {
  t.equal(problemOf(['--provider', 'gpt']), 'There is no provider "gpt", only "echo", "command", "acp", "codex", "gemini", "opencode", "cursor", "openai", "claude", "claudeCli", "codexCli".')
  t.equal(problemOf(['--agent', 'aider']), 'There is no agent "aider", only "claude", "codex", "gemini", "opencode", "cursor". Others run by --provider acp or --provider command.')
  t.match(problemOf(['--agent', 'codex', '--provider', 'acp']), /leave one out/)
  t.match(problemOf(['--agent', 'codex', '--', 'x']), /takes no command/)
  t.match(problemOf(['--provider', 'claudeCli', '--model', 'm']), /takes no --model/)
  t.match(problemOf(['--provider', 'acp']), /needs a command/)
  t.match(problemOf(['--provider', 'echo', '--', 'x']), /takes no command/)
  t.match(problemOf(['--provider', 'openai']), /needs a --model/)
  t.match(problemOf(['--provider', 'echo', '--model', 'm']), /takes no --model/)
  t.match(problemOf(['--provider', 'claude', '--base-url', 'http://x']), /takes no --base-url/)
  t.match(problemOf(['--inherit-env', 'A']), /"echo" takes no --inherit-env/)
  t.match(problemOf(['--provider', 'openai', '--model', 'm', '--inherit-env', 'A']), /"openai" takes no --inherit-env/)
  t.match(problemOf(['--config', 'x.json', '--provider', 'echo']), /goes with no --provider/)
  t.end()
})

test('several agents are said by a file, and messages ask for them by name', async (t) => {
  const config = configFile(t, {
    $schema: './config.schema.json',
    providers: {
      quick: { type: 'echo', delayMs: 0 },
      shell: { type: 'command', command: 'cat', allowLeadingDash: true, inheritEnv: ['A', 'B_*'] },
      coder: { type: 'acp', command: 'some-agent', args: ['--acp'], env: { A: 'b' }, idleMs: 0 },
      local: { type: 'openai', model: 'm', models: ['n'], baseUrl: 'http://127.0.0.1:1/v1', headers: { 'x-a': 'b' } },
      claude: { type: 'claude', permissionMode: 'plan', allowedTools: ['Read'], inheritEnv: ['*'] }
    },
    defaultProvider: 'shell'
  })
  const { app } = await buildStandalone(t, ['--config', config])
  const ask = async (payload: object): Promise<{ provider: string }> => {
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/sessions/s/messages?', headers: { accept: 'text/event-stream' }, payload: { onBusy: 'queue', ...payload } })
    t.equal(statusCode, 200)
    return JSON.parse(body.slice(body.lastIndexOf('data: ') + 6, body.lastIndexOf('\nid: '))) as { provider: string }
  }
  t.match(await ask({ content: 'hello' }), { kind: 'complete', provider: 'shell', success: true })
  t.match(await ask({ content: 'hello', provider: 'quick' }), { kind: 'complete', provider: 'quick', success: true })
  t.equal(read(['--config', config, '--default-provider', 'quick']).defaultProvider, 'quick')
})

test('what is wrong with a file is said with the place', (t) => {
  const problem = (content: unknown): string => problemOf(['--config', configFile(t, content)]).replace(/^.*agents\.json:? ?/, '')
  t.match(problem('{'), /^cannot be read as JSON/)
  t.match(problemOf(['--config', '/no/such/file']), /cannot be read/)
  t.equal(problem({ providers: { a: { type: 'gpt' } } }), 'the provider "a" must have a "type": echo, command, acp, codex, gemini, opencode, cursor, openai, claude, claudeCli, codexCli.')
  t.equal(problem({ providers: { a: null } }), 'the provider "a" must have a "type": echo, command, acp, codex, gemini, opencode, cursor, openai, claude, claudeCli, codexCli.')
  t.match(problem({ providers: { a: { type: 'openai' } } }), /the provider "a".*model/)
  t.match(problem({ providers: { a: { type: 'acp', command: 'x', shell: true } } }), /the provider "a".*"shell"/)
  t.match(problem({ providers: { a: { type: 'acp', command: 'x', idleMs: -1 } } }), /the provider "a"\/idleMs/)
  t.match(problem({ providers: { a: { type: 'acp', command: 'x', inheritEnv: ['A=b'] } } }), /the provider "a"\/inheritEnv\/0/)
  t.match(problem({ providers: {} }), /providers/)
  t.match(problem([]), /the file/)
  t.match(problem({ providers: { a: { type: 'openai', model: 'm', apiKeyEnv: 'NO_SUCH_VARIABLE' } } }), /NO_SUCH_VARIABLE/)
  t.end()
})

test('the schema of the file is published as it is', (t) => {
  t.strictSame(JSON.parse(readFileSync(SCHEMA, 'utf8')), JSON.parse(JSON.stringify(CONFIG)))
  t.end()
})

/** Sets variables of this process for one test. */
function withVariables (t: Test, variables: Record<string, string>): void {
  const before = { ...process.env }
  Object.assign(process.env, variables)
  t.teardown(() => {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  })
}

/** Every variable that is the server's own business, a key, or what a program needs. */
const VARIABLES = {
  HOME: '/home/agent',
  LC_TEST: 'de',
  XDG_TEST: 'x',
  https_proxy: 'http://127.0.0.1:1',
  HTTPS_PROXY: 'http://127.0.0.1:1',
  SSL_CERT_FILE: '/no/such/file',
  TEST_API_KEY: 'secret',
  TEST_MORE_A: 'a',
  TEST_MORE_B: 'b',
  DATABASE_URL: 'postgres://a:b@c/d',
  HOMELESS: 'x',
  AGENT_RUNS_TOKENS: '/etc/tokens.json',
  AGENT_RUNS_PORT: '1'
}
const ours = (names: string[]): string[] => names.filter((name) => Object.hasOwn(VARIABLES, name)).sort()
const BASE = ['HOME', 'HTTPS_PROXY', 'LC_TEST', 'SSL_CERT_FILE', 'XDG_TEST', 'https_proxy']

test('an agent gets a base set of variables, and those that are named; never our settings but by their very names', (t) => {
  withVariables(t, VARIABLES)
  t.ok(inheritedVariables([]).includes('PATH'))
  t.strictSame(ours(inheritedVariables([])), BASE)
  t.strictSame(ours(inheritedVariables(['TEST_API_KEY', 'TEST_MORE_*', 'NOT_THERE'])), [...BASE, 'TEST_API_KEY', 'TEST_MORE_A', 'TEST_MORE_B'].sort())
  t.strictSame(ours(inheritedVariables(['*'])), Object.keys(VARIABLES).filter((name) => !name.startsWith('AGENT_RUNS_')).sort())
  t.strictSame(ours(inheritedVariables(['AGENT_RUNS_*', 'AGENT_*'])), BASE)
  t.strictSame(ours(inheritedVariables(['*', 'AGENT_RUNS_PORT'])), Object.keys(VARIABLES).filter((name) => name !== 'AGENT_RUNS_TOKENS').sort())
  t.end()
})

test('each agent of the server gets what flags and its part of the file say, and its own "env"', async (t) => {
  withVariables(t, VARIABLES)
  const printing = { command: process.execPath, args: ['-e', 'process.stdout.write(JSON.stringify(process.env))'] }
  const config = configFile(t, {
    providers: {
      one: { type: 'command', ...printing },
      two: { type: 'command', ...printing, inheritEnv: ['TEST_MORE_*'], env: { ADDED: '1', HOME: '/elsewhere' } }
    }
  })
  const found = async (args: string[], provider?: string): Promise<Record<string, string>> => {
    const { app } = await buildStandalone(t, args)
    await app.agentRuns.startRun({ sessionId: 's', content: 'hello', ...(provider !== undefined && { provider }) })
    for await (const event of app.agentRuns.subscribe('s', { after: 1 })) if (event.kind === 'text') return JSON.parse(event.content as string) as Record<string, string>
    return {}
  }
  t.strictSame(ours(Object.keys(await found(['--', printing.command, ...printing.args]))), BASE)
  t.strictSame(ours(Object.keys(await found(['--inherit-env', 'TEST_API_KEY', '--', printing.command, ...printing.args]))), [...BASE, 'TEST_API_KEY'].sort())
  t.strictSame(ours(Object.keys(await found(['--config', config], 'one'))), BASE)
  const two = await found(['--config', config, '--inherit-env', 'TEST_API_KEY'], 'two')
  t.strictSame(ours(Object.keys(two)), [...BASE, 'TEST_API_KEY', 'TEST_MORE_A', 'TEST_MORE_B'].sort())
  t.match(two, { ADDED: '1', HOME: '/elsewhere', TEST_API_KEY: 'secret' })
})

test('an agent by its name gets its program, its variables and what the file says beside that', async (t) => {
  const home = tempDir(t)
  const program = join(home, 'gemini')
  writeFileSync(program, `#!${process.execPath}
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method } = JSON.parse(line)
      const write = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }))
      if (method === 'initialize') write({ id, result: { protocolVersion: 1 } })
      if (method === 'session/new') write({ id, result: { sessionId: 'native-0123' } })
      if (method !== 'session/prompt') return
      const text = [process.argv.slice(2).join(' '), process.env.GEMINI_API_KEY, process.env.OTHER_KEY, process.env.MINE].join()
      write({ method: 'session/update', params: { sessionId: 'native-0123', update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } } } })
      write({ id, result: { stopReason: 'end_turn' } })
    })`)
  chmodSync(program, 0o755)
  const before = { ...process.env }
  t.teardown(() => { process.env = before })
  Object.assign(process.env, { GEMINI_API_KEY: 'key', OTHER_KEY: 'secret', MINE: 'mine', PATH: `${home}:${process.env['PATH']}` })
  const config = configFile(t, { providers: { gemini: { type: 'gemini', inheritEnv: ['MINE'], models: ['pro'] } } })
  const { app } = await buildStandalone(t, ['--config', config])
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  for await (const event of app.agentRuns.subscribe('s')) if (event.kind === 'complete') break
  t.match((await app.agentRuns.history('s')).events[1], { kind: 'text', content: '--acp,key,,mine' })
})

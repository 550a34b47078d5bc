/* Ten messages in one session, for each real agent: a restart, an abort, a failure and a lost native session among them. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import type { Event, Provider } from '../../index.ts'
import { acp } from '../../providers/acp/index.ts'
import { claude } from '../../providers/claude/index.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { codexCli } from '../../providers/command/codex-cli.ts'
import { agentPackage } from '../helpers/agent-package.ts'
import { serveApp } from '../helpers/build-app.ts'
import { claudeSdk, surroundings } from '../helpers/claude-world.ts'
import { FakeModel, type ModelRequest } from '../helpers/fake-model.ts'
import { untilProcesses } from '../helpers/processes.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const MARK = 'TEST_AGENT'
const KEY = 'test-key-0123456789'
/** Long enough for two messages in a row, short enough to wait for. */
const IDLE_MS = 2_000

interface Place {
  model: FakeModel
  home: string
  /** What every agent gets, and nothing of the developer's own settings. */
  env: Record<string, string>
}

interface Agent {
  name: string
  package: string
  create: (place: Place) => Provider
  /** The tool that runs a command, as the model calls it. */
  shell: string
  /** Whether it asks before it runs one. */
  asks: boolean
  /** Whether it speaks in deltas. */
  streams: boolean
  /** The folder of its native sessions, and what an id is in a path or file there. */
  sessions: string
  id: RegExp
  /** Where it also remembers them, as the start of names beside that folder. */
  index?: RegExp
  /** Whether it destroys a session that another process of it loads in the minute in which it began (Gemini CLI 0.61). */
  losesWithinMinute?: boolean
}

const at = (path: string): string => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))
const bash = 'USE_TOOL {"command":"echo 12345 > f; cat f","description":"test"}'
const CLAUDE = { shell: bash, sessions: 'config/projects', id: /([0-9a-f-]{36})\.jsonl$/g }
const CODEX = { shell: 'USE_TOOL:exec_command {"cmd":"echo 12345 > f; cat f"}', sessions: 'codex/sessions', id: /rollout-[\dT-]+?-([0-9a-f]{8}-[0-9a-f-]{27})\.jsonl/g }

/** Where Codex finds the model. */
function codexHome ({ model, home }: Place): Record<string, string> {
  mkdirSync(join(home, 'codex'), { recursive: true })
  writeFileSync(join(home, 'codex/config.toml'), `model = "fake"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "fake"\nbase_url = "${model.openaiUrl}"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n`)
  return { CODEX_HOME: join(home, 'codex') }
}

/** Where OpenCode finds the model, and that it is to ask. */
function openCodeHome ({ model, home }: Place): void {
  const models = { fake: { tool_call: true, limit: { context: 100_000, output: 10_000 } } }
  const provider = { fake: { npm: '@ai-sdk/openai-compatible', options: { baseURL: model.openaiUrl, apiKey: KEY }, models } }
  const names = { model: 'fake/fake', small_model: 'fake/fake', enabled_providers: ['fake'] }
  mkdirSync(join(home, '.config/opencode'), { recursive: true })
  writeFileSync(join(home, '.config/opencode/opencode.json'), JSON.stringify({ autoupdate: false, share: 'disabled', ...names, provider, permission: { bash: 'ask' } }))
}

const claudeEnv = ({ model, home, env }: Place): Record<string, string> => ({ ...env, ...surroundings(model, home) as Record<string, string> })

const CODEX_ACP: Agent = {
  ...CODEX,
  name: 'codex-acp',
  package: '@agentclientprotocol/codex-acp',
  shell: 'USE_TOOL:exec_command {"cmd":"echo 12345 > f; cat f","sandbox_permissions":"require_escalated","justification":"test"}',
  asks: true,
  streams: true,
  index: /\.sqlite/,
  create (place) {
    const env = { ...place.env, ...codexHome(place) }
    // In its own mode a model decides in place of the user.
    return acp({ command: at('.bin/codex-acp'), cwd: place.home, inheritEnv: false, env, mode: 'workspace-write', idleMs: IDLE_MS })
  }
}

const AGENTS: Agent[] = [{
  ...CLAUDE,
  name: 'Claude Agent SDK',
  package: '@anthropic-ai/claude-agent-sdk',
  asks: true,
  streams: true,
  create: (place) => claude({ cwd: place.home, sdk: claudeSdk.load, inheritEnv: false, env: claudeEnv(place) })
}, {
  ...CLAUDE,
  name: 'claude -p',
  package: '@anthropic-ai/claude-agent-sdk',
  asks: false,
  streams: true,
  create: (place) => claudeCli({ command: at(`@anthropic-ai/claude-agent-sdk-linux-${process.arch}/claude`), args: ['--allowedTools', 'Bash'], cwd: place.home, inheritEnv: false, env: claudeEnv(place) })
}, {
  ...CODEX,
  name: 'codex exec',
  package: '@openai/codex',
  asks: false,
  streams: false,
  create: (place) => codexCli({ command: at('.bin/codex'), args: ['--sandbox', 'danger-full-access'], cwd: place.home, inheritEnv: false, env: { ...place.env, ...codexHome(place) } })
}, {
  ...CLAUDE,
  name: 'claude-agent-acp',
  package: '@agentclientprotocol/claude-agent-acp',
  asks: true,
  streams: true,
  create: (place) => acp({ command: at('.bin/claude-agent-acp'), cwd: place.home, inheritEnv: false, env: claudeEnv(place), idleMs: IDLE_MS })
}, CODEX_ACP, {
  name: 'Gemini CLI',
  package: '@google/gemini-cli',
  shell: 'USE_TOOL:run_shell_command {"command":"echo 12345 > f; cat f","description":"test"}',
  asks: true,
  streams: true,
  losesWithinMinute: true,
  sessions: '.gemini/tmp',
  id: /"sessionId":"([0-9a-f-]{36})"/g,
  create (place) {
    // Without a model it asks one first which one to ask.
    const env = { ...place.env, GEMINI_API_KEY: KEY, GOOGLE_GEMINI_BASE_URL: place.model.url, GEMINI_MODEL: 'gemini-2.5-pro' }
    return acp({ command: at('.bin/gemini'), args: ['--acp'], cwd: place.home, inheritEnv: false, env, authMethod: 'gemini-api-key', idleMs: IDLE_MS })
  }
}, {
  name: 'OpenCode',
  package: 'opencode-linux-x64',
  shell: bash,
  asks: true,
  streams: true,
  sessions: '.local/share/opencode',
  id: /(ses_[0-9A-Za-z]{26})/g,
  create (place) {
    openCodeHome(place)
    return acp({ command: at('opencode-linux-x64/bin/opencode'), args: ['acp'], cwd: place.home, inheritEnv: false, env: { ...place.env, OPENCODE_DISABLE_MODELS_FETCH: '1' }, idleMs: IDLE_MS })
  }
}]

/** Notes the native ids that a provider announces. */
function noting (provider: Provider, ids: Set<string>): Provider {
  return {
    ...provider,
    async * run (context) {
      for await (const event of provider.run(context)) {
        if (event.kind === 'session_created') ids.add(event.newSessionId)
        yield event
      }
    }
  }
}

/** Takes its native sessions from it. */
function lose ({ sessions, index }: Agent, home: string): void {
  const folder = join(home, sessions)
  rmSync(folder, { recursive: true })
  if (index === undefined) return
  for (const name of readdirSync(dirname(folder))) if (index.test(name)) rmSync(join(dirname(folder), name))
}

/** The native ids in what the agent has written. */
function idsOnDisk ({ sessions, id }: Agent, home: string): string[] {
  const folder = join(home, sessions)
  const files = readdirSync(folder, { recursive: true }).map((path) => join(folder, String(path))).filter((path) => statSync(path).isFile())
  return files.flatMap((path) => [...`${path}\n${readFileSync(path, 'latin1')}`.matchAll(new RegExp(id.source, 'gm'))].map((match) => match[1]!))
}

const textOf = (events: Event[]): string => events.flatMap((event) => event.kind === 'text' && event.role === 'assistant' ? [String(event.content)] : []).join('\n')
const deltasOf = (events: Event[]): string => events.flatMap((event) => event.kind === 'stream_delta' ? [event.content] : []).join('')
/** What is said to be wrong; Codex also warns that it does not know the model. */
const errorsOf = (events: Event[]): string[] => events.flatMap((event) => event.kind === 'error' && event.code !== 'AGENT_WARNING' ? [String(event.code)] : [])

async function start (t: Test, agent: Agent) {
  const [model, home, mark, announced] = [await FakeModel.open(t), tempDir(t), randomUUID(), new Set<string>()]
  const provider = agent.create({ model, home, env: { PATH: process.env['PATH']!, HOME: home, [MARK]: mark } })
  const { app, url } = await serveApp(t, { providers: { agent: noting(provider, announced) } })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  t.teardown(() => client.cut())
  const of = (runId: string): Event[] => client.events.filter((event) => event.runId === runId)
  const gone = () => untilProcesses(MARK, mark, (processes) => processes.length === 0)
  /** Says something, and allows whatever is asked; aborts it when that resolves. Answers the id of the run. */
  const say = async (content: string, abortWhen?: (runId: string) => Promise<unknown>): Promise<string> => {
    const { runId } = await app.agentRuns.startRun({ sessionId: 's', content })
    const answered = new Set<string>()
    const aborted = abortWhen?.(runId).then(() => app.agentRuns.abortRun({ sessionId: 's' }))
    for (;;) {
      const seen = client.events.length
      for (const event of of(runId)) {
        if (event.kind !== 'permission_request' || answered.has(event.requestId)) continue
        answered.add(event.requestId)
        await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, allow: true })
      }
      if (of(runId).some(({ kind }) => kind === 'complete')) break
      await client.until(({ events }) => events.length > seen)
    }
    await aborted
    return runId
  }
  return { app, model, home, client, announced, of, gone, say }
}

for (const agent of AGENTS) {
  const { skip } = agentPackage(agent.package)

  test(`${agent.name}: ten messages`, { skip, timeout: 180_000 }, async (t) => {
    const { app, model, home, client, announced, of, gone, say } = await start(t, agent)
    const runs = new Map<string, string>()
    const ids = new Set<string>()
    const note = (): void => {
      const found = idsOnDisk(agent, home)
      t.ok(found.some((id) => announced.has(id)), 'the native session lies on disk')
      for (const id of [...announced, ...found]) ids.add(id)
    }
    const plain = async (word: string, turn?: number): Promise<Event[]> => {
      const runId = await say(word)
      runs.set(word, runId)
      const events = of(runId)
      t.match(textOf(events), `You said: ${word} (turn ${turn ?? ''}`, word)
      t.match(events.at(-1), { kind: 'complete', success: true }, `${word} finishes`)
      return events
    }
    const asked = (word: string): ModelRequest => model.requests.findLast((request) => request.api !== 'other' && request.said === word && request.body.tools?.length > 0)!

    await plain('one', 1)
    const begun = new Date().getMinutes()
    await plain('two', 2)
    t.match(JSON.stringify(asked('two').body), /You said: one \(turn 1\)/, 'the model reads the first message with the second')

    const tool = await say(agent.shell)
    t.match(textOf(of(tool)), /The tool said: [^]*12345/, 'the tool ran')
    t.equal(of(tool).some(({ kind }) => kind === 'permission_request'), agent.asks, 'asked before it')
    t.match(of(tool).find(({ kind }) => kind === 'tool_result'), { toolResult: { isError: false } })
    await plain('four', 4)

    await gone()
    while (agent.losesWithinMinute === true && new Date().getMinutes() === begun) await delay(100)
    t.strictSame(errorsOf(await plain('five', 5)), [], 'another process goes on with the native session')
    t.match(JSON.stringify(asked('five').body), /You said: four \(turn 4\)/)

    const six = await say('SLOW six', async (runId) => {
      await model.until(({ requests }) => requests.some(({ said, state }) => said === 'SLOW six' && state === 'open'))
      if (agent.streams) await client.until(() => deltasOf(of(runId)).includes('You said: six'))
    })
    t.match(of(six).at(-1), { kind: 'complete', aborted: true }, 'six is aborted')
    t.strictSame(errorsOf(await plain('seven')), [])
    t.match(JSON.stringify(asked('seven').body), /You said: five \(turn 5\)/)

    const eight = await say('FAIL 400 final')
    t.match(of(eight).at(-1), { kind: 'complete', success: false, aborted: false, error: { code: String } }, 'eight fails')

    await gone()
    note()
    lose(agent, home)
    t.strictSame(errorsOf(await plain('nine', 1)), ['AGENT_FORGOT'])
    t.strictSame(errorsOf(await plain('ten', 2)), [])

    note()
    const read = client.raw + JSON.stringify([await app.agentRuns.history('s', { limit: 500 }), await app.agentRuns.listSessions()])
    await app.close()
    await gone()
    t.strictSame([...ids].filter((id) => read.includes(id)), [], 'no client has read a native id')
    for (const [word, runId] of [...runs, ...agent.streams ? [['six', six] as const] : []]) {
      const answers = client.events.filter((event) => event.kind === 'text' && event.role === 'assistant' && event.content.toString().includes(`You said: ${word} `))
      t.strictSame(answers.map((event) => event.runId), [runId], `"${word}" is answered once, and in its own run`)
      const words = [...`${deltasOf(of(runId))}\n${textOf(of(runId))}`.matchAll(/You said: (\w+)/g)].map((match) => match[1])
      t.strictSame([...new Set(words)], [word], `nothing else is said in the run of "${word}"`)
    }
    const all = [...new Set(client.events.map(({ runId }) => runId))]
    t.strictSame(all.map((runId) => of(runId).filter(({ kind }) => kind === 'complete').length), Array(10).fill(1), 'each of ten runs has one end')
  })
}

test('codex-acp: a session of which it has only the index is begun anew', { skip: agentPackage(CODEX_ACP.package).skip, timeout: 90_000 }, async (t) => {
  const { home, of, gone, say } = await start(t, CODEX_ACP)
  await say('one')
  await gone()
  rmSync(join(home, CODEX_ACP.sessions), { recursive: true })
  // It resumes such a session, and says only when it is prompted that it has none.
  t.match(textOf(of(await say('nine'))), /You said: nine/)
  t.match(textOf(of(await say('ten'))), /You said: ten/)
})

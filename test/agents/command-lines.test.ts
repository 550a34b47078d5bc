/* The real command lines of Claude Code and Codex, with a model service on loopback in place of their own. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import type { Event, Provider } from '../../index.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { codexCli } from '../../providers/command/codex-cli.ts'
import { agentPackage } from '../helpers/agent-package.ts'
import { serveApp } from '../helpers/build-app.ts'
import { surroundings } from '../helpers/claude-world.ts'
import { FakeModel } from '../helpers/fake-model.ts'
import { untilProcesses } from '../helpers/processes.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const MARK = 'TEST_AGENT'
const at = (path: string): string => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))

interface CommandLine {
  name: string
  package: string
  create: (model: FakeModel, home: string, mark: string) => Provider
  /** Whether it speaks in deltas. */
  streams: boolean
}

const COMMAND_LINES: CommandLine[] = [{
  name: 'claude -p',
  package: '@anthropic-ai/claude-agent-sdk',
  streams: true,
  create: (model, home, mark) => claudeCli({
    command: at(`@anthropic-ai/claude-agent-sdk-linux-${process.arch}/claude`), cwd: home, env: { ...surroundings(model, home) as Record<string, string>, [MARK]: mark }
  })
}, {
  name: 'codex exec',
  package: '@openai/codex',
  streams: false,
  create (model, home, mark) {
    mkdirSync(join(home, 'codex'))
    writeFileSync(join(home, 'codex/config.toml'), `model = "fake"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "fake"\nbase_url = "${model.openaiUrl}"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n`)
    return codexCli({ command: at('.bin/codex'), cwd: home, env: { HOME: home, CODEX_HOME: join(home, 'codex'), [MARK]: mark } })
  }
}]

async function start (t: Test, { create }: CommandLine) {
  const [model, home, mark] = [await FakeModel.open(t), tempDir(t), randomUUID()]
  const { app, url } = await serveApp(t, { providers: { agent: create(model, home, mark) } })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  t.teardown(() => client.cut())
  return {
    app,
    model,
    client,
    gone: () => untilProcesses(MARK, mark, (processes) => processes.length === 0),
    atWork: () => untilProcesses(MARK, mark, (processes) => processes.length > 0),
    async say (content: string): Promise<Event[]> {
      const { runId } = await app.agentRuns.startRun({ sessionId: 's', content })
      const mine = (): Event[] => client.events.filter((event) => event.runId === runId)
      await client.until(() => mine().at(-1)?.kind === 'complete')
      return mine()
    }
  }
}

const said = (events: Event[]): string => events.flatMap((event) => event.kind === 'text' && event.role === 'assistant' ? [String(event.content)] : []).join('')

for (const line of COMMAND_LINES) {
  const { skip } = agentPackage(line.package)

  test(`${line.name}: a turn, a second one that goes on with it, and nothing left behind`, { skip, timeout: 90_000 }, async (t) => {
    const { model, client, say, gone } = await start(t, line)
    const first = await say('my name is Ada')
    t.match(said(first), /You said: my name is Ada \(turn 1\)/)
    t.equal(first.some(({ kind }) => kind === 'stream_delta'), line.streams)
    t.match(first.at(-1), { success: true, usage: { inputTokens: Number, outputTokens: Number } })
    await gone()
    t.match(said(await say('what is it?')), /You said: what is it\? \(turn 2\)/)
    t.match(JSON.stringify(model.last.body), /my name is Ada/)
    await gone()
    t.notMatch(client.raw, /"(thread_id|session_id)"/)
  })

  test(`${line.name}: an abort ends it and all that it started`, { skip, timeout: 90_000 }, async (t) => {
    const { app, model, say, gone, atWork } = await start(t, line)
    const turn = say('SLOW on')
    await atWork()
    await model.until(({ requests }) => requests.some(({ state }) => state === 'open'))
    const since = performance.now()
    await app.agentRuns.abortRun({ sessionId: 's' })
    t.match((await turn).at(-1), { aborted: true })
    await gone()
    t.comment(`nothing of it was left after ${Math.round(performance.now() - since)} ms`)
  })

  test(`${line.name}: a model service that fails is one failed end`, { skip, timeout: 90_000 }, async (t) => {
    const { say, gone } = await start(t, line)
    const failed = await say('FAIL 400 final')
    t.match(failed.at(-1), { kind: 'complete', success: false, error: { code: String } })
    await gone()
  })
}

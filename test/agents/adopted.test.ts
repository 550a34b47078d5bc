/* Sessions that real agents have kept: listed by a server that has not seen them, and gone on with. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import type { Provider } from '../../index.ts'
import { acp } from '../../providers/acp/index.ts'
import { claude } from '../../providers/claude/index.ts'
import { agentPackage } from '../helpers/agent-package.ts'
import { serveApp } from '../helpers/build-app.ts'
import { claudeSdk, surroundings } from '../helpers/claude-world.ts'
import { FakeModel } from '../helpers/fake-model.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const at = (name: string): string => fileURLToPath(new URL(`node_modules/.bin/${name}`, import.meta.url))

// Not all of the developer's: with some of it these agents do not start their own.
const INHERITED = ['PATH', 'HOME', 'ANTHROPIC_*', 'CLAUDE_*', 'CODEX_*']

const AGENTS: Array<{ name: string, package: string, create: (home: string) => Provider }> = [
  { name: 'Claude Agent SDK', package: '@anthropic-ai/claude-agent-sdk', create: (cwd) => claude({ cwd, sdk: claudeSdk.load }) },
  { name: 'claude-agent-acp', package: '@agentclientprotocol/claude-agent-acp', create: (cwd) => acp({ command: at('claude-agent-acp'), cwd, inheritEnv: INHERITED, idleMs: 0 }) },
  { name: 'codex-acp', package: '@agentclientprotocol/codex-acp', create: (cwd) => acp({ command: at('codex-acp'), cwd, inheritEnv: INHERITED, idleMs: 0 }) }
]

for (const { name, package: needed, create } of AGENTS) {
  test(`${name}: a session that began elsewhere`, { skip: agentPackage(needed).skip, timeout: 90_000 }, async (t) => {
    const [model, home] = [await FakeModel.open(t), tempDir(t)]
    mkdirSync(join(home, 'codex'))
    writeFileSync(join(home, 'codex/config.toml'), `model = "fake"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "fake"\nbase_url = "${model.openaiUrl}"\nwire_api = "responses"\n`)
    const before = { ...process.env }
    t.teardown(() => { process.env = before })
    // The SDK reads its sessions where this process would keep them.
    Object.assign(process.env, surroundings(model, home), { CODEX_HOME: join(home, 'codex') })
    for (const variable of Object.keys(process.env)) if (process.env[variable] === 'undefined') delete process.env[variable]

    const talk = async (content: string, session: object) => {
      const { app, url } = await serveApp(t, { providers: { agent: create(home) }, store: ':memory:', adoptSessions: true })
      const { sessions: kept } = await (await fetch(`${url}/providers/agent/sessions`)).json() as { sessions: Array<{ id: string }> }
      const adopted = 'adopt' in session ? { providerSession: { provider: 'agent', id: kept[0]!.id } } : {}
      t.match(await postJson(`${url}/sessions`, { id: 's', ...adopted }), { status: 201 })
      const client = await SseClient.open(`${url}/sessions/s/stream`)
      await postJson(`${url}/sessions/s/messages`, { content })
      await client.until(({ kinds }) => kinds.includes('complete'))
      const said = client.events.flatMap((event) => event.kind === 'text' && event.role === 'assistant' ? String(event.content) : []).join('')
      t.match(client.events.at(-1), { reason: 'finished' })
      t.strictSame(kept.filter(({ id }) => client.raw.includes(id)), [], 'no native id is shown')
      await app.close()
      return { kept, said }
    }
    const first = await talk('my name is Ada', {})
    t.strictSame(first.kept, [])
    const second = await talk('who am I?', { adopt: true })
    t.equal(second.kept.length, 1)
    t.match(second.said, 'You said: who am I? (turn 2)')
    t.match(JSON.stringify(model.last.body), /my name is Ada/)
  })
}

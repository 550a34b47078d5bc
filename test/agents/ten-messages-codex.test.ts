/* Ten messages with Codex, by its command line and the Agent Client Protocol. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { acp } from '../../providers/acp/index.ts'
import { codexCli } from '../../providers/command/codex-cli.ts'
import { agentPackage } from '../helpers/agent-package.ts'
import { type Agent, at, IDLE_MS, type Place, startAgent, tenMessages, textOf } from '../helpers/ten-messages.ts'

const CODEX = { shell: 'USE_TOOL:exec_command {"cmd":"echo 12345 > f; cat f"}', sessions: 'codex/sessions', id: /rollout-[\dT-]+?-([0-9a-f]{8}-[0-9a-f-]{27})\.jsonl/g }

/** Where Codex finds the model. */
function codexHome ({ model, home }: Place): Record<string, string> {
  mkdirSync(join(home, 'codex'), { recursive: true })
  writeFileSync(join(home, 'codex/config.toml'), `model = "fake"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "fake"\nbase_url = "${model.openaiUrl}"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n`)
  return { CODEX_HOME: join(home, 'codex') }
}

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

tenMessages({
  ...CODEX,
  name: 'codex exec',
  package: '@openai/codex',
  asks: false,
  streams: false,
  create: (place) => codexCli({ command: at('.bin/codex'), args: ['--sandbox', 'danger-full-access'], cwd: place.home, inheritEnv: false, env: { ...place.env, ...codexHome(place) } })
})

tenMessages(CODEX_ACP)

test('codex-acp: a session of which it has only the index is begun anew', { skip: agentPackage(CODEX_ACP.package).skip, timeout: 90_000 }, async (t) => {
  const { home, of, gone, say } = await startAgent(t, CODEX_ACP)
  await say('one')
  await gone()
  rmSync(join(home, CODEX_ACP.sessions), { recursive: true })
  // It resumes such a session, and says only when it is prompted that it has none.
  t.match(textOf(of(await say('nine'))), /You said: nine/)
  t.match(textOf(of(await say('ten'))), /You said: ten/)
})

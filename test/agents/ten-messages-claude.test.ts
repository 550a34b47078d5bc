/* Ten messages with Claude Code, by its Agent SDK, its command line and the Agent Client Protocol. */
import { acp } from '../../providers/acp/index.ts'
import { claude } from '../../providers/claude/index.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { claudeSdk, surroundings } from '../helpers/claude-world.ts'
import { at, IDLE_MS, type Place, tenMessages } from '../helpers/ten-messages.ts'

const bash = 'USE_TOOL {"command":"echo 12345 > f; cat f","description":"test"}'
const CLAUDE = { shell: bash, sessions: 'config/projects', id: /([0-9a-f-]{36})\.jsonl$/g }

const claudeEnv = ({ model, home, env }: Place): Record<string, string> => ({ ...env, ...surroundings(model, home) as Record<string, string> })

tenMessages({
  ...CLAUDE,
  name: 'Claude Agent SDK',
  package: '@anthropic-ai/claude-agent-sdk',
  asks: true,
  streams: true,
  create: (place) => claude({ cwd: place.home, sdk: claudeSdk.load, inheritEnv: false, env: claudeEnv(place) })
})

tenMessages({
  ...CLAUDE,
  name: 'claude -p',
  package: '@anthropic-ai/claude-agent-sdk',
  asks: false,
  streams: true,
  create: (place) => claudeCli({ command: at(`@anthropic-ai/claude-agent-sdk-linux-${process.arch}/claude`), args: ['--allowedTools', 'Bash'], cwd: place.home, inheritEnv: false, env: claudeEnv(place) })
})

tenMessages({
  ...CLAUDE,
  name: 'claude-agent-acp',
  package: '@agentclientprotocol/claude-agent-acp',
  asks: true,
  streams: true,
  create: (place) => acp({ command: at('.bin/claude-agent-acp'), cwd: place.home, inheritEnv: false, env: claudeEnv(place), idleMs: IDLE_MS })
})

/* Ten messages with Gemini CLI and with OpenCode. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { acp } from '../../providers/acp/index.ts'
import { at, IDLE_MS, type Place, tenMessages } from '../helpers/ten-messages.ts'

const KEY = 'test-key-0123456789'
const bash = 'USE_TOOL {"command":"echo 12345 > f; cat f","description":"test"}'

/** Where OpenCode finds the model, and that it is to ask. */
function openCodeHome ({ model, home }: Place): void {
  const models = { fake: { tool_call: true, limit: { context: 100_000, output: 10_000 } } }
  const provider = { fake: { npm: '@ai-sdk/openai-compatible', options: { baseURL: model.openaiUrl, apiKey: KEY }, models } }
  const names = { model: 'fake/fake', small_model: 'fake/fake', enabled_providers: ['fake'] }
  mkdirSync(join(home, '.config/opencode'), { recursive: true })
  writeFileSync(join(home, '.config/opencode/opencode.json'), JSON.stringify({ autoupdate: false, share: 'disabled', ...names, provider, permission: { bash: 'ask' } }))
}

tenMessages({
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
})

tenMessages({
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
})

/* Agents by their names, with what each needs to start and to log in. */
import type { AcpOptions } from '../providers/acp/index.ts'

export type PresetName = 'codex' | 'gemini' | 'opencode' | 'cursor'

interface Preset extends Pick<AcpOptions, 'command' | 'args' | 'authMethod' | 'startTimeoutMs'> {
  /** Those of the server's environment that it gets besides the base set: its keys and settings. */
  variables: readonly string[]
}

/** What Claude Code gets of the server's environment. */
export const CLAUDE_VARIABLES: readonly string[] = ['ANTHROPIC_*', 'CLAUDE_*']

/** Agents that speak the Agent Client Protocol. */
export const PRESETS: Record<PresetName, Preset> = {
  // Codex itself does not: the package is its adapter, and is fetched at the first start.
  codex: { command: 'npx', args: ['-y', '@agentclientprotocol/codex-acp'], startTimeoutMs: 180_000, variables: ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'CODEX_*'] },
  gemini: { command: 'gemini', args: ['--acp'], authMethod: process.env['GEMINI_API_KEY'] ? 'gemini-api-key' : 'oauth-personal', variables: ['GEMINI_*', 'GOOGLE_*'] },
  opencode: { command: 'opencode', args: ['acp'], variables: ['OPENCODE_*', 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'OPENROUTER_API_KEY', 'GEMINI_API_KEY'] },
  cursor: { command: 'cursor-agent', args: ['acp'], authMethod: 'cursor_login', variables: ['CURSOR_*'] }
}

/** Names that `--agent` knows. */
export const AGENT_NAMES: readonly string[] = ['claude', ...Object.keys(PRESETS)]

/* Which agents the standalone server runs: one by flags, or several by a file. */
import { readFileSync } from 'node:fs'
import { Value } from 'typebox/value'
import type { Provider } from '../index.ts'
import { problemOf } from '../lib/protocol/validation-problem.ts'
import { acp } from '../providers/acp/index.ts'
import { claude, type ClaudeOptions } from '../providers/claude/index.ts'
import { claudeCli } from '../providers/command/claude-cli.ts'
import { codexCli } from '../providers/command/codex-cli.ts'
import { command } from '../providers/command/command.ts'
import { echo } from '../providers/echo/echo.ts'
import { openai, type OpenAiOptions } from '../providers/openai/index.ts'
import { BASE_ENVIRONMENT } from '../providers/process/base-environment.ts'
import { variablesNamed } from '../providers/process/environment.ts'
import { type AgentConfig, AGENTS, type AgentType, CONFIG } from './agents.ts'
import { OWN_PREFIX, type Settings, UsageError } from './flags.ts'
import { AGENT_NAMES, CLAUDE_VARIABLES, PRESETS } from './presets.ts'

/** The agents that settings ask for, and which of them answers by default. Throws UsageError. */
export function readProviders ({ values, inheritEnv, command: argv }: Settings): { providers: Record<string, Provider>, defaultProvider?: string } {
  const { config, agent, baseUrl, model, defaultProvider } = values as Record<string, string | undefined>
  const provider = typeOf(agent, values['provider'] as string | undefined)
  if (config !== undefined) {
    if (provider !== undefined || argv.length > 0 || baseUrl !== undefined || model !== undefined) throw new UsageError('--config says what runs: it goes with no --provider, --agent, --model, --base-url, nor a command.')
    return { ...fromFile(config, inheritEnv), ...(defaultProvider !== undefined && { defaultProvider }) }
  }
  const type = provider ?? (argv.length > 0 ? 'command' : 'echo')
  if (inheritEnv.length > 0 && (type === 'echo' || type === 'openai')) throw new UsageError(`The provider "${type}" takes no --inherit-env.`)
  return { providers: { [type]: create(fromFlags(type, argv, baseUrl, model), [...inheritEnv, ...agent === 'claude' ? CLAUDE_VARIABLES : []]) } }
}

/** What runs, by the name of an agent or of a provider. */
function typeOf (agent: string | undefined, provider: string | undefined): string | undefined {
  if (agent === undefined) return provider
  if (provider !== undefined) throw new UsageError('--agent and --provider both say what runs: leave one out.')
  if (!AGENT_NAMES.includes(agent)) throw new UsageError(`There is no agent "${agent}", only ${AGENT_NAMES.map((name) => `"${name}"`).join(', ')}. Others run by --provider acp or --provider command.`)
  return agent
}

function fromFlags (type: string, [program, ...args]: string[], baseUrl: string | undefined, model: string | undefined): AgentConfig {
  if (!Object.hasOwn(AGENTS, type)) throw new UsageError(`There is no provider "${type}", only ${Object.keys(AGENTS).map((name) => `"${name}"`).join(', ')}.`)
  const takesCommand = type === 'command' || type === 'acp'
  if (!takesCommand && program !== undefined) throw new UsageError(`The provider "${type}" takes no command after --.`)
  if (type !== 'openai' && baseUrl !== undefined) throw new UsageError(`The provider "${type}" takes no --base-url.`)
  if (!['openai', 'claude', 'acp', ...Object.keys(PRESETS)].includes(type) && model !== undefined) throw new UsageError(`The provider "${type}" takes no --model.`)
  if (type === 'openai' && model === undefined) throw new UsageError('The provider "openai" needs a --model.')
  if (takesCommand && program === undefined) throw new UsageError(`The provider "${type}" needs a command: … --provider ${type} -- my-agent --flag`)
  return { type, ...(program !== undefined && { command: program, args }), ...(baseUrl !== undefined && { baseUrl }), ...(model !== undefined && { model }) } as AgentConfig
}

function fromFile (path: string, inheritEnv: string[]): { providers: Record<string, Provider>, defaultProvider?: string } {
  const config = parsed(path)
  const { providers } = config as { providers?: Record<string, { type?: string }> }
  // A union says only that nothing fits; the agent's own schema says what.
  for (const [name, agent] of Object.entries(typeof providers === 'object' && providers !== null ? providers : {})) {
    const schema = AGENTS[agent?.type as AgentType]
    if (schema === undefined) throw new UsageError(`${path}: the provider "${name}" must have a "type": ${Object.keys(AGENTS).join(', ')}.`)
    if (!Value.Check(schema, agent)) throw new UsageError(`${path}: ${problemOf(`the provider "${name}"`, Value.Errors(schema, agent))}.`)
  }
  if (!Value.Check(CONFIG, config)) throw new UsageError(`${path}: ${problemOf('the file', Value.Errors(CONFIG, config))}.`)
  const { defaultProvider } = config
  return {
    providers: Object.fromEntries(Object.entries(config.providers).map(([name, agent]) => [name, create(agent as AgentConfig, inheritEnv)])),
    ...(defaultProvider !== undefined && { defaultProvider })
  }
}

function parsed (path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UsageError(`${path} cannot be read as JSON: ${(error as Error).message}`)
  }
}

/** The variables of the server's environment that agents get; the server's own settings only by their names. */
export function inheritedVariables (named: readonly string[]): string[] {
  return variablesNamed([...BASE_ENVIRONMENT, ...named]).filter((name) => !name.toUpperCase().startsWith(OWN_PREFIX) || named.includes(name))
}

function create (config: AgentConfig, inheritEnv: string[]): Provider {
  const started = ({ inheritEnv: more = [] }: { inheritEnv?: string[] }) => ({ inheritEnv: inheritedVariables([...inheritEnv, ...more]), killOrphans: true })
  switch (config.type) {
    case 'echo': {
      const { type, ...options } = config
      return echo(options)
    }
    case 'command': {
      const { type, ...options } = config
      return command({ ...options, ...started(options) })
    }
    case 'acp': {
      const { type, ...options } = config
      return acp({ ...options, ...started(options) })
    }
    case 'codex':
    case 'gemini':
    case 'opencode':
    case 'cursor': {
      const { type, ...options } = config
      const { variables, ...preset } = PRESETS[type]
      return acp({ ...preset, ...options, ...started({ inheritEnv: [...variables, ...options.inheritEnv ?? []] }) })
    }
    case 'claudeCli': {
      const { type, ...options } = config
      return claudeCli({ ...options, ...started(options) })
    }
    case 'codexCli': {
      const { type, ...options } = config
      return codexCli({ ...options, ...started(options) })
    }
    case 'openai': {
      const { type, apiKeyEnv, ...options } = config
      const apiKey = apiKeyEnv === undefined ? undefined : process.env[apiKeyEnv]
      if (apiKeyEnv !== undefined && apiKey === undefined) throw new UsageError(`The variable ${apiKeyEnv}, which is to hold a key, is not set.`)
      return openai({ ...options as OpenAiOptions, ...(apiKey !== undefined && { apiKey }) })
    }
    case 'claude': {
      const { type, ...options } = config
      return claude({ ...options as ClaudeOptions, ...started(options) })
    }
  }
}

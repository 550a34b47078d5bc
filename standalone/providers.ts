/* Which agents the standalone server runs: one by flags, or several by a file. */
import { readFileSync } from 'node:fs'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Provider } from '../index.ts'
import { problemOf } from '../lib/protocol/validation-problem.ts'
import { acp } from '../providers/acp/index.ts'
import { claude, type ClaudeOptions } from '../providers/claude/index.ts'
import { command } from '../providers/command/command.ts'
import { echo } from '../providers/echo/echo.ts'
import { openai } from '../providers/openai/index.ts'
import { BASE_ENVIRONMENT } from '../providers/process/base-environment.ts'
import { VARIABLES, variablesNamed } from '../providers/process/environment.ts'
import { OWN_PREFIX, type Settings, UsageError } from './flags.ts'

const closed = { additionalProperties: false }
const text = (description: string) => Type.Optional(Type.String({ description }))
const texts = (description: string) => Type.Optional(Type.Array(Type.String(), { description }))
const map = (description: string) => Type.Optional(Type.Record(Type.String(), Type.String(), { description }))
const count = (description: string) => Type.Optional(Type.Integer({ description, minimum: 1 }))
const ms = (description: string) => Type.Optional(Type.Integer({ description, minimum: 0, maximum: 2 ** 31 - 1 }))

const program = {
  command: Type.String({ description: 'The program, found by PATH; never passed to a shell.', minLength: 1 }),
  args: texts('Its arguments.'),
  cwd: text('Where it works, as an absolute path. Default: where the server does.'),
  env: map('Variables that are added to what it gets of the server\'s environment.'),
  inheritEnv: Type.Optional(Type.Array(Type.String({ pattern: VARIABLES }), { description: 'Variables of the server\'s environment that it gets besides PATH, HOME and their like, and those of --inherit-env. PREFIX_* = all that start so, * = all but the server\'s own settings (AGENT_RUNS_…).' })),
  killGraceMs: ms('How long it may take to end after SIGTERM.')
}

/** What a file may say of one agent. */
const AGENTS = {
  echo: Type.Object({ type: Type.Literal('echo'), delayMs: ms('The pause between two deltas.') }, closed),
  command: Type.Object({
    type: Type.Literal('command'),
    ...program,
    allowLeadingDash: Type.Optional(Type.Boolean({ description: 'Whether a message that begins with "-" may take the place of the argument {message}. Only behind "--", with a program that knows it.' }))
  }, closed),
  acp: Type.Object({
    type: Type.Literal('acp'),
    ...program,
    mcpServers: Type.Optional(Type.Array(Type.Unknown(), { description: 'MCP servers, as the Agent Client Protocol has them.' })),
    idleMs: ms('How long an agent is kept for its session\'s next message; 0 = not at all.'),
    maxAgents: count('How many agents may be there at once.'),
    startTimeoutMs: ms('How long it may take to start.'),
    cancelGraceMs: ms('How long it may take to hear that it is to stop.')
  }, closed),
  openai: Type.Object({
    type: Type.Literal('openai'),
    model: Type.String({ minLength: 1 }),
    models: texts('Models that clients may choose.'),
    baseUrl: text('The endpoint. Default: that of OpenAI.'),
    apiKeyEnv: text('The variable that holds the key. Default: OPENAI_API_KEY.'),
    headers: map('Headers of every request.'),
    system: text('What the model is told before everything else.')
  }, closed),
  claude: Type.Object({
    type: Type.Literal('claude'),
    model: text('The model.'),
    models: texts('Models that clients may choose.'),
    cwd: program.cwd,
    env: program.env,
    inheritEnv: program.inheritEnv,
    systemPrompt: text('What the agent is told before everything else.'),
    permissionMode: Type.Optional(Type.Union(['default', 'acceptEdits', 'plan', 'dontAsk', 'auto', 'bypassPermissions'].map((mode) => Type.Literal(mode)))),
    allowedTools: texts('Tools that run without being asked for.'),
    disallowedTools: texts('Tools that it does not get.'),
    settingSources: Type.Optional(Type.Array(Type.Union(['user', 'project', 'local'].map((source) => Type.Literal(source))))),
    maxTurns: count('How often it may turn to the model for one message.'),
    killGraceMs: program.killGraceMs
  }, closed)
}

type AgentType = keyof typeof AGENTS
type AgentConfig = { [T in AgentType]: Static<typeof AGENTS[T]> }[AgentType]

/** The file of `--config`. It is its own JSON schema: `docs/config.schema.json`. */
export const CONFIG = Type.Object({
  $schema: Type.Optional(Type.String()),
  providers: Type.Record(Type.String({ minLength: 1 }), Type.Union(Object.values(AGENTS)), { description: 'The agents, by the name under which messages ask for them.', minProperties: 1 }),
  defaultProvider: text('Who answers messages and sessions that name none. With a single provider, that one.')
}, closed)

/** The agents that settings ask for, and which of them answers by default. Throws UsageError. */
export function readProviders ({ values, inheritEnv, command: argv }: Settings): { providers: Record<string, Provider>, defaultProvider?: string } {
  const { config, provider, baseUrl, model, defaultProvider } = values as Record<string, string | undefined>
  if (config !== undefined) {
    if (provider !== undefined || argv.length > 0 || baseUrl !== undefined || model !== undefined) throw new UsageError('--config says what runs: it goes with no --provider, --model, --base-url, nor a command.')
    return { ...fromFile(config, inheritEnv), ...(defaultProvider !== undefined && { defaultProvider }) }
  }
  const type = provider ?? (argv.length > 0 ? 'command' : 'echo')
  if (inheritEnv.length > 0 && (type === 'echo' || type === 'openai')) throw new UsageError(`The provider "${type}" takes no --inherit-env.`)
  return { providers: { [type]: create(fromFlags(type, argv, baseUrl, model), inheritEnv) } }
}

function fromFlags (type: string, [program, ...args]: string[], baseUrl: string | undefined, model: string | undefined): AgentConfig {
  if (!Object.hasOwn(AGENTS, type)) throw new UsageError(`There is no provider "${type}", only ${Object.keys(AGENTS).map((name) => `"${name}"`).join(', ')}.`)
  const takesCommand = type === 'command' || type === 'acp'
  if (!takesCommand && program !== undefined) throw new UsageError(`The provider "${type}" takes no command after --.`)
  if (type !== 'openai' && baseUrl !== undefined) throw new UsageError(`The provider "${type}" takes no --base-url.`)
  if (type !== 'openai' && type !== 'claude' && model !== undefined) throw new UsageError(`The provider "${type}" takes no --model.`)
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
    case 'openai': {
      const { type, apiKeyEnv, ...options } = config
      const apiKey = apiKeyEnv === undefined ? undefined : process.env[apiKeyEnv]
      if (apiKeyEnv !== undefined && apiKey === undefined) throw new UsageError(`The variable ${apiKeyEnv}, which is to hold a key, is not set.`)
      return openai({ ...options, ...(apiKey !== undefined && { apiKey }) })
    }
    case 'claude': {
      const { type, ...options } = config
      return claude({ ...options as ClaudeOptions, ...started(options) })
    }
  }
}

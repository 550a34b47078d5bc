/* What can be said of agents, in a file or by flags. */
import Type, { type Static } from 'typebox'
import { VARIABLES } from '../providers/process/environment.ts'
import type { PresetName } from './presets.ts'

const closed = { additionalProperties: false }
const text = (description: string) => Type.Optional(Type.String({ description }))
const texts = (description: string) => Type.Optional(Type.Array(Type.String(), { description }))
const map = (description: string) => Type.Optional(Type.Record(Type.String(), Type.String(), { description }))
const count = (description: string) => Type.Optional(Type.Integer({ description, minimum: 1 }))
const choices = Type.Array(Type.Union([Type.String(), Type.Boolean()]), { minItems: 1 })
const ms = (description: string) => Type.Optional(Type.Integer({ description, minimum: 0, maximum: 2 ** 31 - 1 }))

const program = {
  command: Type.String({ description: 'The program, found by PATH; never passed to a shell.', minLength: 1 }),
  args: texts('Its arguments.'),
  cwd: text('Where it works, as an absolute path. Default: where the server does.'),
  env: map('Variables that are added to what it gets of the server\'s environment.'),
  inheritEnv: Type.Optional(Type.Array(Type.String({ pattern: VARIABLES }), { description: 'Variables of the server\'s environment that it gets besides PATH, HOME and their like, and those of --inherit-env. PREFIX_* = all that start so, * = all but the server\'s own settings (AGENT_RUNS_…).' })),
  killGraceMs: ms('How long it may take to end after SIGTERM.')
}

const PermissionMode = Type.Union(['default', 'acceptEdits', 'plan', 'dontAsk', 'auto', 'bypassPermissions'].map((mode) => Type.Literal(mode)))

const acp = {
  mcpServers: Type.Optional(Type.Array(Type.Unknown(), { description: 'MCP servers, as the Agent Client Protocol has them.' })),
  authMethod: text('How to log in to it when it asks for that: the id of one of its methods.'),
  model: text('The model, by the agent\'s id of it.'),
  models: texts('Models that clients may choose.'),
  mode: text('The mode that each message begins in, by the agent\'s id of it.'),
  modes: texts('Modes that clients may choose.'),
  configOptions: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Boolean()]), { description: 'Other options of the agent, by their ids.' })),
  configChoices: Type.Optional(Type.Record(Type.String(), choices, { description: 'What clients may choose of these.' })),
  idleMs: ms('How long an agent is kept for its session\'s next message; 0 = not at all.'),
  maxAgents: count('How many agents may be there at once.'),
  startTimeoutMs: ms('How long it may take to start.'),
  quietMs: ms('How long it has to be silent after its answer before the turn is over.'),
  cancelGraceMs: ms('How long it may take to hear that it is to stop.')
}

/** An agent whose program and variables are known: what is said here comes before that. */
const preset = <T extends PresetName>(name: T) => Type.Object({ type: Type.Literal(name), ...program, command: text('The program. Default: the agent\'s own.'), ...acp }, closed)

const commandLine = <T extends string>(name: T) => Type.Object({ type: Type.Literal(name), ...program, command: text('The program. Default: the agent\'s own.') }, closed)

/** What a file may say of one agent. */
export const AGENTS = {
  echo: Type.Object({ type: Type.Literal('echo'), delayMs: ms('The pause between two deltas.') }, closed),
  command: Type.Object({
    type: Type.Literal('command'),
    ...program,
    allowLeadingDash: Type.Optional(Type.Boolean({ description: 'Whether a message that begins with "-" may take the place of the argument {message}. Only behind "--", with a program that knows it.' }))
  }, closed),
  acp: Type.Object({ type: Type.Literal('acp'), ...program, ...acp }, closed),
  codex: preset('codex'),
  gemini: preset('gemini'),
  opencode: preset('opencode'),
  cursor: preset('cursor'),
  openai: Type.Object({
    type: Type.Literal('openai'),
    model: Type.String({ minLength: 1 }),
    models: texts('Models that clients may choose.'),
    baseUrl: text('The endpoint. Default: that of OpenAI.'),
    apiKeyEnv: text('The variable that holds the key. Default: OPENAI_API_KEY.'),
    headers: map('Headers of every request.'),
    system: text('What the model is told before everything else.'),
    body: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Further fields of each request.' })),
    clientBody: Type.Optional(Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown()), { description: 'Which of them clients may set: the JSON schema of each, by its name.' })),
    accepts: Type.Optional(Type.Array(Type.Union(['image', 'file', 'audio'].map((kind) => Type.Literal(kind))), { description: 'What it takes besides text.' })),
    timeoutMs: ms('How long the model may be silent.')
  }, closed),
  claude: Type.Object({
    type: Type.Literal('claude'),
    model: text('The model.'),
    models: texts('Models that clients may choose.'),
    cwd: program.cwd,
    env: program.env,
    inheritEnv: program.inheritEnv,
    systemPrompt: text('What the agent is told before everything else.'),
    permissionMode: Type.Optional(PermissionMode),
    permissionModes: Type.Optional(Type.Array(PermissionMode, { description: 'Modes that clients may choose.' })),
    allowedTools: texts('Tools that run without being asked for.'),
    disallowedTools: texts('Tools that it does not get.'),
    settingSources: Type.Optional(Type.Array(Type.Union(['user', 'project', 'local'].map((source) => Type.Literal(source))))),
    maxTurns: count('How often it may turn to the model for one message.'),
    killGraceMs: program.killGraceMs
  }, closed),
  claudeCli: commandLine('claudeCli'),
  codexCli: commandLine('codexCli')
}

export type AgentType = keyof typeof AGENTS
export type AgentConfig = { [T in AgentType]: Static<typeof AGENTS[T]> }[AgentType]

/** The file of `--config`. It is its own JSON schema: `docs/config.schema.json`. */
export const CONFIG = Type.Object({
  $schema: Type.Optional(Type.String()),
  providers: Type.Record(Type.String({ minLength: 1 }), Type.Union(Object.values(AGENTS)), { description: 'The agents, by the name under which messages ask for them.', minProperties: 1 }),
  defaultProvider: text('Who answers messages and sessions that name none. With a single provider, that one.')
}, closed)

/* The standalone server's flags and environment: every option of the plugin, and a few of its own. */
import { parseArgs } from 'node:util'
import { OPTIONS, type OptionSchema } from '../plugins/options.ts'
import { VARIABLES } from '../providers/process/environment.ts'
import { readHosts } from './hosts.ts'
import { readOrigins } from './origins.ts'

export interface Setting {
  /** `--heartbeat-ms`, and AGENT_RUNS_HEARTBEAT_MS in the environment. */
  flag: string
  description: string
  default?: unknown
  /** The default of a server with tokens, where that differs. */
  withTokens?: unknown
  read: (text: string) => unknown
  /** The group of options that it belongs to. */
  group?: string | undefined
}

/** A flag or variable that makes no sense; the message is for the person at the terminal. */
export class UsageError extends Error {}

const asIs = (text: string): string => text

/** Settings of the server itself. */
const SERVER: Record<string, Setting> = {
  port: { flag: 'port', description: 'The port to listen on; 0 = any.', default: 3000, read: toInteger },
  host: { flag: 'host', description: 'The address to listen on.', default: '127.0.0.1', read: asIs },
  db: { flag: 'db', description: 'The SQLite file.', default: './agent-runs.db', read: asIs },
  provider: { flag: 'provider', description: 'What runs: "echo"; "command" or "acp" (an agent that speaks the Agent Client Protocol) with the command after --; "openai" with --model; "claude", "claudeCli", "codexCli".', read: asIs },
  agent: { flag: 'agent', description: 'What runs, by its name: "claude", "codex", "gemini", "opencode" or "cursor", with what it needs of the environment.', read: asIs },
  model: { flag: 'model', description: 'The model, of "openai", "claude", "acp" and the agents by name.', read: asIs },
  baseUrl: { flag: 'base-url', description: 'The endpoint of the provider "openai", such as http://127.0.0.1:11434/v1; the key is in OPENAI_API_KEY.', read: asIs },
  config: { flag: 'config', description: 'A JSON file that says what runs, for several providers at once; see docs/providers.md.', read: asIs },
  inheritEnv: { flag: 'inherit-env', description: 'Variables of the server\'s environment that agents get besides PATH, HOME and their like, with commas between them; PREFIX_* = all that start so, * = all but the server\'s own settings (AGENT_RUNS_…).', default: [], read: readVariables },
  tokens: { flag: 'tokens', description: 'A JSON file of who may use the server: [{ "token", "owner", "expiresAt"? }, …]. Without it, everyone who reaches it may do everything.', read: asIs },
  corsOrigin: { flag: 'cors-origin', description: 'Origins whose pages may use the server, such as https://app.example, with commas between them.', default: [], read: readOrigins },
  allowedHosts: { flag: 'allowed-hosts', description: 'Names under which the server may be called, with commas between them, beside that of --host and those of this machine; * = any.', default: [], read: readHosts },
  playground: { flag: 'playground', description: 'Whether there is a page to try everything with, at /.', default: true, read: toBoolean },
  logLevel: { flag: 'log-level', description: 'How much is logged: fatal, error, warn, info, debug, silent.', default: 'info', read: asIs }
}

/** All settings, by name. */
export const SETTINGS: Record<string, Setting> = { ...SERVER, ...pluginSettings(OPTIONS.properties) }

export interface Settings {
  values: Record<string, unknown>
  /** The variables of the server's environment that agents are to get besides the base set. */
  inheritEnv: string[]
  /** What stands after `--`. */
  command: string[]
  help: boolean
}

/** The settings in arguments, else in the environment, else their defaults. Throws UsageError. */
export function readSettings (args: string[], env: NodeJS.ProcessEnv): Settings {
  const end = args.indexOf('--')
  const given = parse(end === -1 ? args : args.slice(0, end))
  const values: Record<string, unknown> = {}
  const hasTokens = (given['tokens'] ?? env[variableOf('tokens')]) !== undefined
  for (const [name, { flag, default: otherwise, withTokens = otherwise, read, group }] of Object.entries(SETTINGS)) {
    const variable = variableOf(flag)
    const text = given[flag] ?? env[variable]
    const place = group === undefined ? values : (values[group] ??= {}) as Record<string, unknown>
    place[name] = hasTokens ? withTokens : otherwise
    if (typeof text !== 'string') continue
    try {
      place[name] = read(text)
    } catch (error) {
      throw new UsageError(`${given[flag] === undefined ? variable : `--${flag}`} is "${text}": ${(error as Error).message}`)
    }
  }
  const { inheritEnv, ...rest } = values
  return { values: rest, inheritEnv: inheritEnv as string[], command: end === -1 ? [] : args.slice(end + 1), help: given['help'] === true }
}

/** How the variables begin that stand for flags. */
export const OWN_PREFIX = 'AGENT_RUNS_'

/** The variable that stands for a flag. */
export function variableOf (flag: string): string {
  return `${OWN_PREFIX}${flag.toUpperCase().replaceAll('-', '_')}`
}

function parse (args: string[]): Record<string, string | boolean | undefined> {
  const flags = Object.values(SETTINGS).map(({ flag }) => [flag, { type: 'string' }] as const)
  try {
    return parseArgs({ args, options: { ...Object.fromEntries(flags), help: { type: 'boolean', short: 'h' } } }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function pluginSettings (schemas: Record<string, OptionSchema>, group?: string): Record<string, Setting> {
  const settings: Record<string, Setting> = {}
  for (const [name, { type, description = '', default: otherwise, withTokens, properties, flag = kebab(name) }] of Object.entries(schemas)) {
    if (properties !== undefined) Object.assign(settings, pluginSettings(properties, name))
    // Lists are what `--cors-origin` and its like are for.
    else if (type !== 'array') settings[name] = { flag, description, default: otherwise, withTokens: withTokens ?? otherwise, read: type === 'integer' ? toInteger : type === 'boolean' ? toBoolean : asIs, group }
  }
  return settings
}

function kebab (name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function readVariables (list: string): string[] {
  return list.split(',').map((each) => {
    const name = each.trim()
    if (!new RegExp(VARIABLES).test(name)) throw new Error('it must be names of variables with commas between them, PREFIX_* or *.')
    return name
  })
}

function toInteger (text: string): number {
  if (!/^\d+$/.test(text)) throw new Error('it must be a whole number.')
  return Number(text)
}

function toBoolean (text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new Error('it must be true or false.')
  return text === 'true'
}

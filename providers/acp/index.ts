/* Agents that speak the Agent Client Protocol: Claude Code, Codex, Gemini CLI, OpenCode, Goose, … */
import '../../lib/common/node-version.ts'
import type * as Sdk from '@agentclientprotocol/sdk'
import Type, { type TSchema } from 'typebox'
import { type Logger, silentLogger } from '../../lib/common/logger.ts'
import type { KeptSession } from '../../lib/protocol/words.ts'
import { eventQueue } from '../../lib/provider/event-queue.ts'
import type { Provider, ProviderEvent, RunContext } from '../../lib/provider/provider.ts'
import type { UrlOptions } from '../common/client-url.ts'
import { environmentOf, type EnvironmentOptions } from '../process/environment.ts'
import { loadPeer } from '../common/load-peer.ts'
import { lookAfterStrays, type OrphanOptions } from '../process/strays.ts'
import { Agent } from './agent.ts'
import { ToldCommands } from './commands.ts'
import { hasCode } from './connection.ts'
import type { Settings } from './settings.ts'
import { WarmAgents } from './warm-agents.ts'

/** What an option may be told by. */
type Run = Pick<RunContext, 'session' | 'context'>

export interface AcpOptions extends EnvironmentOptions, OrphanOptions, UrlOptions {
  /** The agent's program, found by PATH. Never passed to a shell. */
  command: string
  /** Its arguments. Default none. */
  args?: readonly string[]
  /** Where it works, as an absolute path, or how to tell by the run. Default: the server's working directory. */
  cwd?: string | ((run: Run) => string)
  /** How to log in to the agent when it asks for that: the id of one of its methods. Default: the run fails, and names the methods. */
  authMethod?: string
  /** The model, by the agent's id of it. Default: the agent's own choice. */
  model?: string
  /** Models that clients may choose by `options.model` of a message. Default none. */
  models?: readonly string[]
  /** The mode that each message begins in, by the agent's id of it. Default: the one that the agent is in. */
  mode?: string
  /** Modes that clients may choose by `options.mode`. Some let the agent do everything without being asked for. Default none. */
  modes?: readonly string[]
  /** Other options of the agent, by the ids of its `configOptions`. Default: as the agent has them. */
  configOptions?: Record<string, string | boolean>
  /** What clients may choose by `options.configOptions` of a message, by the same ids. Default none. */
  configChoices?: Record<string, ReadonlyArray<string | boolean>>
  /** MCP servers that the agent is to use, as the protocol has them, or how to tell by the run. Default none. */
  mcpServers?: readonly unknown[] | ((run: Run) => readonly unknown[])
  /** How long an agent is kept for its session's next message, in ms; 0 = not at all. Default 300,000. */
  idleMs?: number
  /** How many agents may be there at once; the one that is idle longest goes first. Default 16. */
  maxAgents?: number
  /** How long it may take to start, in ms. Default 60,000. */
  startTimeoutMs?: number
  /** How long it has to be silent after its answer before the turn is over, in ms: what it still sends belongs to it. Default 100. */
  quietMs?: number
  /** How long it may take to hear that it is to stop, before it is ended, in ms. Default 2,000. */
  cancelGraceMs?: number
  /** How long it may take to end after SIGTERM, before SIGKILL, in ms. Default 1,000. */
  killGraceMs?: number
  /** Where the package comes from when it cannot be found from here. Default: `import('@agentclientprotocol/sdk')`. */
  sdk?: () => Promise<unknown>
}

const FORGOT: ProviderEvent = { kind: 'error', code: 'AGENT_FORGOT', message: 'The agent does not have the session any more, and starts anew.' }
/** How agents say that a session which they have opened is not there. */
const FORGETS = /\b(thread|session|conversation|rollout)( id)?:? ?["']?[\w-]*["']? (was |is )?(not found|does not exist)|\bno (rollout|conversation|session)s? found/i

/**
 * A provider that runs an agent which speaks the Agent Client Protocol over its standard input and output, one process for
 * each session. What it starts in its process group ends with it. Its permission requests and questions become approvals. Clients
 * can only choose among `models`, `modes` and `configChoices`, for one message each. Needs the package `@agentclientprotocol/sdk`.
 */
export function acp (options: AcpOptions): Provider {
  const { command, args = [], cwd = process.cwd(), allowUrl, mcpServers = [], authMethod, idleMs = 300_000, maxAgents = 16, startTimeoutMs = 60_000, quietMs = 100, cancelGraceMs = 2_000, killGraceMs = 1_000, sdk: load = () => import('@agentclientprotocol/sdk') } = options
  const agents = new WarmAgents({ idleMs, maxAgents })
  const told = new ToldCommands()
  let abilities: Agent['abilities'] | undefined
  lookAfterStrays(options)

  const start = async (place: string, servers: readonly unknown[], log: Logger): Promise<() => Agent> => {
    const sdk = await loadPeer(load, '@agentclientprotocol/sdk', 'acp') as typeof Sdk
    return () => new Agent(sdk, { command, args, cwd: place, env: environmentOf(options), allowUrl, authMethod, mcpServers: servers, log, startTimeoutMs, quietMs, cancelGraceMs, killGraceMs })
  }

  let listing: Promise<KeptSession[]> | null = null
  let lister: Agent | null = null

  async function list (limit: number): Promise<KeptSession[]> {
    const place = typeof cwd === 'function' ? undefined : cwd
    lister = (await start(place ?? process.cwd(), [], silentLogger))()
    try {
      return await lister.list(limit, place)
    } finally {
      void lister.end()
    }
  }

  async function * run (context: RunContext): AsyncGenerator<ProviderEvent> {
    if (!(yield * attempt(context, context.providerSessionId))) return
    yield FORGOT
    yield * attempt(context, null)
  }

  /** Takes one turn in the native session; answers whether the agent has said that it does not have it any more, and nothing else. */
  async function * attempt (context: RunContext, nativeId: string | null): AsyncGenerator<ProviderEvent, boolean> {
    const { session, signal, log } = context
    signal.throwIfAborted()
    const create = await start(typeof cwd === 'function' ? cwd(context) : cwd, typeof mcpServers === 'function' ? mcpServers(context) : mcpServers, log)
    const { agent, isNew } = await agents.take(session.id, nativeId, create)
    const queue = eventQueue()
    let turn: Promise<void> | null = null
    let given = false
    const give = (settled: Promise<void>): void => {
      if (!given) agents.give(session.id, agent, settled)
      given = true
    }
    // The run does not wait for the agent to hear of its end; the next one of the session does.
    const stop = (): void => {
      queue.end()
      give(turn === null ? agent.end() : agent.cancel(turn))
    }
    signal.addEventListener('abort', stop, { once: true })
    let said = 0
    try {
      if (isNew) yield * open(agent, nativeId)
      abilities = agent.abilities
      yield * told.news(session.id, agent.commands)
      signal.throwIfAborted()
      turn = agent.prompt(context, queue, settingsOf(options, context)).then(({ stopReason, failed, usage }) => {
        for (const event of told.news(session.id, agent.commands)) queue.push(event)
        queue.push({ kind: 'complete', ...ending(stopReason, failed), ...(usage && { usage }) })
        queue.end()
      }).catch((error: unknown) => queue.fail(error))
      for await (const event of queue) {
        if (!('transient' in event)) said++
        yield event
      }
    } catch (error) {
      // Some open a session whose conversation is gone, and say so only then.
      if (isNew && nativeId !== null && agent.nativeId === nativeId && said === 0 && hasCode(error, 'AGENT_FAILED') && FORGETS.test((error as Error).message)) return true
      throw error
    } finally {
      signal.removeEventListener('abort', stop)
      give(turn === null ? agent.end() : Promise.resolve())
    }
    return false
  }

  return {
    run,
    optionsSchema: optionsSchema(options),
    abilities: () => ({ approvals: true, ...abilities }),
    // One process at a time, however many ask.
    listSessions: ({ limit }) => {
      listing ??= list(limit).finally(() => { listing = null })
      return listing
    },
    endSession: (sessionId) => {
      told.forget(sessionId)
      return agents.end(sessionId)
    },
    async close () {
      await Promise.all([agents.close(Math.min(killGraceMs, 500)), lister?.end(Math.min(killGraceMs, 500))])
    }
  }
}

function settingsOf ({ model, mode, configOptions }: AcpOptions, { options }: RunContext): Settings {
  const chosen = options as Settings
  return {
    ...(model !== undefined && { model }),
    ...(mode !== undefined && { mode }),
    ...chosen,
    configOptions: { ...configOptions, ...chosen.configOptions }
  }
}

function optionsSchema ({ model, models = [], mode, modes = [], configChoices = {} }: AcpOptions): TSchema {
  const choice = (values: ReadonlyArray<string | boolean>, always?: string): TSchema =>
    Type.Optional(Type.Union([...new Set([...values, ...always === undefined ? [] : [always]])].map((value) => Type.Literal(value))))
  const others = Object.entries(configChoices).map(([id, values]) => [id, choice(values)] as const)
  const closed = { additionalProperties: false }
  return Type.Object({
    ...(models.length > 0 && { model: choice(models, model) }),
    ...(modes.length > 0 && { mode: choice(modes, mode) }),
    ...(others.length > 0 && { configOptions: Type.Optional(Type.Object(Object.fromEntries(others), closed)) })
  }, closed)
}

async function * open (agent: Agent, providerSessionId: string | null): AsyncGenerator<ProviderEvent> {
  const outcome = await agent.open(providerSessionId)
  if (outcome === 'lost') yield FORGOT
  if (outcome !== 'resumed') yield { kind: 'session_created', newSessionId: agent.nativeId! }
}

/** Why the agent stopped, as the end of a run. */
function ending (stopReason: unknown, failed: boolean): { exitCode: number, error?: { code: string, message: string } } {
  if (failed) return { exitCode: 1, error: { code: 'AGENT_FAILED', message: 'The agent failed; it says why in its answer.' } }
  if (stopReason === 'end_turn') return { exitCode: 0 }
  // An agent may give any text, or none.
  const reason = typeof stopReason === 'string' && /^[a-z_]{1,40}$/.test(stopReason) ? stopReason : 'failed'
  return { exitCode: 1, error: { code: `AGENT_${reason.toUpperCase()}`, message: `The agent stopped: ${reason}.` } }
}

/* Claude Code by its Agent SDK: one process for each message, one native session for each of ours. */
import '../../lib/common/node-version.ts'
import Type, { type TSchema } from 'typebox'
import { type Provider, ProviderError, type ProviderEvent, type RunContext } from '../../lib/provider/provider.ts'
import { idArgument } from '../process/arguments.ts'
import type { UrlOptions } from '../common/client-url.ts'
import { environmentOf, type EnvironmentOptions } from '../process/environment.ts'
import { claudeEnvironment } from './environment.ts'
import { loadPeer } from '../common/load-peer.ts'
import { lookAfterStrays, type OrphanOptions } from '../process/strays.ts'
import type { Sdk } from './sdk.ts'
import { type Standing, StandingPermissions } from './standing-permissions.ts'
import { Turn } from './turn.ts'

/** As a variable, so that neither compilers nor bundlers look for what may not be there. */
const PACKAGE: string = '@anthropic-ai/claude-agent-sdk'
/** A server that closes does not wait longer for an agent, in ms. */
const CLOSE_GRACE_MS = 500

/** What an option may be told by. */
type Run = Pick<RunContext, 'session' | 'context'>

type PermissionMode = 'default' | 'acceptEdits' | 'plan' | 'dontAsk' | 'auto' | 'bypassPermissions'

export interface ClaudeOptions extends EnvironmentOptions, OrphanOptions, UrlOptions {
  /**
   * Where it works, as an absolute path that exists, or how to tell by the run. A session goes on only where it began. Default: the
   * server's working directory.
   */
  cwd?: string | ((run: Run) => string)
  /** The model. Default: the agent's own choice. */
  model?: string
  /** Models that clients may choose by `options.model` of a message. Default none. */
  models?: readonly string[]
  /** As the SDK has it: text, or `{ type: 'preset', preset: 'claude_code', append }`. Default: the SDK's. */
  systemPrompt?: string | Record<string, unknown>
  /** Default `default`: what is not allowed otherwise is asked for. `bypassPermissions` asks for nothing. */
  permissionMode?: PermissionMode
  /** Modes that clients may choose by `options.permissionMode` of a message. Default none. */
  permissionModes?: ReadonlyArray<PermissionMode>
  /** Tools that run without being asked for. Default none. */
  allowedTools?: readonly string[]
  /** Tools that it does not get. Default none. */
  disallowedTools?: readonly string[]
  /**
   * MCP servers by name, as the SDK has them, or how to make them for a run: a server in this process (`createSdkMcpServer`)
   * serves one run at a time. Default none.
   */
  mcpServers?: Record<string, unknown> | ((run: Run) => Record<string, unknown>)
  /** Which settings on disk count, memory files among them. Default none, so that the server's user does not leak in. */
  settingSources?: ReadonlyArray<'user' | 'project' | 'local'>
  /** How often it may turn to the model for one message. Default: as often as it likes. */
  maxTurns?: number
  /** How long it may take to end after SIGTERM, before SIGKILL, in ms. Default 1,000. */
  killGraceMs?: number
  /** Further options of the SDK. What this provider sets for a run (input, session, process, permissions) it sets all the same. */
  sdkOptions?: Record<string, unknown>
  /** Where the package comes from when it cannot be found from here. Default: `import('@anthropic-ai/claude-agent-sdk')`. */
  sdk?: () => Promise<unknown>
}

/**
 * A provider that runs Claude Code. Tools that ask for permission become approvals. The agent and all that it started end with the
 * run. Clients can only choose among `models` and `permissionModes`; their words reach the model as they are, `/` and `@` are nothing special in
 * them. Needs the package `@anthropic-ai/claude-agent-sdk`.
 */
export function claude (options: ClaudeOptions = {}): Provider {
  const { cwd = process.cwd(), allowUrl, models = [], permissionModes = [], killGraceMs = 1_000, sdk: load = () => import(PACKAGE) } = options
  const turns = new Set<Turn>()
  const standing = new StandingPermissions()
  lookAfterStrays(options)
  /** When the last turn of a session has written it to the end. */
  const settled = new Map<string, Promise<void>>()

  async function * run (context: RunContext): AsyncGenerator<ProviderEvent> {
    const { session, signal, providerSessionId, log } = context
    const sdk = await loadPeer(load, PACKAGE, 'claude') as Sdk
    await settled.get(session.id)
    const turn = async function * (resume: string | null): AsyncGenerator<ProviderEvent, boolean> {
      signal.throwIfAborted()
      const turn = new Turn(sdk, context, {
        resume, options: sdkOptions(options, context, standing.of(session.id)), cwd: typeof cwd === 'function' ? cwd(context) : cwd, env: claudeEnvironment(options), allowUrl, standing, killGraceMs
      })
      turns.add(turn)
      const gone = turn.ended.then(() => {
        turns.delete(turn)
        if (settled.get(session.id) === gone) settled.delete(session.id)
      })
      settled.set(session.id, gone)
      // The run does not wait for the agent to hear of its end.
      const stop = (): void => { void turn.stop() }
      signal.addEventListener('abort', stop, { once: true })
      try {
        yield * turn.events
        return turn.forgot
      } finally {
        signal.removeEventListener('abort', stop)
        stop()
      }
    }
    if (!(yield * turn(idArgument(providerSessionId, log)))) return
    await settled.get(session.id)
    yield { kind: 'error', code: 'AGENT_FORGOT', message: 'The agent does not have the session any more, and starts anew.' }
    yield * turn(null)
  }

  return {
    run,
    optionsSchema: Type.Object({ ...(models.length > 0 && { model: choice(models) }), ...(permissionModes.length > 0 && { permissionMode: choice(permissionModes) }) }, { additionalProperties: false }),
    abilities: () => ({ images: true, files: true, resume: true, approvals: true }),
    async listSessions ({ limit }) {
      const environment = environmentOf(options)
      // It is read by this process, where this process' own agent would keep it.
      if (['HOME', 'CLAUDE_CONFIG_DIR'].some((name) => environment[name] !== process.env[name])) throw new ProviderError('its agent keeps its sessions in another place than the server\'s own.')
      const { listSessions } = await loadPeer(load, PACKAGE, 'claude') as Sdk
      const kept = await listSessions({ limit, ...(typeof cwd === 'string' && { dir: cwd }) })
      return kept.map(({ sessionId: id, summary: title, cwd: place, lastModified }) => ({ id, title, updatedAt: new Date(lastModified).toISOString(), ...(place !== undefined && { cwd: place }) }))
    },
    endSession: async (sessionId) => standing.forget(sessionId),
    async close () {
      const limits = { exitMs: CLOSE_GRACE_MS, killGraceMs: Math.min(killGraceMs, CLOSE_GRACE_MS) }
      await Promise.all([...turns].map((turn) => turn.stop(limits)))
    }
  }
}

function choice (values: readonly string[]): TSchema {
  return Type.Optional(Type.Union(values.map((value) => Type.Literal(value))))
}

function sdkOptions (options: ClaudeOptions, context: RunContext, standing: Standing): Record<string, unknown> {
  const { systemPrompt, disallowedTools, mcpServers, settingSources = [], maxTurns, sdkOptions } = options
  const model = context.options['model'] ?? options.model
  const permissionMode = context.options['permissionMode'] ?? standing.mode ?? options.permissionMode ?? 'default'
  const { allowedTools } = options
  const additionalDirectories = [...listIn(sdkOptions, 'additionalDirectories'), ...standing.directories]
  return {
    // Clients are not those at the keyboard: `@/any/file` would hand them files that nobody was asked for, `/model` a model.
    verbatimPrompts: true,
    // Sessions of different people may work in one directory.
    // What a user has allowed stands here, as the SDK joins `allowedTools` with commas, which commands may hold.
    settings: { autoMemoryEnabled: false, ...(standing.rules.length > 0 && { permissions: { allow: standing.rules } }) },
    // On the command line everyone on the machine could read what is in them.
    mcpServersDelivery: 'initialize',
    ...sdkOptions,
    settingSources,
    permissionMode,
    ...(permissionMode === 'bypassPermissions' && { allowDangerouslySkipPermissions: true }),
    ...(model !== undefined && { model }),
    ...(systemPrompt !== undefined && { systemPrompt }),
    ...(allowedTools && { allowedTools }),
    ...(additionalDirectories.length > 0 && { additionalDirectories }),
    ...(disallowedTools && { disallowedTools }),
    ...(mcpServers && { mcpServers: typeof mcpServers === 'function' ? mcpServers(context) : mcpServers }),
    ...(maxTurns !== undefined && { maxTurns })
  }
}

function listIn (sdkOptions: Record<string, unknown> | undefined, name: string): string[] {
  return sdkOptions?.[name] as string[] | undefined ?? []
}

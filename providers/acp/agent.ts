/* One agent, with one session in it. */
import { setTimeout as delay } from 'node:timers/promises'
import type * as acp from '@agentclientprotocol/sdk'
import type { KeptSession } from '../../lib/protocol/words.ts'
import type { EventQueue } from '../../lib/provider/event-queue.ts'
import { ProviderError, type RunContext } from '../../lib/provider/provider.ts'
import type { AllowUrl } from '../common/client-url.ts'
import { boundedCommands } from './commands.ts'
import { Connection, type ConnectionOptions, hasCode, type Sdk } from './connection.ts'
import { withCursorMethods } from './cursor.ts'
import { askPermission } from './permission.ts'
import { promptOf } from './prompt.ts'
import { askForm, type Asking } from './questions.ts'
import { Quiet } from './quiet.ts'
import { type OpenedSession, SessionSettings, type Settings } from './settings.ts'
import { UpdateMapper } from './updates.ts'
import { usageOf } from './usage.ts'

/** How many calls and messages of former turns are known, so that what comes late of them is dropped. */
const PAST_IDS = 1_000
/** A session that is replayed is waited for no longer, in ms. */
const REPLAY_MS = 5_000
/** What we are and can do, as agents are told. */
const CLIENT: Pick<acp.InitializeRequest, 'clientCapabilities' | 'clientInfo'> = {
  clientCapabilities: { elicitation: { form: {}, url: {} } }, clientInfo: { name: 'fastify-agent-runs', version: '0' }
}

export interface AgentOptions extends ConnectionOptions {
  allowUrl: AllowUrl | undefined
  mcpServers: readonly unknown[]
  /** How long it has to be silent before a turn is over, in ms. */
  quietMs: number
  /** How long it may take to hear a cancel, in ms. */
  cancelGraceMs: number
}

/** A turn that is under way. */
interface Turn {
  context: RunContext
  queue: EventQueue
  mapper: UpdateMapper
  /** Settles when the agent has answered for it. */
  answered: Promise<unknown> | null
}

export class Agent {
  readonly #options: AgentOptions
  readonly #connection: Connection
  readonly #sdk: Sdk
  readonly #quiet = new Quiet()
  readonly #settings = new SessionSettings((method, params) => this.#connection.soon(method, { sessionId: this.#nativeId!, ...params }))
  #capabilities: acp.AgentCapabilities = {}
  #nativeId: string | null = null
  #turn: Turn | null = null
  #commands: acp.AvailableCommand[] = []
  /** Ids of former turns, the oldest first. */
  #past: string[] = []

  /** Starts the agent. Throws a ProviderError AGENT_NOT_STARTED for what no program can be given, such as a NUL in a path. */
  constructor (sdk: Sdk, options: AgentOptions) {
    this.#sdk = sdk
    this.#options = options
    const { client } = sdk.methods
    const app = sdk.client({ name: 'fastify-agent-runs' })
      .onNotification(client.session.update, ({ params }) => this.#update(params))
      .onRequest(client.session.requestPermission, async ({ params, signal }) => {
        const asking = this.#asking(signal, params.sessionId)
        return asking === null ? { outcome: { outcome: 'cancelled' } } : askPermission(asking, this.#turn!.mapper.tool(params.toolCall.toolCallId), params)
      })
      .onRequest(client.elicitation.create, async ({ params, signal }) => {
        const asking = this.#asking(signal)
        return asking === null ? { action: 'cancel' } : askForm(asking, params)
      })
    this.#connection = new Connection(sdk, options, withCursorMethods(app, (signal) => this.#asking(signal)), async () => { if (this.#turn !== null) await this.#quiet.hold(this.#turn.queue.room()) })
  }

  /** Resolves with the exit code, once the process and all that it started are gone. */
  get exited (): Promise<number> {
    return this.#connection.exited
  }

  /** Whether it can take a turn in the session that it has. */
  get usable (): boolean {
    return !this.#connection.isOver && this.#turn === null
  }

  /** The agent's own id of its session; null before it has one. */
  get nativeId (): string | null {
    return this.#nativeId
  }

  /** The commands that it knows now, such as `/review`. */
  get commands (): acp.AvailableCommand[] {
    return this.#commands
  }

  /** What it can do, as it says itself. */
  get abilities (): { images: boolean, files: boolean, resume: boolean } {
    const { promptCapabilities, loadSession = false, sessionCapabilities } = this.#capabilities
    return {
      images: promptCapabilities?.image === true,
      files: promptCapabilities?.embeddedContext === true,
      resume: loadSession || Boolean(sessionCapabilities?.resume)
    }
  }

  /** Says hello, and opens the session: the one of `nativeId` if the agent still has it, else a new one. */
  async open (nativeId: string | null): Promise<'new' | 'resumed' | 'lost'> {
    await this.#greet()
    if (nativeId !== null && await this.#resume(nativeId)) return 'resumed'
    const session = await this.#connection.soon(this.#sdk.methods.agent.session.new, this.#place)
    if (typeof session.sessionId !== 'string' || session.sessionId === '') throw new ProviderError('The agent opened a session without an id.', { code: 'AGENT_INCOMPATIBLE' })
    this.#opened(session.sessionId, session)
    return nativeId === null ? 'new' : 'lost'
  }

  /** Sessions that the agent has kept; those of one directory, if one is given. Throws a ProviderError if it cannot tell. */
  async list (limit: number, cwd: string | undefined): Promise<KeptSession[]> {
    await this.#greet()
    if (!this.#capabilities.sessionCapabilities?.list) throw new ProviderError('The agent does not list its sessions.', { code: 'AGENT_INCOMPATIBLE' })
    const { sessions } = await this.#connection.soon(this.#sdk.methods.agent.session.list, cwd === undefined ? {} : { cwd })
    return sessions.slice(0, limit).map(({ sessionId, title, cwd, updatedAt }) => ({ id: sessionId, cwd, ...(title && { title }), ...(updatedAt && { updatedAt }) }))
  }

  /** Takes one turn: what the agent does goes to `queue`; resolves with why it stopped, once it has fallen silent. */
  async prompt (context: RunContext, queue: EventQueue, settings: Settings): Promise<{ stopReason: acp.StopReason, failed: boolean, usage: Record<string, unknown> | undefined }> {
    const prompt = promptOf(context.content, this.#capabilities.promptCapabilities ?? {}, this.#options.allowUrl)
    await this.#quiet.wait(this.#options.quietMs)
    const turn: Turn = { context, queue, mapper: new UpdateMapper(this.#past), answered: null }
    try {
      await this.#settings.apply(settings)
      // What comes before is not of this turn.
      this.#turn = turn
      context.signal.throwIfAborted()
      const answer = this.#connection.prompt({ sessionId: this.#nativeId!, prompt }, context.signal)
      turn.answered = answer
      const response = await answer
      // What comes behind the answer belongs to it.
      this.#quiet.heard()
      await this.#quiet.wait(this.#options.quietMs)
      const usage = { ...turn.mapper.usage, ...usageOf(response) }
      return { stopReason: response.stopReason, failed: turn.mapper.failed, usage: Object.keys(usage).length === 0 ? undefined : usage }
    } finally {
      await this.#settings.restore().catch((error: unknown) => this.#options.log.warn({ err: error }, 'the agent did not take its settings back'))
      this.#turn = null
      this.#past = [...this.#past, ...turn.mapper.ids].slice(-PAST_IDS)
    }
  }

  /** Stops the turn. Resolves once the agent has; one that does not hear is ended. */
  async cancel (turn: Promise<unknown>): Promise<void> {
    this.#connection.notify(this.#sdk.methods.agent.session.cancel, { sessionId: this.#nativeId! })
    const heard = (this.#turn?.answered ?? turn).then(() => true, () => true)
    if (await Promise.race([heard, delay(this.#options.cancelGraceMs, false)]) !== true) await this.end()
    await turn.catch(() => {})
  }

  /** Ends the process and all that it started; resolves when they are gone. */
  end (killGraceMs?: number): Promise<void> {
    return this.#connection.end(killGraceMs)
  }

  /** Where the session is, and what it has. */
  get #place (): acp.NewSessionRequest {
    return { cwd: this.#options.cwd, mcpServers: this.#options.mcpServers as acp.McpServer[] }
  }

  async #greet (): Promise<void> {
    const { PROTOCOL_VERSION: protocolVersion, methods } = this.#sdk
    const hello = await this.#connection.soon(methods.agent.initialize, { protocolVersion, ...CLIENT })
    if (hello.protocolVersion !== protocolVersion) throw new ProviderError(`The agent speaks version ${hello.protocolVersion} of the protocol.`, { code: 'AGENT_INCOMPATIBLE' })
    this.#capabilities = hello.agentCapabilities ?? {}
    this.#connection.authMethods = hello.authMethods ?? []
  }

  #opened (nativeId: string, session: OpenedSession | null): void {
    this.#nativeId = nativeId
    this.#settings.opened(session ?? {})
  }

  async #resume (nativeId: string): Promise<boolean> {
    const { agent } = this.#sdk.methods
    const { loadSession = false, sessionCapabilities } = this.#capabilities
    const method = sessionCapabilities?.resume ? agent.session.resume : loadSession ? agent.session.load : null
    if (method === null) return false
    try {
      // What it replays of the session we have in our log: there is no turn yet that would take it.
      const session: unknown = await this.#connection.soon(method, { sessionId: nativeId, ...this.#place })
      // Some answer first, and replay then.
      this.#quiet.heard()
      await this.#quiet.wait(3 * this.#options.quietMs, REPLAY_MS)
      this.#opened(nativeId, session as OpenedSession | null)
      return true
    } catch (error) {
      // It does not have the session any more; whatever else is wrong shows when it opens another.
      if (hasCode(error, 'AGENT_FAILED')) return false
      throw error
    }
  }

  #update ({ sessionId, update }: acp.SessionNotification): void {
    this.#quiet.heard()
    this.#settings.update(update)
    if (update.sessionUpdate === 'available_commands_update') this.#commands = boundedCommands(update.availableCommands)
    if (this.#turn === null || sessionId !== this.#nativeId) return
    for (const event of this.#turn.mapper.map(update)) this.#turn.queue.push(event)
  }

  /** Who is asked what the agent asks; null if it has no turn. */
  #asking (signal: AbortSignal, sessionId = this.#nativeId): Asking | null {
    if (this.#turn === null || sessionId !== this.#nativeId) return null
    const { context, queue } = this.#turn
    return { context, queue, signal }
  }
}

/* One agent: a process that speaks the Agent Client Protocol over its pipes, with one session in it. */
import { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type * as acp from '@agentclientprotocol/sdk'
import { atMost } from '../../lib/common/at-most.ts'
import type { Logger } from '../../lib/common/logger.ts'
import type { EventQueue } from '../../lib/provider/event-queue.ts'
import { ProviderError, type RunContext } from '../../lib/provider/provider.ts'
import type { AllowUrl } from '../common/client-url.ts'
import { ProcessGroup } from '../process/process-group.ts'
import { startError } from '../process/start-error.ts'
import { boundedCommands } from './commands.ts'
import { withCursorMethods } from './cursor.ts'
import { protocolOutput } from './output.ts'
import { askPermission } from './permission.ts'
import { promptOf } from './prompt.ts'
import { askForm, type Asking } from './questions.ts'
import { Quiet } from './quiet.ts'
import { type OpenedSession, SessionSettings, type Settings } from './settings.ts'
import { UpdateMapper } from './updates.ts'

type Sdk = typeof acp

/** Of what an agent says of an error, in characters: it goes to the clients. */
const ERROR_LENGTH = 4_096
/** How many calls and messages of former turns are known, so that what comes late of them is dropped. */
const PAST_IDS = 1_000

export interface AgentOptions {
  command: string
  args: readonly string[]
  cwd: string
  env: Record<string, string | undefined>
  allowUrl: AllowUrl | undefined
  mcpServers: readonly unknown[]
  /** How to log in to it, by the id of one of its methods; undefined = not at all. */
  authMethod: string | undefined
  log: Logger
  /** How long it may take to start, in ms. */
  startTimeoutMs: number
  /** How long it has to be silent before a turn is over, in ms. */
  quietMs: number
  /** How long it may take to hear a cancel, in ms. */
  cancelGraceMs: number
  /** How long it may take to end after SIGTERM, in ms. */
  killGraceMs: number
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
  readonly #group: ProcessGroup
  readonly #connection: acp.ClientConnection
  readonly #sdk: Sdk
  readonly #quiet = new Quiet()
  readonly #settings = new SessionSettings((method, params) => this.#start(() => this.#request(method, { sessionId: this.#nativeId!, ...params })))
  #hello: Partial<acp.InitializeResponse> = {}
  #nativeId: string | null = null
  #turn: Turn | null = null
  #commands: acp.AvailableCommand[] = []
  /** Ids of former turns, the oldest first. */
  #past: string[] = []
  /** Whether nobody may use it any more. */
  #over = false

  /** Starts the agent. Throws a ProviderError AGENT_NOT_STARTED for what no program can be given, such as a NUL in a path. */
  constructor (sdk: Sdk, options: AgentOptions) {
    const { command, args, cwd, env, killGraceMs, log } = options
    this.#sdk = sdk
    this.#options = options
    try {
      this.#group = new ProcessGroup(command, args, { cwd, env }, killGraceMs)
    } catch (error) {
      throw startError(options, 'AGENT_NOT_STARTED', error)
    }
    const { stdin, stdout } = this.#group.child
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
    this.#connection = withCursorMethods(app, (signal) => this.#asking(signal))
      .connect(sdk.ndJsonStream(Writable.toWeb(stdin) as WritableStream<Uint8Array>, protocolOutput(stdout, async () => this.#turn?.queue.room(), log)))
    // It can be spoken to no more: the next message gets another one.
    void this.#connection.closed.then(() => {
      this.#over = true
      this.#group.kill()
    })
    this.exited = this.#group.exited.catch(() => 127).then((exitCode) => {
      this.#over = true
      this.#connection.close()
      return exitCode
    })
  }

  /** Resolves with the exit code, once the process and all that it started are gone. */
  readonly exited: Promise<number>

  /** Whether it can take a turn in the session that it has. */
  get usable (): boolean {
    return !this.#over && this.#turn === null
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
    const { agent } = this.#sdk.methods
    const hello = await this.#start(() => this.#connection.agent.request(agent.initialize, {
      protocolVersion: this.#sdk.PROTOCOL_VERSION, clientCapabilities: { elicitation: { form: {}, url: {} } }, clientInfo: { name: 'fastify-agent-runs', version: '0' }
    }))
    if (hello.protocolVersion !== this.#sdk.PROTOCOL_VERSION) throw new ProviderError(`The agent speaks version ${hello.protocolVersion} of the protocol.`, { code: 'AGENT_INCOMPATIBLE' })
    this.#hello = hello
    if (nativeId !== null && await this.#resume(nativeId)) return 'resumed'
    const session = await this.#start(() => this.#connection.agent.request(agent.session.new, this.#place))
    if (typeof session.sessionId !== 'string' || session.sessionId === '') throw new ProviderError('The agent opened a session without an id.', { code: 'AGENT_INCOMPATIBLE' })
    this.#opened(session.sessionId, session)
    return nativeId === null ? 'new' : 'lost'
  }

  /** Takes one turn: what the agent does goes to `queue`; resolves with why it stopped, once it has fallen silent. */
  async prompt (context: RunContext, queue: EventQueue, settings: Settings): Promise<{ stopReason: acp.StopReason, usage: Record<string, unknown> | undefined }> {
    const prompt = promptOf(context.content, this.#capabilities.promptCapabilities ?? {}, this.#options.allowUrl)
    await this.#quiet.wait(this.#options.quietMs)
    const turn: Turn = { context, queue, mapper: new UpdateMapper(this.#past), answered: null }
    this.#turn = turn
    try {
      await this.#settings.apply(settings)
      context.signal.throwIfAborted()
      const answer = this.#loggedIn(() => this.#alive(this.#connection.agent.request(this.#sdk.methods.agent.session.prompt, { sessionId: this.#nativeId!, prompt })))
      turn.answered = answer
      const { stopReason } = await answer
      // What comes behind the answer belongs to it.
      this.#quiet.heard()
      await this.#quiet.wait(this.#options.quietMs)
      return { stopReason, usage: turn.mapper.usage }
    } finally {
      this.#turn = null
      this.#past = [...this.#past, ...turn.mapper.ids].slice(-PAST_IDS)
    }
  }

  /** Stops the turn. Resolves once the agent has; one that does not hear is ended. */
  async cancel (turn: Promise<unknown>): Promise<void> {
    void this.#connection.agent.notify(this.#sdk.methods.agent.session.cancel, { sessionId: this.#nativeId! }).catch(() => {})
    const heard = (this.#turn?.answered ?? turn).then(() => true, () => true)
    if (await Promise.race([heard, delay(this.#options.cancelGraceMs, false)]) !== true) await this.end()
    await turn.catch(() => {})
  }

  /** Ends the process and all that it started; resolves when they are gone. */
  async end (killGraceMs = this.#options.killGraceMs): Promise<void> {
    this.#over = true
    // Most agents end when nobody speaks to them any more; the signal is for the others.
    this.#group.child.stdin.end()
    this.#group.kill(killGraceMs)
    await this.exited
  }

  get #capabilities (): acp.AgentCapabilities {
    return this.#hello.agentCapabilities ?? {}
  }

  /** Where the session is, and what it has. */
  get #place (): acp.NewSessionRequest {
    return { cwd: this.#options.cwd, mcpServers: this.#options.mcpServers as acp.McpServer[] }
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
      const session = await this.#start(() => this.#request(method, { sessionId: nativeId, ...this.#place }))
      // Some answer first, and replay then.
      this.#quiet.heard()
      await this.#quiet.wait(3 * this.#options.quietMs, this.#options.startTimeoutMs)
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

  #request (method: string, params: object): Promise<unknown> {
    return this.#connection.agent.request(method, params)
  }

  /** A request that has to be answered in time for the agent to be of use. */
  #start<T> (request: () => Promise<T>): Promise<T> {
    return this.#loggedIn(() => this.#within(this.#options.startTimeoutMs, request()))
  }

  /** Logs in when the agent wants that, and asks it once more. */
  async #loggedIn<T> (request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      const { authMethod: methodId, startTimeoutMs } = this.#options
      if (methodId === undefined || !hasCode(error, 'AGENT_NOT_AUTHENTICATED')) throw error
      await this.#within(startTimeoutMs, this.#connection.agent.request(this.#sdk.methods.agent.authenticate, { methodId }))
      return request()
    }
  }

  async #within<T> (ms: number, work: Promise<T>): Promise<T> {
    let answered = false
    const answer = this.#alive(work).finally(() => { answered = true })
    await atMost(ms, answer)
    if (answered) return answer
    throw new ProviderError('The agent does not answer.', { code: 'AGENT_NOT_STARTED' })
  }

  /** `work`, or why it will never be done: the agent has ended. */
  async #alive<T> (work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (this.#group.child.pid === undefined) throw startError(this.#options, 'AGENT_NOT_STARTED', await this.#group.exited.catch((cause: unknown) => cause))
      if (error instanceof this.#sdk.RequestError && !this.#connection.signal.aborted) throw this.#refusal(error)
      this.#group.kill()
      const exitCode = await this.exited
      if (error instanceof ProviderError) throw error
      const tail = this.#group.stderrTail
      throw new ProviderError(`The agent ended with code ${exitCode}${tail === '' ? '.' : `: ${tail}`}`, { code: 'AGENT_EXITED', exitCode, cause: error })
    }
  }

  #refusal (error: acp.RequestError): ProviderError {
    this.#options.log.warn({ err: error, data: error.data, stderr: this.#group.stderrTail }, 'the agent refused a request')
    if (error.code !== -32_000) return new ProviderError(error.message.slice(0, ERROR_LENGTH), { code: 'AGENT_FAILED', cause: error })
    const methods = (this.#hello.authMethods ?? []).map(({ id, name }) => `"${id}" (${name})`).join(', ')
    const how = methods === '' ? 'Log in to it on the server' : `Log in to it on the server, or set authMethod to one of ${methods}`
    return new ProviderError(`The agent wants somebody to log in. ${how}.`.slice(0, ERROR_LENGTH), { code: 'AGENT_NOT_AUTHENTICATED', cause: error })
  }
}

function hasCode (error: unknown, code: string): boolean {
  return error instanceof ProviderError && error.code === code
}

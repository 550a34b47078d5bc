/* One agent: a process that speaks the Agent Client Protocol over its pipes, with one session in it. */
import type { Readable } from 'node:stream'
import { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type * as acp from '@agentclientprotocol/sdk'
import { atMost } from '../../lib/common/at-most.ts'
import type { Logger } from '../../lib/common/logger.ts'
import type { EventQueue } from '../../lib/provider/event-queue.ts'
import { ProviderError, type RunContext } from '../../lib/provider/provider.ts'
import type { AllowUrl } from '../common/client-url.ts'
import { LineLimit } from '../process/line-limit.ts'
import { ProcessGroup } from '../process/process-group.ts'
import { askPermission } from './permission.ts'
import { promptOf } from './prompt.ts'
import { UpdateMapper } from './updates.ts'

type Sdk = typeof acp

/** Of what an agent says of an error, in characters: it goes to the clients. */
const ERROR_LENGTH = 4_096

export interface AgentOptions {
  command: string
  args: readonly string[]
  cwd: string
  env: Record<string, string | undefined>
  allowUrl: AllowUrl | undefined
  mcpServers: readonly unknown[]
  log: Logger
  /** How long it may take to start, in ms. */
  startTimeoutMs: number
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
}

export class Agent {
  readonly #options: AgentOptions
  readonly #group: ProcessGroup
  readonly #connection: acp.ClientConnection
  readonly #sdk: Sdk
  #capabilities: acp.AgentCapabilities = {}
  #nativeId: string | null = null
  #turn: Turn | null = null
  /** Whether nobody may use it any more. */
  #over = false

  /** Starts the agent. Throws a ProviderError AGENT_NOT_STARTED for what no program can be given, such as a NUL in a path. */
  constructor (sdk: Sdk, options: AgentOptions) {
    const { command, args, cwd, env, killGraceMs } = options
    this.#sdk = sdk
    this.#options = options
    try {
      this.#group = new ProcessGroup(command, args, { cwd, env }, killGraceMs)
    } catch (error) {
      throw this.#notStarted(error)
    }
    const { stdin, stdout } = this.#group.child
    this.#connection = sdk.client({ name: 'fastify-agent-runs' })
      .onNotification(sdk.methods.client.session.update, ({ params }) => this.#update(params))
      .onRequest(sdk.methods.client.session.requestPermission, ({ params, signal }) => this.#ask(params, signal))
      .connect(sdk.ndJsonStream(Writable.toWeb(stdin) as WritableStream<Uint8Array>, this.#input(stdout)))
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

  /** Says hello, and opens the session: the one of `nativeId` if the agent still has it, else a new one. */
  async open (nativeId: string | null): Promise<'new' | 'resumed' | 'lost'> {
    const { agent } = this.#sdk.methods
    const { protocolVersion, agentCapabilities = {} } = await this.#within(this.#options.startTimeoutMs, this.#connection.agent.request(agent.initialize, {
      protocolVersion: this.#sdk.PROTOCOL_VERSION, clientCapabilities: {}
    }))
    if (protocolVersion !== this.#sdk.PROTOCOL_VERSION) throw new ProviderError(`The agent speaks version ${protocolVersion} of the protocol.`, { code: 'AGENT_INCOMPATIBLE' })
    this.#capabilities = agentCapabilities
    if (nativeId !== null && await this.#resume(nativeId)) return 'resumed'
    const { sessionId } = await this.#within(this.#options.startTimeoutMs, this.#connection.agent.request(agent.session.new, this.#place))
    if (typeof sessionId !== 'string' || sessionId === '') throw new ProviderError('The agent opened a session without an id.', { code: 'AGENT_INCOMPATIBLE' })
    this.#nativeId = sessionId
    return nativeId === null ? 'new' : 'lost'
  }

  /** Takes one turn: what the agent does goes to `queue`; resolves with why it stopped. */
  async prompt (context: RunContext, queue: EventQueue): Promise<{ stopReason: acp.StopReason, usage: Record<string, unknown> | undefined }> {
    const prompt = promptOf(context.content, this.#capabilities.promptCapabilities ?? {}, this.#options.allowUrl)
    const turn = { context, queue, mapper: new UpdateMapper() }
    this.#turn = turn
    try {
      const { stopReason } = await this.#alive(this.#connection.agent.request(this.#sdk.methods.agent.session.prompt, { sessionId: this.#nativeId!, prompt }))
      return { stopReason, usage: turn.mapper.usage }
    } finally {
      this.#turn = null
    }
  }

  /** Stops the turn. Resolves once the agent has; one that does not hear is ended. */
  async cancel (turn: Promise<unknown>): Promise<void> {
    void this.#connection.agent.notify(this.#sdk.methods.agent.session.cancel, { sessionId: this.#nativeId! }).catch(() => {})
    const settled = turn.then(() => true, () => true)
    if (await Promise.race([settled, delay(this.#options.cancelGraceMs, false)]) !== true) await this.end()
  }

  /** Ends the process and all that it started; resolves when they are gone. */
  async end (killGraceMs = this.#options.killGraceMs): Promise<void> {
    this.#over = true
    // Most agents end when nobody speaks to them any more; the signal is for the others.
    this.#group.child.stdin.end()
    this.#group.kill(killGraceMs)
    await this.exited
  }

  /** Where the session is, and what it has. */
  get #place (): acp.NewSessionRequest {
    return { cwd: this.#options.cwd, mcpServers: this.#options.mcpServers as acp.McpServer[] }
  }

  async #resume (nativeId: string): Promise<boolean> {
    const { agent } = this.#sdk.methods
    const { loadSession = false, sessionCapabilities } = this.#capabilities
    const method = sessionCapabilities?.resume ? agent.session.resume : loadSession ? agent.session.load : null
    if (method === null) return false
    try {
      // What it replays of the session we have in our log: there is no turn yet that would take it.
      await this.#within(this.#options.startTimeoutMs, this.#connection.agent.request(method, { sessionId: nativeId, ...this.#place }))
      this.#nativeId = nativeId
      return true
    } catch (error) {
      // It does not have the session any more; whatever else is wrong shows when it opens another.
      if (hasCode(error, 'AGENT_FAILED')) return false
      throw error
    }
  }

  #update ({ sessionId, update }: acp.SessionNotification): void {
    if (this.#turn === null || sessionId !== this.#nativeId) return
    for (const event of this.#turn.mapper.map(update)) this.#turn.queue.push(event)
  }

  async #ask (request: acp.RequestPermissionRequest, signal: AbortSignal): Promise<acp.RequestPermissionResponse> {
    if (this.#turn === null || request.sessionId !== this.#nativeId) return { outcome: { outcome: 'cancelled' } }
    const { context, queue, mapper } = this.#turn
    return askPermission(context, queue, mapper.tool(request.toolCall.toolCallId), request, signal)
  }

  /** The agent's words, read no faster than the log takes what they say, and no line of them without an end. */
  #input (stdout: Readable): ReadableStream<Uint8Array> {
    const chunks = stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    const limit = new LineLimit()
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await this.#turn?.queue.room()
        const { done, value } = await chunks.next()
        if (done === true) return controller.close()
        try {
          limit.take(value)
        } catch (error) {
          // Nobody would read to its end, and close it.
          stdout.destroy()
          throw error
        }
        controller.enqueue(value)
      },
      cancel: () => { stdout.destroy() }
    }, { highWaterMark: 0 })
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
      if (this.#group.child.pid === undefined) throw this.#notStarted(error)
      if (error instanceof this.#sdk.RequestError && !this.#connection.signal.aborted) {
        this.#options.log.warn({ err: error, data: error.data, stderr: this.#group.stderrTail }, 'the agent refused a request')
        throw new ProviderError(error.message.slice(0, ERROR_LENGTH), { code: error.code === -32_000 ? 'AGENT_NOT_AUTHENTICATED' : 'AGENT_FAILED', cause: error })
      }
      this.#group.kill()
      const exitCode = await this.exited
      if (error instanceof ProviderError) throw error
      const tail = this.#group.stderrTail
      throw new ProviderError(`The agent ended with code ${exitCode}${tail === '' ? '.' : `: ${tail}`}`, { code: 'AGENT_EXITED', exitCode, cause: error })
    }
  }

  #notStarted (cause: unknown): ProviderError {
    return new ProviderError(`"${this.#options.command}" cannot be started.`, { code: 'AGENT_NOT_STARTED', exitCode: 127, cause })
  }
}

function hasCode (error: unknown, code: string): boolean {
  return error instanceof ProviderError && error.code === code
}

/* One message in the hands of the agent: a process of its own, from its start until nothing of it is left. */
import { Readable } from 'node:stream'
import { atMost } from '../../lib/common/at-most.ts'
import { eventQueue } from '../../lib/provider/event-queue.ts'
import { ProviderError, type ProviderEvent, type RunContext } from '../../lib/provider/provider.ts'
import type { AllowUrl } from '../common/client-url.ts'
import { ProcessGroup } from '../process/process-group.ts'
import { ProtocolLines } from '../process/protocol-lines.ts'
import { startError } from '../process/start-error.ts'
import { endingOf, saysForgotten } from './ending.ts'
import { MessageMapper } from './messages.ts'
import { askPermission } from './permission.ts'
import { promptOf } from './prompt.ts'
import type { StandingPermissions } from './standing-permissions.ts'
import type { Query, ResultMessage, Sdk, SdkMessage, SpawnedProcess, SpawnRequest, ToolAsking, UserMessage } from './sdk.ts'

export interface TurnOptions {
  /** The native session to go on with; null = a new one. */
  resume: string | null
  /** The SDK's, but for what belongs to the turn. */
  options: Record<string, unknown>
  cwd: string
  env: Record<string, string | undefined>
  allowUrl: AllowUrl | undefined
  /** What may be allowed from now on. */
  standing: StandingPermissions
  killGraceMs: number
}

/** How long it may take to stop once it has heard that it is to, in ms: then it keeps what it has said so far. */
const INTERRUPT_MS = 500
/** How long it may take to write its session to the end and to exit when it is done, in ms. */
const EXIT_MS = 5_000

export class Turn {
  /** Resolves when the process and all that it started are gone. */
  readonly ended: Promise<void>
  readonly #context: RunContext
  readonly #given: TurnOptions
  readonly #queue = eventQueue()
  readonly #mapper = new MessageMapper()
  readonly #inputEnd: Promise<void>
  #endInput!: () => void
  #setEnded!: () => void
  #group: ProcessGroup | null = null
  #query: Query | null = null
  #stopped = false
  /** Whether the agent has told how the turn ended. */
  #over = false
  #forgot = false
  /** Why what the agent wrote cannot be read; null while it can. */
  #unreadable: ProviderError | null = null

  /** Starts the agent. Throws a ProviderError for content that it does not take. */
  constructor (sdk: Sdk, context: RunContext, given: TurnOptions) {
    this.#context = context
    this.#given = given
    this.#inputEnd = new Promise((resolve) => { this.#endInput = resolve })
    this.ended = new Promise((resolve) => { this.#setEnded = resolve })
    void this.#pump(sdk, { type: 'user', message: { role: 'user', content: promptOf(context.content, given.allowUrl) }, parent_tool_use_id: null })
  }

  /** What the agent does; once. */
  get events (): AsyncIterable<ProviderEvent> {
    return this.#queue
  }

  /** Whether the agent does not have the session that it was to go on with, and so did nothing. */
  get forgot (): boolean {
    return this.#forgot
  }

  /**
   * Ends the agent, whatever it is at: one that works is interrupted, so that its session stays whole; one that does not
   * end by itself is killed. Resolves when nothing of it is left. A later call may shorten what an earlier one allows.
   */
  async stop ({ exitMs = EXIT_MS, killGraceMs = this.#given.killGraceMs } = {}): Promise<void> {
    this.#stopped = true
    this.#queue.end()
    this.#endInput()
    const isAtWork = this.#mapper.begun && !this.#over
    if (isAtWork) void this.#interrupt()
    await atMost(this.#over ? exitMs : isAtWork ? INTERRUPT_MS : 0, this.ended)
    // One that has told the end has nothing left to do, but now and then takes more than a second for it.
    this.#group?.kill(this.#over ? 0 : killGraceMs)
    await this.ended
  }

  async #pump (sdk: Sdk, message: UserMessage): Promise<void> {
    let thrown: unknown
    try {
      this.#query = sdk.query({ prompt: this.#input(message), options: this.#options() })
      for await (const message of this.#query) this.#take(message)
    } catch (error) {
      thrown = error
    }
    this.#endInput()
    if (this.#group === null) this.#setEnded()
    // The SDK has given up on it, whatever state it is in.
    else if (!this.#over) this.#group.kill(this.#given.killGraceMs)
    await this.ended
    await this.#fail(thrown)
  }

  #take (message: SdkMessage): void {
    try {
      if (message.type === 'result') this.#end(message)
      else for (const event of this.#mapper.map(message)) this.#queue.push(event)
    } catch (cause) {
      throw this.#unreadable = new ProviderError('The agent sent a message that cannot be read.', { code: 'AGENT_INCOMPATIBLE', cause })
    }
  }

  async #interrupt (): Promise<void> {
    try {
      await this.#query?.interrupt()
    } catch {
      // It has ended, and hears nothing any more.
    }
  }

  #end (result: ResultMessage): void {
    const forgot = this.#isForgotten(String(result.errors ?? ''))
    const ending = forgot ? null : endingOf(result, this.#mapper.modelError, this.#context.log)
    // Only now: a result that cannot be read is none.
    this.#over = true
    this.#forgot = forgot
    if (ending !== null) this.#queue.push(ending)
    this.#queue.end()
    this.#endInput()
  }

  /** The agent has gone without a word about the end of the turn. */
  async #fail (cause: unknown): Promise<void> {
    if (this.#over) return
    const exitCode = await this.#group?.exited.catch(() => null) ?? null
    if (this.#unreadable !== null) return this.#queue.fail(this.#unreadable)
    if (exitCode === null) return this.#queue.fail(startError({ cwd: this.#given.cwd }, 'AGENT_NOT_STARTED', cause))
    const tail = this.#group!.stderrTail
    this.#forgot = this.#isForgotten(tail)
    if (this.#forgot) this.#queue.end()
    else this.#queue.fail(new ProviderError(`The agent ended with code ${exitCode}${tail === '' ? '.' : `: ${tail}`}`, { code: 'AGENT_EXITED', exitCode, cause }))
  }

  #isForgotten (said: string): boolean {
    return this.#given.resume !== null && !this.#mapper.begun && saysForgotten(said)
  }

  /** An input that stays open: over it the agent is interrupted, and hears what it may do. */
  async * #input (message: UserMessage): AsyncGenerator<UserMessage> {
    yield message
    await this.#inputEnd
  }

  #options (): Record<string, unknown> {
    const { options, cwd, env, resume } = this.#given
    return {
      ...options,
      cwd,
      env,
      ...(resume !== null && { resume }),
      includePartialMessages: true,
      canUseTool: (toolName: string, input: Record<string, unknown>, asking: ToolAsking) => askPermission({ context: this.#context, queue: this.#queue, mapper: this.#mapper, standing: this.#given.standing }, toolName, input, asking),
      spawnClaudeCodeProcess: (request: SpawnRequest) => this.#spawn(request)
    }
  }

  #spawn ({ command, args, cwd, env }: SpawnRequest): SpawnedProcess {
    if (this.#stopped) throw new Error('the run has ended')
    const group = new ProcessGroup(command, args, { ...(cwd !== undefined && { cwd }), env }, this.#given.killGraceMs)
    this.#group = group
    void group.exited.catch(() => {}).then(this.#setEnded)
    const { child } = group
    return {
      stdin: child.stdin,
      stdout: Readable.from(this.#paced(child.stdout), { objectMode: false }),
      get killed () { return child.killed },
      get exitCode () { return child.exitCode },
      get signalCode () { return child.signalCode },
      kill: (signal) => child.kill(signal),
      on: child.on.bind(child),
      once: child.once.bind(child),
      off: child.off.bind(child)
    }
  }

  /**
   * The agent's words, read no faster than the log takes what they say, and no line of them without an end: the SDK keeps
   * whatever it reads.
   */
  async * #paced (stdout: Readable): AsyncGenerator<Uint8Array> {
    const lines = new ProtocolLines((line) => this.#context.log.debug({ line }, 'the agent wrote a line that says nothing in its protocol'))
    try {
      for await (const chunk of stdout) {
        await this.#queue.room()
        yield lines.take(chunk as Buffer)
      }
    } catch (error) {
      // Else it was killed in the middle of a word; its exit says so.
      if (!(error instanceof ProviderError)) return
      this.#unreadable = error
      this.#group?.kill()
    }
  }
}

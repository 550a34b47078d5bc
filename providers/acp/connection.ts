/* An agent's process, and requests to it: each is answered, or it is said why it never will be. */
import { Writable } from 'node:stream'
import type * as acp from '@agentclientprotocol/sdk'
import { atMost } from '../../lib/common/at-most.ts'
import type { Logger } from '../../lib/common/logger.ts'
import { ProviderError } from '../../lib/provider/provider.ts'
import { ProcessGroup } from '../process/process-group.ts'
import { startError } from '../process/start-error.ts'
import { protocolOutput } from './output.ts'

export type Sdk = typeof acp

/** Of what an agent says of an error, in characters: it goes to the clients. */
const ERROR_LENGTH = 4_096

export interface ConnectionOptions {
  command: string
  args: readonly string[]
  cwd: string
  env: Record<string, string | undefined>
  /** How to log in to it, by the id of one of its methods; undefined = not at all. */
  authMethod: string | undefined
  log: Logger
  /** How long it may take to start, in ms. */
  startTimeoutMs: number
  /** How long it may take to end after SIGTERM, in ms. */
  killGraceMs: number
}

export class Connection {
  /** Resolves with the exit code, once the process and all that it started are gone. */
  readonly exited: Promise<number>
  /** How one can log in to the agent, as it says itself. */
  authMethods: acp.AuthMethod[] = []
  readonly #sdk: Sdk
  readonly #options: ConnectionOptions
  readonly #group: ProcessGroup
  readonly #connection: acp.ClientConnection
  /** Whether nobody may use it any more. */
  #over = false

  /**
   * Starts the agent; `app` takes what it asks, and `room` is waited for before each read. Throws a ProviderError
   * AGENT_NOT_STARTED for what no program can be given, such as a NUL in a path.
   */
  constructor (sdk: Sdk, options: ConnectionOptions, app: acp.ClientApp, room: () => Promise<void>) {
    const { command, args, cwd, env, killGraceMs, log } = options
    this.#sdk = sdk
    this.#options = options
    try {
      this.#group = new ProcessGroup(command, args, { cwd, env }, killGraceMs)
    } catch (error) {
      throw startError(options, 'AGENT_NOT_STARTED', error)
    }
    const { stdin, stdout } = this.#group.child
    this.#connection = app.connect(sdk.ndJsonStream(Writable.toWeb(stdin) as WritableStream<Uint8Array>, protocolOutput(stdout, room, log)))
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

  get isOver (): boolean {
    return this.#over
  }

  /** A turn; it may take as long as it wants. After an abort it is not begun. Rejects with a ProviderError: AGENT_FAILED, AGENT_NOT_AUTHENTICATED, AGENT_EXITED. */
  prompt (params: acp.PromptRequest, signal: AbortSignal): Promise<acp.PromptResponse> {
    return this.#loggedIn(() => this.#alive(this.#connection.agent.request(this.#sdk.methods.agent.session.prompt, params)), signal)
  }

  /** A request that has to be answered in time for the agent to be of use; else it rejects with AGENT_NOT_STARTED. */
  soon: acp.ClientConnection['agent']['request'] = async (method: string, params: unknown) =>
    this.#loggedIn(() => this.#within(this.#alive(this.#connection.agent.request(method, params))))

  notify (method: string, params: object): void {
    void this.#connection.agent.notify(method, params).catch(() => {})
  }

  /** Ends the process and all that it started; resolves when they are gone. */
  async end (killGraceMs = this.#options.killGraceMs): Promise<void> {
    this.#over = true
    // Most agents end when nobody speaks to them any more; the signal is for the others.
    this.#group.child.stdin.end()
    this.#group.kill(killGraceMs)
    await this.exited
  }

  /** Logs in when the agent wants that, and asks it once more. */
  async #loggedIn<T> (request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await request()
    } catch (error) {
      const { authMethod: methodId } = this.#options
      if (methodId === undefined || !hasCode(error, 'AGENT_NOT_AUTHENTICATED')) throw error
      await this.#within(this.#alive(this.#connection.agent.request(this.#sdk.methods.agent.authenticate, { methodId }))).catch((problem: unknown) => {
        // It may wait for somebody at a browser: the methods that there are help more.
        throw hasCode(problem, 'AGENT_NOT_STARTED') ? error : problem
      })
      signal?.throwIfAborted()
      return request()
    }
  }

  async #within<T> (work: Promise<T>): Promise<T> {
    let answered = false
    const answer = work.finally(() => { answered = true })
    await atMost(this.#options.startTimeoutMs, answer)
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
    if (error.code !== -32_000) return new ProviderError(wordsOf(error).slice(0, ERROR_LENGTH), { code: 'AGENT_FAILED', cause: error })
    const methods = this.authMethods.map(({ id, name }) => `"${id}" (${name})`).join(', ')
    const how = methods === '' ? 'Log in to it on the server' : `Log in to it on the server, or set authMethod to one of ${methods}`
    return new ProviderError(`The agent wants somebody to log in. ${how}.`.slice(0, ERROR_LENGTH), { code: 'AGENT_NOT_AUTHENTICATED', cause: error })
  }
}

/** What an agent says of an error: many say "Internal error", and what is wrong in its data. */
function wordsOf ({ message, data }: acp.RequestError): string {
  const { details, message: more } = Object(data) as { details?: unknown, message?: unknown }
  const said = [data, details, more].find((each): each is string => typeof each === 'string' && each !== '' && !message.includes(each))
  return said === undefined ? message : `${message}: ${said}`
}

export function hasCode (error: unknown, code: string): boolean {
  return error instanceof ProviderError && error.code === code
}

/* Runs a command line agent: one process per message. */
import '../../lib/common/node-version.ts'
import type { MessageContent } from '../../lib/protocol/words.ts'
import { type Provider, ProviderError, type ProviderEvent, type RunContext } from '../../lib/provider/provider.ts'
import { idArgument, MESSAGE, messageArgument } from '../process/arguments.ts'
import { CommandOutput, type ReadLine } from './output.ts'
import { environmentOf, type EnvironmentOptions } from '../process/environment.ts'
import { ProcessGroup } from '../process/process-group.ts'
import { lookAfterStrays, type OrphanOptions } from '../process/strays.ts'

/** A server that closes does not wait longer for a command, in ms. */
const CLOSE_GRACE_MS = 500

export interface CommandOptions extends EnvironmentOptions, OrphanOptions {
  /** The program, found by PATH. Never passed to a shell. */
  command: string
  /**
   * Its arguments, or how to make them; `{message}` stands for the message, which else goes to standard input. Default none.
   * A `providerSessionId` that could be taken for an option is null here.
   */
  args?: readonly string[] | ((run: Pick<RunContext, 'providerSessionId'>) => readonly string[])
  /**
   * Whether a message that begins with `-` may be an argument. Only for programs that are told where their options end:
   * `args: ['--', '{message}']`. Default false: it fails the run with MESSAGE_LOOKS_LIKE_OPTION.
   */
  allowLeadingDash?: boolean
  /** Its working directory. Default: the server's. */
  cwd?: string
  /** How long it may take to end after SIGTERM, before SIGKILL, in ms. Default 1,000. */
  killGraceMs?: number
  /** For each message, how lines that are JSON objects are read. Default: those with a `kind` are events. */
  reader?: (run: RunContext) => ReadLine
  /** What its error says when it does not have the native session any more. Then it is started once more, without one. Default: nothing. */
  forgets?: RegExp
}

/**
 * A provider that runs a command for each message. Plain output becomes deltas of one text; lines that are JSON objects
 * with a `kind` become events. Exit code 0 is success, else the end of standard error is the run's error. The command and
 * everything that it started in its process group end with the run. Fails with COMMAND_FAILED, COMMAND_NOT_STARTED,
 * UNSUPPORTED_CONTENT for what is no text, and, where the message is an argument, with MESSAGE_LOOKS_LIKE_OPTION,
 * MESSAGE_EMPTY, MESSAGE_HAS_NUL and MESSAGE_TOO_LONG.
 */
export function command (options: CommandOptions): Provider {
  const { command, args: given = [], allowLeadingDash = false, cwd, killGraceMs = 1_000, reader, forgets } = options
  const groups = new Set<ProcessGroup>()
  lookAfterStrays(options)

  /** Starts the command with its message. Throws a ProviderError. */
  function start ({ content, providerSessionId, log }: RunContext): ProcessGroup {
    const args = typeof given === 'function' ? given({ providerSessionId: idArgument(providerSessionId, log) }) : given
    const message = textOf(content)
    const asArgument = args.includes(MESSAGE)
    const argument = asArgument ? messageArgument(message, allowLeadingDash) : ''
    try {
      const group = new ProcessGroup(command, args.map((arg) => arg === MESSAGE ? argument : arg), { cwd, env: environmentOf(options) }, killGraceMs)
      group.child.stdin.end(asArgument ? '' : message)
      return group
    } catch (error) {
      if (asArgument && isTooLong(error)) throw new ProviderError('The message is too long for an argument of a program.', { code: 'MESSAGE_TOO_LONG', cause: error })
      throw notStarted(command, error)
    }
  }

  async function * run (context: RunContext): AsyncGenerator<ProviderEvent> {
    if (!(yield * attempt(context))) return
    yield { kind: 'error', code: 'AGENT_FORGOT', message: 'The agent does not have the session any more, and starts anew.' }
    yield * attempt({ ...context, providerSessionId: null })
  }

  /** Runs the command once; answers whether it does not have the session that it was to go on with. */
  async function * attempt (context: RunContext): AsyncGenerator<ProviderEvent, boolean> {
    const { signal } = context
    signal.throwIfAborted()
    const group = start(context)
    groups.add(group)
    const kill = (): void => group.kill()
    signal.addEventListener('abort', kill, { once: true })
    try {
      const output = new CommandOutput(reader?.(context))
      for await (const text of group.child.stdout.setEncoding('utf8')) yield * output.take(text as string)
      yield * output.end()
      const exitCode = await group.exited
      const said = output.complete
      const isForgotten = context.providerSessionId !== null && forgets?.test(`${said?.error?.message ?? ''} ${group.stderrTail}`) === true
      if (exitCode !== 0 && isForgotten) return true
      if (exitCode !== 0 && said?.error === undefined) throw new ProviderError(failure(command, exitCode, group.stderrTail), { code: 'COMMAND_FAILED', exitCode })
      yield exitCode === 0 ? said ?? { kind: 'complete', exitCode } : { ...said!, exitCode }
      return false
    } catch (error) {
      if (error instanceof ProviderError || group.child.pid !== undefined) throw error
      throw notStarted(command, error)
    } finally {
      signal.removeEventListener('abort', kill)
      group.kill()
      void group.exited.catch(() => {}).finally(() => groups.delete(group))
    }
  }

  return {
    run,
    async close () {
      for (const group of groups) group.kill(Math.min(killGraceMs, CLOSE_GRACE_MS))
      await Promise.allSettled([...groups].map((group) => group.exited))
    }
  }
}

function notStarted (command: string, cause: unknown): ProviderError {
  return new ProviderError(`"${command}" cannot be started.`, { code: 'COMMAND_NOT_STARTED', exitCode: 127, cause })
}

/** Linux takes no more than 128 KiB for one argument; Windows 32 KiB for all. */
function isTooLong (error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'E2BIG' || error.code === 'ENAMETOOLONG')
}

function failure (command: string, exitCode: number, stderr: string): string {
  return `"${command}" exited with code ${exitCode}${stderr === '' ? '.' : `: ${stderr}`}`
}

function textOf (content: MessageContent): string {
  if (typeof content === 'string') return content
  return content.map((part) => {
    if (part.type === 'text') return part.text
    throw new ProviderError('A command takes only text.', { code: 'UNSUPPORTED_CONTENT' })
  }).join('\n')
}

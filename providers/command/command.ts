/* Runs a command line agent: one process per message. */
import '../../lib/common/node-version.ts'
import type { MessageContent } from '../../lib/protocol/words.ts'
import { type Provider, ProviderError, type ProviderEvent, type RunContext } from '../../lib/provider/provider.ts'
import { idArgument, MESSAGE, messageArgument } from '../process/arguments.ts'
import { CommandOutput, type ReadLine } from './output.ts'
import { environmentOf, type EnvironmentOptions } from '../process/environment.ts'
import { ProcessGroup } from '../process/process-group.ts'
import { isTooLong, startError } from '../process/start-error.ts'
import { lookAfterStrays, type OrphanOptions } from '../process/strays.ts'

/** A server that closes does not wait longer for a command, in ms. */
const CLOSE_GRACE_MS = 500
/** How long a command may take to exit once it has told how its turn ended, in ms. */
const EXIT_MS = 2_000

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
  /**
   * Whether its lines are a protocol that tells how a turn ends: then other output is noise for the log, an exit without a
   * `complete` is a failure, and a process that does not exit within 2 s of it is ended. Default false.
   */
  isProtocol?: boolean
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
  const { command, args: given = [], allowLeadingDash = false, cwd, killGraceMs = 1_000, reader, isProtocol = false, forgets } = options
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
      throw startError({ command, cwd }, 'COMMAND_NOT_STARTED', error)
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
    let exitTimer: NodeJS.Timeout | undefined
    let isOverdue = false
    try {
      const output = new CommandOutput({ read: reader?.(context), isProtocol })
      let said = 0
      for await (const text of group.child.stdout.setEncoding('utf8')) {
        for (const event of output.take(text as string)) {
          if (event.kind !== 'session_created') said++
          yield event
        }
        if (isProtocol && output.complete !== null) {
          // What it has started in the background may keep it for ever.
          exitTimer ??= setTimeout(() => {
            isOverdue = true
            group.kill()
          }, EXIT_MS)
        }
      }
      yield * output.end()
      const exited = await group.exited
      const complete = output.complete
      const exitCode = isOverdue ? complete!.exitCode ?? 0 : exited
      const noise = output.noise.trim()
      if (noise !== '') context.log.debug({ noise }, 'the command wrote lines that say nothing in its protocol')
      const errors = group.stderrTail || noise
      const isForgotten = context.providerSessionId !== null && said === 0 && forgets?.test(`${complete?.error?.message ?? ''} ${errors}`) === true
      if (exitCode !== 0 && isForgotten) return true
      if (complete === null && isProtocol && exitCode === 0) throw new ProviderError(`"${command}" exited in the middle of its turn${errors === '' ? '.' : `: ${errors}`}`, { code: 'COMMAND_FAILED' })
      if (exitCode !== 0 && complete?.error === undefined) throw new ProviderError(failure(command, exitCode, errors), { code: 'COMMAND_FAILED', exitCode })
      yield exitCode === 0 ? complete ?? { kind: 'complete', exitCode } : { ...complete!, exitCode }
      return false
    } catch (error) {
      if (error instanceof ProviderError || group.child.pid !== undefined) throw error
      throw startError({ command, cwd }, 'COMMAND_NOT_STARTED', error)
    } finally {
      clearTimeout(exitTimer)
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

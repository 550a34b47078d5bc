/* Runs a command line agent: one process per message. */
import '../lib/node-version.ts'
import { type Provider, ProviderError, type ProviderEvent, type RunContext } from '../lib/provider.ts'
import type { MessageContent } from '../lib/message-content.ts'
import { CommandOutput, type ReadLine } from './command-output.ts'
import { ProcessGroup } from './process-group.ts'
import { killOrphans } from './strays.ts'

const MESSAGE = '{message}'
/** A server that closes does not wait longer for a command, in ms. */
const CLOSE_GRACE_MS = 500

export interface CommandOptions {
  /** The program, found by PATH. Never passed to a shell. */
  command: string
  /** Its arguments, or how to make them; `{message}` stands for the message, which else goes to standard input. Default none. */
  args?: readonly string[] | ((run: Pick<RunContext, 'providerSessionId'>) => readonly string[])
  /** Its working directory. Default: the server's. */
  cwd?: string
  /** Variables that are added to the server's environment. */
  env?: Record<string, string>
  /** How long it may take to end after SIGTERM, before SIGKILL, in ms. Default 1,000. */
  killGraceMs?: number
  /** For each message, how lines that are JSON objects are read. Default: those with a `kind` are events. */
  reader?: (run: RunContext) => ReadLine
}

/**
 * A provider that runs a command for each message. Plain output becomes deltas of one text; lines that are JSON objects
 * with a `kind` become events. Exit code 0 is success, else the end of standard error is the run's error. The command and
 * everything that it started in its process group end with the run.
 */
export function command ({ command, args: given = [], cwd, env, killGraceMs = 1_000, reader }: CommandOptions): Provider {
  const groups = new Set<ProcessGroup>()
  void killOrphans()

  async function * run (context: RunContext): AsyncGenerator<ProviderEvent> {
    const { content, signal } = context
    signal.throwIfAborted()
    const args = typeof given === 'function' ? given(context) : given
    const message = textOf(content)
    const asArgument = args.includes(MESSAGE)
    const group = new ProcessGroup(command, args.map((arg) => arg === MESSAGE ? message : arg), {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, ...env }
    }, killGraceMs)
    groups.add(group)
    const kill = (): void => group.kill()
    signal.addEventListener('abort', kill, { once: true })
    try {
      group.child.stdin.end(asArgument ? '' : message)
      const output = new CommandOutput(reader?.(context))
      for await (const text of group.child.stdout.setEncoding('utf8')) yield * output.take(text as string)
      yield * output.end()
      const exitCode = await group.exited
      const said = output.complete
      if (exitCode !== 0 && said?.error === undefined) throw new ProviderError(failure(command, exitCode, group.stderrTail), { code: 'COMMAND_FAILED', exitCode })
      yield exitCode === 0 ? said ?? { kind: 'complete', exitCode } : { ...said!, exitCode }
    } catch (error) {
      if (error instanceof ProviderError || group.child.pid !== undefined) throw error
      throw new ProviderError(`"${command}" cannot be started.`, { code: 'COMMAND_NOT_STARTED', exitCode: 127, cause: error })
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

/* Claude Code by its command line: `claude -p --output-format stream-json`, one process for each message. */
import '../../lib/common/node-version.ts'
import type { Logger } from '../../lib/common/logger.ts'
import type { Provider } from '../../lib/provider/provider.ts'
import { endingOf, FORGOTTEN } from '../claude/ending.ts'
import { FOREGROUND } from '../claude/environment.ts'
import { MessageMapper } from '../claude/messages.ts'
import type { ResultMessage, SdkMessage } from '../claude/sdk.ts'
import { command, type CommandOptions } from './command.ts'
import type { ReadLine } from './output.ts'

export interface ClaudeCliOptions extends Pick<CommandOptions, 'cwd' | 'env' | 'inheritEnv' | 'killGraceMs' | 'killOrphans'> {
  /** The program. Default 'claude'. */
  command?: string
  /** More arguments, such as `['--model', 'sonnet', '--allowedTools', 'Read']`. Default none. */
  args?: readonly string[]
}

/**
 * A provider that runs `claude -p` for each message, and goes on with the session's conversation. It needs no package, but
 * nobody can be asked: tools that `args` do not allow are refused. For approvals use `claude` or `acp`.
 */
export function claudeCli ({ command: program = 'claude', args = [], ...options }: ClaudeCliOptions = {}): Provider {
  return command({
    ...options,
    env: { ...FOREGROUND, ...options.env },
    command: program,
    args: ({ providerSessionId }) => [
      '-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages', ...(providerSessionId === null ? [] : ['--resume', providerSessionId]), ...args
    ],
    reader: ({ log }) => claudeLines(log),
    isProtocol: true,
    forgets: FORGOTTEN
  })
}

/** Reads the lines of one turn: they are the messages of the Agent SDK. */
export function claudeLines (log: Logger): ReadLine {
  const mapper = new MessageMapper()
  return (line) => {
    if (typeof line['type'] !== 'string') return null
    if (line['type'] === 'result') return [endingOf(line as unknown as ResultMessage, mapper.modelError, log)]
    return mapper.map(line as unknown as SdkMessage)
  }
}

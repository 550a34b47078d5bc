/* Texts of clients and agents that become arguments of a program, which takes what begins with a dash for an option. */
import type { Logger } from '../../lib/common/logger.ts'
import { ProviderError } from '../../lib/provider/provider.ts'

/** The argument that the client's message takes the place of. */
export const MESSAGE = '{message}'

/**
 * A message as an argument of its own. Throws a ProviderError MESSAGE_LOOKS_LIKE_OPTION for a leading dash unless that is
 * allowed, MESSAGE_EMPTY for no text, and MESSAGE_HAS_NUL for a NUL character.
 */
export function messageArgument (message: string, allowLeadingDash: boolean): string {
  if (message === '') throw new ProviderError('The message is empty.', { code: 'MESSAGE_EMPTY' })
  if (message.includes('\0')) throw new ProviderError('The message holds a NUL character, which no program can be given.', { code: 'MESSAGE_HAS_NUL' })
  if (message.startsWith('-') && !allowLeadingDash) {
    throw new ProviderError('The message begins with "-": the program would take it for an option.', { code: 'MESSAGE_LOOKS_LIKE_OPTION' })
  }
  return message
}

/** A native session id that may become an argument; null, and a warning, if it could be taken for anything else. */
export function idArgument (id: string | null, log: Logger): string | null {
  if (id === null || !(id.startsWith('-') || id.includes('\0') || id === MESSAGE)) return id
  log.warn({}, 'the agent\'s session id cannot be an argument of a program: the agent starts a new session')
  return null
}

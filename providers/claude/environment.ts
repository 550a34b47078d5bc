/* What Claude Code is told by its environment. */
import { environmentOf, type EnvironmentOptions } from '../process/environment.ts'

/**
 * The agent ends with its turn, and with it what it has left in the background, though it has told the user that it goes on:
 * so it works in the foreground. A host may set the variable to something else.
 */
export const FOREGROUND = { CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1' }

export function claudeEnvironment ({ env, ...options }: EnvironmentOptions): Record<string, string | undefined> {
  return environmentOf({ ...options, env: { ...FOREGROUND, ...env } })
}

/* The agent's result → the end of a run. */
import type { Logger } from '../../lib/common/logger.ts'
import type { RunError } from '../../lib/protocol/words.ts'
import type { ProviderEvent } from '../../lib/provider/provider.ts'
import type { ResultMessage } from './sdk.ts'

/** What the agent says when it is to resume a session that it does not have. */
export const FORGOTTEN = /No conversation found/

/** Whether the agent, in its result or on standard error, says that it does not have the session. */
export function saysForgotten (text: string): boolean {
  return FORGOTTEN.test(text)
}

/**
 * How the run ends. What the agent says of failures goes to the log only: it repeats what the model service says, down to
 * its address and the key that it was given.
 */
export function endingOf (result: ResultMessage, modelError: string | null, log: Logger): ProviderEvent {
  const usage = usageOf(result)
  const error = errorOf(result, modelError)
  if (error === null) return { kind: 'complete', exitCode: 0, usage }
  log.warn({ code: error.code, said: result.errors ?? result.result }, 'the agent failed')
  return { kind: 'complete', exitCode: 1, usage, error }
}

function errorOf ({ subtype, is_error: isError, api_error_status: status }: ResultMessage, modelError: string | null): RunError | null {
  if (subtype === 'error_max_turns') return { code: 'AGENT_MAX_TURNS', message: 'The agent stopped: it took as many turns as it may.' }
  if (subtype === 'error_max_budget_usd') return { code: 'AGENT_MAX_BUDGET', message: 'The agent stopped: it spent as much as it may.' }
  if (!isError && subtype === 'success') return null
  if (modelError === null) return { code: 'AGENT_FAILED', message: 'The agent failed.' }
  const why = [...status == null ? [] : [String(status)], ...modelError === 'unknown' ? [] : [modelError]].join(', ')
  return { code: 'MODEL_FAILED', message: `The agent's model failed${why === '' ? '.' : ` (${why}).`}` }
}

/** Tokens are of this turn; what it cost is the agent's estimate for the native session so far. */
function usageOf ({ usage, num_turns: turns, total_cost_usd: sessionCostUsd }: ResultMessage): Record<string, unknown> {
  const { input_tokens: inputTokens, output_tokens: outputTokens, cache_read_input_tokens: cacheReadTokens, cache_creation_input_tokens: cacheWriteTokens } = usage ?? {}
  return { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, turns, sessionCostUsd }
}

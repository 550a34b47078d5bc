/* What goes wrong at a model service, as clients may read it: in our words, as the service's may hold keys and addresses. */
import { ProviderError } from '../../lib/provider/provider.ts'

/** The failure that an HTTP status of a model service means. `detail` is the service's own message; it is only looked at. */
export function modelError (status: number, { detail = '', model, cause }: { detail?: string, model?: string, cause?: unknown } = {}): ProviderError {
  const [code, message] = meaningOf(status, detail, model)
  return new ProviderError(message, { code, cause })
}

// The services have no common words for these.
const TOO_LONG = /context.?(length|window|size|limit)|maximum.{0,20}(context|prompt|tokens?)|(prompt|input|request|conversation).{0,40}(too (long|large)|exceeds?)|too many (input )?tokens|token (count|limit).{0,30}exceed|reduce the length/i
const FILTERED = /content.?(filter|policy|management)|responsible.?ai|safety|data_inspection_failed|flagged|moderation|inappropriate content|blocked by/i
const QUOTA = /insufficient.?(quota|balance|credits?|funds)|exceeded your current quota|billing|credit balance|payment required|out of credits/i
const OVERLOADED = new Set([500, 502, 503, 504, 529])

function meaningOf (status: number, detail: string, model: string | undefined): [code: string, message: string] {
  if (status === 402 || ((status === 429 || status === 403 || status === 400) && QUOTA.test(detail))) {
    return ['MODEL_QUOTA_EXCEEDED', 'The server\'s account at the model service is used up.']
  }
  if ((status === 400 || status === 413 || status === 422) && TOO_LONG.test(detail)) return ['MODEL_CONTEXT_TOO_LONG', 'The conversation is longer than the model takes.']
  if ((status === 400 || status === 403 || status === 422) && FILTERED.test(detail)) return ['MODEL_CONTENT_FILTER', 'The content filter of the model service refused the conversation.']
  if (status === 401 || status === 403) return ['MODEL_UNAUTHORIZED', 'The model service refuses the server\'s credentials.']
  if (status === 404 || status === 405) {
    const missing = model === undefined ? 'The model service does not have the model' : `The model service does not have the model "${model}"`
    return ['MODEL_NOT_FOUND', `${missing}, or its address (baseUrl) is wrong.`]
  }
  if (status === 429) return ['MODEL_RATE_LIMITED', 'The model service takes no more requests for now; try again later.']
  if (OVERLOADED.has(status)) return ['MODEL_FAILED', `The model service is busy or broken (${status}); try again later.`]
  return ['MODEL_FAILED', `The model service answered with an error (${status}).`]
}

// OpenAI's words, and those of services that hand on what their own models say. `other` and `unknown` are the AI SDK's for what it does not know.
const STOPS = new Set(['stop', 'tool_calls', 'function_call', 'end_turn', 'stop_sequence', 'tool_use', 'eos', 'eos_token', 'complete', 'completed', 'finished', 'other', 'unknown'])
const LENGTHS = new Set(['length', 'max_tokens', 'max_output_tokens', 'model_length'])
const FILTERS = new Set(['content_filter', 'content_filtered', 'safety', 'recitation', 'prohibited_content', 'blocklist', 'refusal'])

/** The failure that a model's reason to stop means; null if it stopped as it should. A word that nobody knows is no success. */
export function stopError (reason: string): { code: string, message: string } | null {
  const said = reason.toLowerCase().replaceAll('-', '_')
  if (STOPS.has(said)) return null
  if (LENGTHS.has(said)) return { code: 'MODEL_LENGTH', message: 'The answer was longer than the model may give.' }
  if (FILTERS.has(said)) return { code: 'MODEL_CONTENT_FILTER', message: 'The answer was stopped by the content filter of the model service.' }
  return { code: 'MODEL_FAILED', message: 'The model service failed.' }
}

/** A service that hung up in the middle of its answer. */
export function cutError (cause?: unknown): ProviderError {
  return new ProviderError('The connection to the model broke in the middle of its answer.', { code: 'MODEL_CUT', cause })
}

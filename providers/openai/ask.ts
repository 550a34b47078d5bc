/* One request to a model, and its answer as it comes. */
import type OpenAI from 'openai'
import type { APIError } from 'openai'
import type { Logger } from '../../lib/common/logger.ts'
import { ProviderError, type ProviderEvent } from '../../lib/provider/provider.ts'
import { cutError, modelError } from '../common/model-error.ts'
import { Answer, type Chunk } from './answer.ts'
import type { ChatMessage } from './messages.ts'

/** How long what follows an answer's end, such as its usage, may take, in ms: some services leave the connection open. */
const AFTER_END_MS = 2_000
/** The same behind a chunk with words in it: there may be more of them. */
const AFTER_LAST_WORD_MS = 30_000

interface Request {
  model: string
  messages: ChatMessage[]
  tools?: Array<{ type: 'function', function: { name: string, description: string, parameters: Record<string, unknown> } }>
}

interface AskOptions {
  signal: AbortSignal
  /** How long the model may be silent, in ms. */
  timeoutMs: number
  /** Further fields of the request; `undefined` takes one out. */
  more: Record<string, unknown>
  log: Logger
}

type Sdk = typeof OpenAI

/**
 * Yields what the model says; answers all of it. The SDK asks again as long as nothing was said. Throws a ProviderError for
 * what goes wrong at the service, and the reason of `signal` when that aborts.
 */
export async function * ask (sdk: Sdk, client: OpenAI, request: Request, { signal, timeoutMs, more, log }: AskOptions): AsyncGenerator<ProviderEvent, Answer> {
  // Timers know no longer times.
  const patience = Math.min(timeoutMs, 2 ** 31 - 1)
  const silence = new Silence()
  const answer = new Answer(new Set(request.tools?.map(({ function: { name } }) => name)))
  let begun = false
  try {
    const body = { ...request, stream: true as const, stream_options: { include_usage: true }, ...more }
    const { data, response } = await silence.within(client.chat.completions.create(body, { signal: AbortSignal.any([signal, silence.signal]), timeout: patience }).withResponse(), patience)
    begun = true
    if (response.headers.get('content-type')?.includes('html') === true) throw new ProviderError('What answers is no model service: its address (baseUrl) is wrong.', { code: 'MODEL_NOT_FOUND' })
    const chunks = (data as AsyncIterable<Chunk>)[Symbol.asyncIterator]()
    try {
      for (;;) {
        const { done, value } = await silence.within(chunks.next(), answer.finishReason === null ? patience : Math.min(patience, answer.isOver ? AFTER_END_MS : AFTER_LAST_WORD_MS))
        if (done === true) break
        yield * answer.take(value)
      }
    } finally {
      await chunks.return?.()
    }
    signal.throwIfAborted()
    // The SDK ends a stream that was aborted as if it were complete.
    if (silence.signal.aborted && answer.finishReason === null) throw new ProviderError('The model fell silent in the middle of its answer.', { code: 'MODEL_CUT' })
    // An answer whose end was never told: a proxy in between has closed it, or the service broke off.
    if (answer.finishReason === null) throw cutError()
  } catch (error) {
    signal.throwIfAborted()
    throw failureOf(sdk, error, { begun, model: request.model, apiKey: client.apiKey, log })
  }
  yield * answer.end()
  return answer
}

interface Failed {
  /** Whether the service had begun to answer. */
  begun: boolean
  model: string
  apiKey: string | null
  log: Logger
}

function failureOf (sdk: Sdk, error: unknown, { begun, model, apiKey, log }: Failed): unknown {
  if (error instanceof ProviderError) return error
  if (error instanceof sdk.APIError) {
    const { status, code, type, requestID, message } = error as APIError
    // The service's own words are for the log only, and may repeat the key.
    log.warn({ status, code, type, requestID, said: apiKey ? message.replaceAll(apiKey, '…') : message }, 'the model service failed')
  }
  if (error instanceof sdk.APIConnectionTimeoutError || error instanceof sdk.APIUserAbortError) {
    return new ProviderError('The model service did not answer in time.', { code: 'MODEL_UNREACHABLE', cause: error })
  }
  if (error instanceof sdk.APIConnectionError) return new ProviderError('The model service cannot be reached.', { code: 'MODEL_UNREACHABLE', cause: error })
  if (error instanceof sdk.APIError) {
    const { status, code, message, error: body } = error as APIError
    if (status !== undefined) return modelError(status, { detail: `${code ?? ''} ${message} ${JSON.stringify(body) ?? ''}`, model, cause: error })
    // Told in the stream: some give a status as the code, others only words.
    const meant = modelError(Number(code) || 400, { detail: `${code ?? ''} ${message}`, model, cause: error })
    return meant.code === 'MODEL_FAILED' ? new ProviderError('The model service failed in the middle of its answer.', { code: 'MODEL_FAILED', cause: error }) : meant
  }
  return begun ? cutError(error) : error
}

/** Aborts when what is waited for takes too long; what happens between two waits does not count. */
class Silence {
  readonly #abort = new AbortController()

  get signal (): AbortSignal {
    return this.#abort.signal
  }

  async within<T> (waited: Promise<T>, ms: number): Promise<T> {
    const timer = setTimeout(() => this.#abort.abort(), ms)
    try {
      return await waited
    } finally {
      clearTimeout(timer)
    }
  }
}

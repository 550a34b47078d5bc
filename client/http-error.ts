/* What an HTTP answer that is no success means. */
import { boundedText } from './bounded-text.ts'
import { MAX_ERROR_BYTES } from './bounds.ts'
import { RunsClientError } from './errors.ts'
import { seconds, secondsOfHeader } from './retry-after.ts'
import { toldError } from './told-error.ts'

/** The error that `response` tells: the server's own, or HTTP_ERROR. Reads 64 KiB of it at most. Never rejects. */
export async function httpError (response: Response, sessionId?: string): Promise<RunsClientError> {
  const statusCode = response.status
  const { code, message, runId, retryAfter: inBody } = problemOf(await boundedText(response, MAX_ERROR_BYTES).catch(() => null))
  const retryAfter = seconds(inBody) ?? secondsOfHeader(response.headers.get('retry-after'))
  return toldError({ code, message, runId, retryAfter, statusCode, sessionId }) ??
    new RunsClientError('HTTP_ERROR', `The answer is ${statusCode}, and not the server's own.`, { statusCode, retryAfter, sessionId })
}

/** The fields of an error as the server writes it; none of any other text. */
function problemOf (text: string | null): Record<string, unknown> {
  try {
    const value = JSON.parse(text ?? '') as Record<string, unknown> | null
    return typeof value?.['statusCode'] === 'number' ? value : {}
  } catch {
    return {}
  }
}

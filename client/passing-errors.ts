/* Which errors pass by themselves. */
import type { ClientErrorCode, RunsClientError } from './errors.ts'

const STATUSES: ReadonlySet<number> = new Set([408, 425, 429])
/** Of the server's own codes, where they come without a status: over a WebSocket. The rest of these say when to come back. */
const CODES: ReadonlySet<ClientErrorCode> = new Set(['INTERNAL_ERROR', 'STORE_FAILED', 'STORE_UNAVAILABLE', 'SHUTTING_DOWN'])

/**
 * Whether a stream that ended so may be had again later. `worked` is whether it ever was there: then what is no answer of the
 * server's is one of something before it, as while it is replaced.
 */
export function isPassing ({ code, statusCode, retryAfter }: RunsClientError, worked: boolean): boolean {
  if (code === 'NETWORK' || code === 'BAD_FRAME') return true
  if (code === 'CLOSED' || code === 'HOLE') return false
  if (statusCode === null) return CODES.has(code) || retryAfter !== undefined
  if (statusCode >= 500 || STATUSES.has(statusCode)) return true
  return worked && (code === 'NOT_A_STREAM' || code === 'HTTP_ERROR')
}

/** Whether a request that failed so, and does no harm twice, is to be sent again. */
export function isWorthRepeating ({ code, statusCode, retryAfter }: RunsClientError): boolean {
  if (code === 'NETWORK') return true
  if (statusCode === null || statusCode === 429) return retryAfter !== undefined
  return statusCode === 502 || statusCode === 503 || statusCode === 504
}

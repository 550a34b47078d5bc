/* How much of what a server sends is taken: a server that is broken, or means harm, takes no more memory than that. */
import { RunsClientError } from './errors.ts'

/** The default of `maxResponseBytes`: a page of the server's, and one event, several times over. */
export const MAX_RESPONSE_BYTES = 16 * 1024 * 1024
/** The body of an answer that is an error. */
export const MAX_ERROR_BYTES = 64 * 1024

/** RESPONSE_TOO_LARGE: `what` is longer than it may be. */
export function tooLarge (what: string, maxBytes: number, statusCode: number | null = null): RunsClientError {
  return new RunsClientError('RESPONSE_TOO_LARGE', `${what} is longer than ${maxBytes} bytes, the client's "maxResponseBytes".`, { statusCode })
}

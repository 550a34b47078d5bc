/* How much the client reads of what a server sends: the bound on the memory that a broken or hostile server can take. */
import { RunsClientError } from './errors.ts'

/** The default of `maxResponseBytes`. A page of the server has about 4 MiB and one event. */
export const MAX_RESPONSE_BYTES = 16 * 1024 * 1024
/** The body of an answer that is an error. */
export const MAX_ERROR_BYTES = 64 * 1024

/** RESPONSE_TOO_LARGE: `what` is longer than it may be. */
export function tooLarge (what: string, maxBytes: number, statusCode: number | null = null): RunsClientError {
  return new RunsClientError('RESPONSE_TOO_LARGE', `${what} is longer than ${maxBytes} bytes, the client's "maxResponseBytes".`, { statusCode })
}

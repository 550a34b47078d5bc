/* The one error of the client: a code from the server's table, or one of its own. */
import type { ErrorCode } from '../lib/protocol/errors.ts'

/** The codes that are the client's alone: a server's error has none of them. */
export const CLIENT_CODES = ['NETWORK', 'NOT_A_STREAM', 'NO_STREAMS', 'HOLE', 'BAD_FRAME', 'RESPONSE_TOO_LARGE', 'CLOSED', 'HTTP_ERROR'] as const

/**
 * Why something did not come about.
 * `NETWORK`: the connection could not be made, broke, or was silent for too long. `NOT_A_STREAM`: what answers is no event
 * stream. `NO_STREAMS`: this `fetch` gives answers only whole. `HOLE`: events are missing that nobody said are gone. `BAD_FRAME`: something came that is no frame.
 * `RESPONSE_TOO_LARGE`: the server sent more in one piece than the client takes. `CLOSED`: the client was closed.
 * `HTTP_ERROR`: an answer that is not the server's own, such as a proxy's. All others are the server's
 * (docs/PROTOCOL.md).
 */
export type ClientErrorCode = ErrorCode | typeof CLIENT_CODES[number]

/** What an error may carry beside its code and message. */
export interface ClientErrorDetails {
  /** The status of the HTTP answer; null where there was none. Default: null. */
  statusCode?: number | null
  /** The run that is in the way. */
  runId?: string | undefined
  /** Seconds after which another try makes sense, as the server says; from 0 to a day. */
  retryAfter?: number | undefined
  /** The session that it is about. */
  sessionId?: string | undefined
  cause?: unknown
}

/** What every function of the client throws, but for the reason of a signal of the caller's. */
export class RunsClientError extends Error {
  override readonly name = 'RunsClientError'
  readonly code: ClientErrorCode
  /** Null where there was no HTTP answer. */
  readonly statusCode: number | null
  readonly runId: string | undefined
  /** In seconds, from 0 to a day, whatever the server said. */
  readonly retryAfter: number | undefined
  readonly sessionId: string | undefined

  constructor (code: ClientErrorCode, message: string, { statusCode = null, runId, retryAfter, sessionId, cause }: ClientErrorDetails = {}) {
    super(message, { cause })
    this.code = code
    this.statusCode = statusCode
    this.runId = runId
    this.retryAfter = retryAfter
    this.sessionId = sessionId
  }
}

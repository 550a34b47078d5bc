/* An error as a server sent it, over HTTP or a WebSocket. Fields of the wrong type are dropped. */
import type { ErrorCode } from '../lib/protocol/errors.ts'
import { CLIENT_CODES, RunsClientError } from './errors.ts'
import { seconds } from './retry-after.ts'

/** The fields as they came, and where they came from. */
export interface Told {
  code?: unknown
  message?: unknown
  runId?: unknown
  retryAfter?: unknown
  /** Of the HTTP answer; null without one. */
  statusCode: number | null
  sessionId: unknown
}

/** The error; null if it has no code and message, or a code that is the client's own. */
export function toldError ({ code, message, runId, retryAfter, statusCode, sessionId }: Told): RunsClientError | null {
  if (typeof code !== 'string' || typeof message !== 'string' || (CLIENT_CODES as readonly string[]).includes(code)) return null
  return new RunsClientError(code as ErrorCode, message, { statusCode, runId: text(runId), retryAfter: seconds(retryAfter), sessionId: text(sessionId) })
}

function text (value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

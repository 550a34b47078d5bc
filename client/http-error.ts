/* What an HTTP answer that is no success means. */
import type { ErrorCode } from '../lib/errors.ts'
import { RunsClientError } from './errors.ts'

/** An error as the server writes it. */
interface Problem {
  statusCode: number
  code: ErrorCode
  message: string
  runId?: string
  retryAfter?: number
}

/** The error that `response` tells: the server's own, or HTTP_ERROR. Never rejects. */
export async function httpError (response: Response, sessionId?: string): Promise<RunsClientError> {
  const statusCode = response.status
  const problem = problemOf(await response.text().catch(() => ''))
  const retryAfter = problem?.retryAfter ?? secondsOf(response.headers.get('retry-after'))
  if (problem === null) return new RunsClientError('HTTP_ERROR', `The answer is ${statusCode}, and not the server's own.`, { statusCode, retryAfter, sessionId })
  return new RunsClientError(problem.code, problem.message, { statusCode, runId: problem.runId, retryAfter, sessionId })
}

function problemOf (text: string): Problem | null {
  try {
    const value = JSON.parse(text) as Partial<Problem> | null
    const isProblem = typeof value?.statusCode === 'number' && typeof value.code === 'string' && typeof value.message === 'string'
    return isProblem ? value as Problem : null
  } catch {
    return null
  }
}

/** Of the two ways to write it we understand seconds; a date would depend on this machine's clock. */
function secondsOf (header: string | null): number | undefined {
  return header !== null && /^\d{1,9}$/.test(header.trim()) ? Number(header) : undefined
}

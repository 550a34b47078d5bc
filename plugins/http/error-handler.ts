/* How errors leave our routes: one shape, one code each; what is not ours goes on to the host's own handler. */
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { type ErrorCode, isRunsError, type RunsError, runsError, wireCode } from '../../lib/protocol/errors.ts'
import { problemOf } from '../../lib/protocol/validation-problem.ts'

/** Errors that Fastify itself finds in a request to one of our routes. */
const REQUEST_ERRORS: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_JSON_BODY: 'INVALID_REQUEST',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'INVALID_REQUEST',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'INVALID_REQUEST'
}

export function errorHandler (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const ours = toRunsError(error)
  if (ours === null) throw error
  const { statusCode, message, runId, retryAfter } = ours
  if (statusCode >= 500) request.log.error({ err: ours }, message)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  reply.code(statusCode).send({ statusCode, code: wireCode(ours), error: STATUS_CODES[statusCode], message, runId, retryAfter })
}

/** The error that says what part of a request does not fit its schema, and why. */
export function validationError (errors: FastifySchemaValidationError[], part: string): RunsError {
  return runsError('INVALID_REQUEST', [problemOf(part, errors)])
}

function toRunsError (error: FastifyError): RunsError | null {
  if (isRunsError(error)) return error
  const code = REQUEST_ERRORS[error.code]
  if (code !== undefined) return runsError(code, code === 'INVALID_REQUEST' ? [error.message] : [])
  // Malformed JSON reaches us as a plain SyntaxError of status 400.
  return error.statusCode === 400 && error instanceof SyntaxError ? runsError('INVALID_REQUEST', [error.message]) : null
}

/*
 * The one table of errors. On the wire a code is as it stands here; an error that is thrown has it with a prefix, as errors of the
 * host and of others have theirs beside it.
 */
import createError from '@fastify/error'

/** What an error may carry beside its code and message. */
export interface ErrorDetails {
  /** The run that is in the way. */
  runId?: string
  /** The seq before that run's first event. */
  cursor?: number
  /** Seconds after which another try makes sense. */
  retryAfter?: number
}

const TABLE = {
  INVALID_REQUEST: [400, '%s'],
  INVALID_MESSAGE: [400, '%s'],
  UNKNOWN_MESSAGE_TYPE: [400, 'There is no message of type "%s", only %s.'],
  INVALID_CURSOR: [400, '"%s" is not a cursor: it must be a seq (0, 1, 2, …) or "latest".'],
  INVALID_OPTIONS: [400, 'The message\'s options are not valid: %s'],
  UNSUPPORTED_PROVIDER: [400, '%s'],
  UNAUTHENTICATED: [401, 'Authentication is required.'],
  FORBIDDEN: [403, 'This is not allowed.'],
  HOST_NOT_ALLOWED: [403, 'The server does not answer to the host "%s".'],
  ORIGIN_NOT_ALLOWED: [403, 'Pages of "%s" may not open WebSockets here.'],
  SESSION_NOT_FOUND: [404, 'Session "%s" does not exist.'],
  RUN_NOT_FOUND: [404, 'Run "%s" does not exist.'],
  PERMISSION_NOT_FOUND: [404, 'Nobody asked for the approval "%s" in this session.'],
  NOT_ACCEPTABLE: [406, 'This resource is a text/event-stream, which the Accept header refuses.'],
  SESSION_EXISTS: [409, 'Session "%s" exists already.'],
  PROVIDER_SESSION_TAKEN: [409, 'Another session goes on with that session of the provider already.'],
  RUN_IN_PROGRESS: [409, 'Session "%s" is busy with another run.'],
  NO_ACTIVE_RUN: [409, 'Session "%s" has no running run.'],
  PERMISSION_ALREADY_RESOLVED: [409, 'The approval "%s" does not wait for an answer any more.'],
  SESSION_DELETED: [410, 'Session "%s" was deleted.'],
  BODY_TOO_LARGE: [413, 'The request body is too large.'],
  BODY_TOO_COMPLEX: [413, 'The request body has more values than it may, or is nested too deep.'],
  MESSAGE_TOO_LARGE: [413, 'The message takes more bytes than it may.'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The request body must be application/json.'],
  IDEMPOTENCY_KEY_REUSED: [422, 'The idempotency key was used for another message.'],
  UPGRADE_REQUIRED: [426, 'This is a WebSocket.'],
  QUEUE_FULL: [429, 'As many messages wait in session "%s" as may.', 5],
  TOO_MANY_RUNS: [429, 'The server has as many running runs as it may.', 5],
  TOO_MANY_SUBSCRIBERS: [429, 'The %s has as many streams as it may.', 5],
  TOO_MANY_SOCKETS: [429, 'The %s has as many WebSockets as it may.', 5],
  TOO_MANY_REQUEST_BYTES: [429, 'As many bytes of request bodies are being received from this owner as may.', 1],
  TOO_MANY_ANSWER_BYTES: [429, 'As many bytes of answers wait to be taken by this owner as may.', 1],
  TOO_MANY_MESSAGES: [429, 'The client sends more than it may.', 5],
  TOO_MANY_STOPS: [429, 'As many stops as may already wait for messages that have not come.', 60],
  TOO_MANY_ATTEMPTS: [429, 'There were too many attempts to log in.', 60],
  INTERNAL_ERROR: [500, 'Something went wrong.'],
  PROVIDER_UNAVAILABLE: [502, 'The provider cannot tell: %s'],
  STORE_FAILED: [500, 'The store failed.'],
  STORE_UNAVAILABLE: [503, 'The store is not available.', 1],
  SHUTTING_DOWN: [503, 'The server is shutting down.', 5],
  // The rest are for the people who set the server up.
  AGENT_RUNS_INVALID_PLUGIN_OPTIONS: [500, 'fastify-agent-runs: %s'],
  AGENT_RUNS_ALREADY_REGISTERED: [500, 'fastify-agent-runs is already registered in this scope. Register it once, or in sibling scopes.'],
  AGENT_RUNS_WEBSOCKET_CONFLICT: [500, 'fastify-agent-runs shares the server with something else that takes WebSocket upgrades. Register @fastify/websocket once, in a scope around, and before fastify-agent-runs; or set "websocket: false".'],
  AGENT_RUNS_STORE_IN_USE: [500, 'The store object is used by another registration. Give each its own; they may share a database.'],
  AGENT_RUNS_STORE_SCHEMA_OLDER: [500, 'The database %s has to be upgraded, and another process still uses it. Stop all processes that use it, then start this version.'],
  AGENT_RUNS_STORE_SCHEMA_NEWER: [500, 'The database %s was written by a newer fastify-agent-runs (migration "%s"). Upgrade the package.'],
  AGENT_RUNS_STORE_DRIVER_MISSING: [500, 'The built-in store needs the native module better-sqlite3, which cannot be loaded on %s (%s). Install it again on this platform ("npm ci", or "pnpm install --force"), compile it where it has no prebuilt file ("npm rebuild better-sqlite3"), or pass a "store" of your own.'],
  AGENT_RUNS_STORE_INVALID: [500, 'The database %s cannot be used: %s']
} as const satisfies Record<string, readonly [status: number, message: string, retryAfter?: number]>

/** Why a run failed, as its `complete` says it; a provider adds its own by throwing a `ProviderError`. */
export const RUN_ERRORS = {
  PROVIDER_FAILED: 'The provider failed.',
  EVENT_NOT_SERIALISABLE: 'The provider yielded an event that cannot be written as JSON.',
  EVENT_TOO_LARGE: 'The provider yielded an event that is too large.',
  NATIVE_ID_TOO_LONG: 'The provider announced a session id of its own that is too long.',
  TOO_MANY_NATIVE_IDS: 'The provider announced more session ids of its own than it may.',
  TOO_MANY_EVENTS: 'The run had more events than it may.',
  TOO_MANY_PERMISSIONS: 'The provider asked for more approvals at once than it may.',
  RUN_TOO_LARGE: 'The events of the run took more bytes than they may.',
  RUN_TIMEOUT: 'The run took longer than it may.',
  RUN_INTERRUPTED: 'The server stopped before the run had ended.',
  STORE_REFUSED: 'The events of the run could not be stored.'
} as const

/** A run's error by its code. */
export function runError (code: keyof typeof RUN_ERRORS): { code: string, message: string } {
  return { code, message: RUN_ERRORS[code] }
}

/** A code as it is on the wire; codes of errors at boot are never there, and have the prefix already. */
export type ErrorCode = keyof typeof TABLE

const PREFIX = 'AGENT_RUNS_'

/** The code of an error that is thrown. */
export type ThrownCode = ErrorCode extends infer Code ? Code extends `AGENT_RUNS_${string}` ? Code : `AGENT_RUNS_${Code & string}` : never

/** `SESSION_NOT_FOUND` → `AGENT_RUNS_SESSION_NOT_FOUND`. */
export function thrownCode (code: ErrorCode): ThrownCode {
  return (code.startsWith(PREFIX) ? code : PREFIX + code) as ThrownCode
}

/** The code without its prefix, as it is on the wire. Third-party stores may throw it without the prefix. */
export function wireCode ({ code }: { code: string }): ErrorCode {
  return (Object.hasOwn(TABLE, code) ? code : code.slice(PREFIX.length)) as ErrorCode
}

export const ERROR_CODES = Object.keys(TABLE) as ErrorCode[]

/** An error from the table: its code with the prefix `AGENT_RUNS_`, its HTTP status, and details for the client. */
export interface RunsError extends Error, ErrorDetails {
  code: ThrownCode
  statusCode: number
}

const constructors = Object.fromEntries(
  Object.entries(TABLE).map(([code, [status, message]]) => [code, createError<unknown[]>(thrownCode(code as ErrorCode), message, status)])
)

/** The error of `code`; `args` fill its message, a `cause` stays in the process. */
export function runsError (code: ErrorCode, args: string[] = [], details: ErrorDetails & { cause?: unknown } = {}): RunsError {
  const { cause, ...shown } = details
  const [, , retryAfter] = TABLE[code] as readonly [number, string, number?]
  const error = new constructors[code]!(...args)
  if (cause !== undefined) error.cause = cause
  return Object.assign(error, retryAfter !== undefined && { retryAfter }, shown) as RunsError
}

/** Whether `error` comes from the table. Never throws: stores and hosts of others may throw what cannot even be looked at. */
export function isRunsError (error: unknown): error is RunsError {
  try {
    return error instanceof Error && 'code' in error && typeof error.code === 'string' && Object.hasOwn(TABLE, wireCode(error as { code: string })) && 'statusCode' in error
  } catch {
    return false
  }
}

/** Whether `error` is of one code. */
export function hasCode (error: unknown, code: ErrorCode): error is RunsError {
  return isRunsError(error) && wireCode(error) === code
}

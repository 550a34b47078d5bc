import { test } from 'tap'
import { RUN_ERRORS, hasCode, isRunsError, runError, runsError, wireCode } from '../../lib/protocol/errors.ts'

test('an error carries its code, its status, its filled-in message and what the client may use', (t) => {
  const error = runsError('RUN_IN_PROGRESS', ['demo'], { runId: 'r1', cursor: 7, retryAfter: 2 })
  t.ok(error instanceof Error)
  const { code, statusCode, message, runId, cursor, retryAfter } = error
  t.strictSame({ code, statusCode, message, runId, cursor, retryAfter }, {
    code: 'AGENT_RUNS_RUN_IN_PROGRESS', statusCode: 409, message: 'Session "demo" is busy with another run.', runId: 'r1', cursor: 7, retryAfter: 2
  })
  t.end()
})

test('on the wire a code has no prefix; a store may throw it with or without one', (t) => {
  t.equal(wireCode(runsError('RUN_IN_PROGRESS')), 'RUN_IN_PROGRESS')
  t.equal(wireCode(runsError('AGENT_RUNS_STORE_INVALID')), 'AGENT_RUNS_STORE_INVALID')
  for (const code of ['STORE_UNAVAILABLE', 'AGENT_RUNS_STORE_UNAVAILABLE']) {
    const theirs = Object.assign(new Error('away'), { code, statusCode: 503 })
    t.ok(hasCode(theirs, 'STORE_UNAVAILABLE'))
    t.equal(wireCode(theirs), 'STORE_UNAVAILABLE')
  }
  t.notOk(isRunsError(Object.assign(new Error('other'), { code: 'AGENT_RUNS_OTHER', statusCode: 500 })))
  t.end()
})

test('the codes answer with the statuses that the contract names', (t) => {
  const statuses = {
    INVALID_REQUEST: 400,
    INVALID_CURSOR: 400,
    INVALID_OPTIONS: 400,
    UNSUPPORTED_PROVIDER: 400,
    UNAUTHENTICATED: 401,
    FORBIDDEN: 403,
    HOST_NOT_ALLOWED: 403,
    SESSION_NOT_FOUND: 404,
    RUN_NOT_FOUND: 404,
    NOT_ACCEPTABLE: 406,
    SESSION_EXISTS: 409,
    RUN_IN_PROGRESS: 409,
    NO_ACTIVE_RUN: 409,
    SESSION_DELETED: 410,
    BODY_TOO_LARGE: 413,
    UNSUPPORTED_MEDIA_TYPE: 415,
    IDEMPOTENCY_KEY_REUSED: 422,
    QUEUE_FULL: 429,
    TOO_MANY_RUNS: 429,
    TOO_MANY_SUBSCRIBERS: 429,
    STORE_UNAVAILABLE: 503,
    SHUTTING_DOWN: 503
  } as const
  const codes = Object.keys(statuses) as Array<keyof typeof statuses>
  t.strictSame(Object.fromEntries(codes.map((code) => [code, runsError(code).statusCode])), statuses)
  t.end()
})

test('what a client sent is quoted as it is, also when it looks like a format', (t) => {
  t.equal(runsError('INVALID_CURSOR', ['%s %d "x"']).message, '"%s %d "x"" is not a cursor: it must be a seq (0, 1, 2, …) or "latest".')
  t.equal(runsError('INVALID_REQUEST', ['100%']).message, '100%')
  t.end()
})

test('a cause stays in the process: it is kept, and not among what is shown', (t) => {
  const cause = new Error('disk I/O error at /secret/path')
  const error = runsError('STORE_UNAVAILABLE', [], { retryAfter: 1, cause })
  t.equal(error.cause, cause)
  t.equal(error.message, 'The store is not available.')
  t.equal(error.retryAfter, 1)
  t.equal(runsError('STORE_UNAVAILABLE').cause, undefined)
  t.end()
})

test('an error that passes says when another try makes sense, unless the thrower knows better', (t) => {
  t.strictSame(['STORE_UNAVAILABLE', 'SHUTTING_DOWN'].map((code) => runsError(code as 'SHUTTING_DOWN').retryAfter), [1, 5])
  t.equal(runsError('SHUTTING_DOWN', [], { retryAfter: 60 }).retryAfter, 60)
  t.notOk('retryAfter' in runsError('RUN_IN_PROGRESS', ['s']))
  t.end()
})

test('errors are told apart by code, and only those of the table are ours', (t) => {
  const ours = runsError('SESSION_NOT_FOUND', ['s'])
  const foreign = [
    new Error('x'), Object.assign(new Error('x'), { code: 'ENOENT' }), Object.assign(new Error('x'), { code: 404 }), Object.assign(new Error('x'), { code: 'toString', statusCode: 400 }),
    Object.assign(new Error('x'), { code: 'FST_ERR_VALIDATION', statusCode: 400 }), Object.assign(new Error('x'), { code: 'SESSION_NOT_FOUND' }),
    { code: 'SESSION_NOT_FOUND' }, 'SESSION_NOT_FOUND', null, undefined
  ]
  t.equal(isRunsError(ours), true)
  t.strictSame(foreign.map(isRunsError), foreign.map(() => false))
  t.strictSame([hasCode(ours, 'SESSION_NOT_FOUND'), hasCode(ours, 'RUN_NOT_FOUND'), hasCode(foreign[1], 'SESSION_NOT_FOUND')], [true, false, false])
  t.end()
})

test('a run error says the same words wherever it is used, and is the caller\'s to keep', (t) => {
  const error = runError('RUN_TIMEOUT')
  t.strictSame(error, { code: 'RUN_TIMEOUT', message: RUN_ERRORS.RUN_TIMEOUT })
  error.message = 'changed'
  t.strictSame(runError('RUN_TIMEOUT').message, 'The run took longer than it may.')
  t.end()
})

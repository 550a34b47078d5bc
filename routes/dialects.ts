/* Dialects: the clients of others, at mounts of their own. One run is one stream, told from its beginning to its end. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { LATEST, parseCursor } from '../lib/protocol/cursor.ts'
import { type ErrorCode, hasCode, runsError } from '../lib/protocol/errors.ts'
import { Session } from '../lib/protocol/schemas/sessions.ts'
import { Reason, RunError } from '../lib/protocol/schemas/values.ts'
import type { Owner } from '../lib/protocol/session.ts'
import { DialectConnection } from '../transports/dialects/common/connection.ts'
import type { Dialect, DialectRequest } from '../transports/dialects/dialect.ts'
import { endingsOf, readRuns } from './dialect-history.ts'
import { replyWithStream } from './reply-with-stream.ts'
import { answers, BODY_ERRORS, SESSION_ERRORS } from './schemas/answers.ts'
import { Limit, MessageHeaders, Seq, SessionParams } from './schemas/requests.ts'

const HistoryQuery = Type.Object({ before: Type.Optional(Seq('The `before` of the page that follows.')), limit: Limit })
const MessagesAnswer = Type.Object({
  messages: Type.Array(Type.Unknown()),
  hasMore: Type.Boolean(),
  before: Type.Union([Seq('For the page before this one.'), Type.Null()]),
  cursor: Type.Integer({ minimum: 0, description: 'For `?lastEventId=` of the stream.' }),
  waiting: Session.properties.waiting,
  runs: Type.Array(Type.Object({
    runId: Type.String(),
    messageId: Type.Union([Type.String(), Type.Null()], { description: 'Of the message that it answers; null if a page before this one has that.' }),
    reason: Type.Union([Reason, Type.Null()], { description: 'How it ended; null while it goes on.' }),
    error: Type.Optional(RunError)
  }), { description: 'The runs of the page, oldest first.' })
})
const StreamQuery = Type.Object({
  lastEventId: Type.Optional(Type.String({ description: 'The `cursor` of the history that the client holds: a run that has completed since is told too.' }))
})

const DialectHeaders = Type.Pick(MessageHeaders, ['idempotency-key'])

const Idle = Type.Null({ description: 'No run is running or waits.' })

/** Approvals that one request may answer. */
const MAX_ANSWERS = 200

const SEND_ERRORS: ErrorCode[] = [
  ...SESSION_ERRORS, ...BODY_ERRORS, 'UNSUPPORTED_PROVIDER', 'INVALID_OPTIONS', 'PERMISSION_NOT_FOUND', 'RUN_IN_PROGRESS', 'IDEMPOTENCY_KEY_REUSED', 'MESSAGE_TOO_LARGE', 'QUEUE_FULL', 'TOO_MANY_RUNS', 'TOO_MANY_SUBSCRIBERS'
]

/** The run that a stream is to tell, from which event on. */
interface Told {
  runId: string
  /** The seq up to which the client has it. */
  told: number
}

type Answers = Extract<DialectRequest, { answers: unknown }>

export const dialectRoutes: FastifyPluginAsyncTypebox<{ name: string, dialect: Dialect, bodyLimit: number }> = async (fastify, { name, dialect, bodyLimit }) => {
  const { agentRuns: runs } = fastify
  const mount = `/${name}`
  const Name = name.replace(/(^|-)./g, (part) => part.slice(-1).toUpperCase())
  // The guard has to know whom a body is about, before the handler does.
  const requests = new WeakMap<FastifyRequest, DialectRequest>()
  const asked = (request: FastifyRequest): DialectRequest => {
    const known = requests.get(request) ?? dialect.read(request.body)
    requests.set(request, known)
    return known
  }

  const stream = async (request: FastifyRequest, reply: FastifyReply, sessionId: string, { runId, told }: Told): Promise<FastifyReply> => {
    const { agentRuns: { owner }, body = null } = request
    // Fastify keeps the request for as long as its answer lasts.
    requests.delete(request)
    request.body = null
    const run = await runs.getRun(runId, { owner })
    if (run === null) throw runsError('SESSION_NOT_FOUND', [sessionId])
    const opening = await runs.openSubscription({ sessionId, owner, after: run.cursor, until: { runId } })
    const telling = { dialect, sessionId, runId, body, told }
    return replyWithStream(reply, opening, (response, headers, options) => new DialectConnection(response, headers, options, telling))
  }

  /** The latest run, if its end lies behind the cursor; else null. */
  const completedSince = async (sessionId: string, owner: Owner, cursor: number): Promise<string | null> => {
    const { runs: [latest] } = await runs.listRuns(sessionId, { owner, limit: 1 })
    return latest !== undefined && (latest.completeSeq ?? 0) > cursor ? latest.runId : null
  }

  const answer = async ({ sessionId, answers }: Answers, owner: Owner): Promise<Told> => {
    let last: Told | null = null
    // The first of each holds. A run has no more that wait; each costs several calls of the store, which is not to be asked without a pause.
    const first = new Map(answers.toReversed().map((each) => [each.requestId, each]))
    if (first.size > MAX_ANSWERS) throw runsError('INVALID_REQUEST', [`A request answers at most ${MAX_ANSWERS} approvals.`])
    for (const { requestId, ...decision } of [...first.values()].reverse()) {
      await nextTurn()
      const permission = await runs.getPermission(sessionId, requestId, { owner })
      if (permission === null) throw runsError('PERMISSION_NOT_FOUND', [requestId])
      const { runId, seq } = permission.request
      // What somebody else has answered is decided; this client goes on like any other.
      await runs.answerPermission({ ...decision, sessionId, requestId, owner }).catch((error: unknown) => {
        if (!hasCode(error, 'PERMISSION_ALREADY_RESOLVED')) throw error
      })
      if (last === null || seq > last.told) last = { runId, told: seq }
    }
    if (last === null) throw runsError('INVALID_REQUEST', ['There is nothing to answer.'])
    return last
  }

  fastify.post(mount, {
    bodyLimit,
    config: {
      runsAction: 'send',
      runsTarget: (request) => {
        const { sessionId, ...what } = asked(request)
        return { sessionId, action: 'answers' in what ? 'approve' : 'send' }
      }
    },
    schema: { operationId: `sendIn${Name}`, summary: `Send a message, or answer approvals, in the dialect ${name}`, headers: DialectHeaders, body: dialect.body, response: answers({ 200: 'stream' }, ...SEND_ERRORS) }
  }, async (request, reply) => {
    const { agentRuns: { owner } } = request
    const what = asked(request)
    const { sessionId } = what
    if ('answers' in what) return stream(request, reply, sessionId, await answer(what, owner))
    const idempotencyKey = request.headers['idempotency-key'] ?? what.message.idempotencyKey
    const { runId } = await runs.startRun({ ...what.message, sessionId, owner, idempotencyKey })
    return stream(request, reply, sessionId, { runId, told: 0 })
  })

  fastify.get(`${mount}/:id/stream`, {
    exposeHeadRoute: false,
    config: { runsAction: 'read' },
    schema: { operationId: `followIn${Name}`, summary: `Follow the running run from its beginning, in the dialect ${name}`, params: SessionParams, querystring: StreamQuery, response: answers({ 200: 'stream', 204: Idle }, 'INVALID_CURSOR', 'SESSION_DELETED', 'TOO_MANY_SUBSCRIBERS') }
  }, async (request, reply) => {
    const { params: { id }, query: { lastEventId }, agentRuns: { owner } } = request
    const cursor = lastEventId === undefined || lastEventId === LATEST ? Infinity : parseCursor(lastEventId)
    if (cursor === null) throw runsError('INVALID_CURSOR', [lastEventId!])
    const session = await runs.getSession(id, { owner })
    const runId = session?.runId ?? session?.queue[0] ?? (session === null ? null : await completedSince(id, owner, cursor))
    // Clients ask before there is anything; that is no error.
    if (runId === null) return reply.code(204).send()
    return stream(request, reply, id, { runId, told: 0 })
  })

  const { messages } = dialect
  if (messages === undefined) return
  fastify.get(`${mount}/:id/messages`, {
    config: { runsAction: 'read' },
    schema: { operationId: `readHistoryIn${Name}`, summary: `The history, in the dialect ${name}`, params: SessionParams, querystring: HistoryQuery, response: answers({ 200: MessagesAnswer }, 'SESSION_DELETED') }
  }, async ({ params: { id }, query: { before = null, limit = 100 }, agentRuns: { owner } }) => {
    const page = await readRuns(runs, id, { owner, before, limit })
    return { messages: messages.call(dialect, page.events), hasMore: page.hasMore, before: page.events[0]?.seq ?? null, cursor: page.cursor, waiting: page.waiting, runs: endingsOf(page.events) }
  })
}

/* Messages: posting one starts a run; aborting stops it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { parseCursor } from '../lib/protocol/cursor.ts'
import { type ErrorCode, hasCode } from '../lib/protocol/errors.ts'
import { PendingStop, Run } from '../lib/protocol/schemas/sessions.ts'
import { replyWithStream, wantsStream } from './reply-with-stream.ts'
import { answers, BODY_ERRORS, CompleteAnswer, SESSION_ERRORS, StartedAnswer } from './schemas/answers.ts'
import { Abort, MessageHeaders, NewMessage, SessionParams } from './schemas/requests.ts'

const SEND = 'Answers as soon as the message is durable; the run goes on whether or not a client is connected. With `Accept: text/event-stream` the answer is the run\'s own stream.'
const Held = Type.Null({ description: 'Of a message that is sent again for a stream: the client has the run\'s end already.' })
const SEND_ERRORS: ErrorCode[] = [
  ...SESSION_ERRORS, 'RUN_IN_PROGRESS', 'UNSUPPORTED_PROVIDER', 'INVALID_OPTIONS', 'IDEMPOTENCY_KEY_REUSED', 'MESSAGE_TOO_LARGE', 'QUEUE_FULL', 'TOO_MANY_RUNS', 'TOO_MANY_SUBSCRIBERS', ...BODY_ERRORS
]

export const messageRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { agentRuns: runs } = fastify
  const streamUrl = (sessionId: string, cursor: number): string => `${fastify.prefix}/sessions/${sessionId}/stream?lastEventId=${cursor}`
  const hasEnded = async (runId: string, seq: number): Promise<boolean> => ((await runs.getRun(runId))?.completeSeq ?? Infinity) <= seq

  fastify.post('/sessions/:id/messages', {
    config: { runsAction: 'send' },
    schema: { operationId: 'sendMessage', summary: 'Send a message: start a run', description: SEND, params: SessionParams, headers: MessageHeaders, body: NewMessage, response: answers({ 200: 'stream', 202: StartedAnswer, 204: Held }, ...SEND_ERRORS) }
  }, async (request, reply) => {
    const { params: { id: sessionId }, body, agentRuns: { owner } } = request
    try {
      const started = await runs.startRun({ ...body, sessionId, owner, idempotencyKey: request.headers['idempotency-key'] })
      const { runId, cursor } = started
      reply.header('location', streamUrl(sessionId, cursor))
      if (!wantsStream(request)) return await reply.code(202).send(started)
      // Sent again with its key, by a client that has some of the run already.
      const held = parseCursor(request.headers['last-event-id']) ?? 0
      if (held > cursor && await hasEnded(runId, held)) return await reply.code(204).send()
      return await replyWithStream(reply, await runs.openSubscription({ sessionId, owner, after: Math.max(cursor, held), until: { runId } }))
    } catch (error) {
      if (hasCode(error, 'RUN_IN_PROGRESS') && error.cursor !== undefined) reply.header('location', streamUrl(sessionId, error.cursor))
      throw error
    }
  })

  fastify.post('/sessions/:id/abort', {
    config: { runsAction: 'abort' },
    schema: { operationId: 'abortRun', summary: 'Stop a run, or a message that may not have come yet', params: SessionParams, body: Type.Union([Abort, Type.Null()]), response: answers({ 200: CompleteAnswer, 202: Type.Union([Run, PendingStop]) }, ...SESSION_ERRORS, 'RUN_NOT_FOUND', 'NO_ACTIVE_RUN', 'TOO_MANY_STOPS', ...BODY_ERRORS) }
  }, async ({ params: { id: sessionId }, body, agentRuns: { owner } }, reply) => {
    const stopped = await runs.stop({ ...body, sessionId, owner })
    // Of a run that waits the terminal comes in its turn.
    return reply.code('kind' in stopped ? 200 : 202).send(stopped)
  })
}

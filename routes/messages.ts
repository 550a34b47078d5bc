/* Messages: posting one starts a run; aborting stops it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { hasCode } from '../lib/errors.ts'
import { replyWithStream, wantsStream } from './reply-with-stream.ts'
import { answers, EventAnswer, RunAnswer, StartedAnswer } from './answers.ts'
import { Abort, MessageHeaders, NewMessage, SessionParams } from './schemas.ts'

export const messageRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { runs } = fastify
  const streamUrl = (sessionId: string, cursor: number): string => `${fastify.prefix}/sessions/${sessionId}/stream?lastEventId=${cursor}`

  fastify.post('/sessions/:id/messages', {
    config: { runsAction: 'send' },
    schema: { summary: 'Send a message: start a run', params: SessionParams, headers: MessageHeaders, body: NewMessage, response: answers({ 200: 'stream', 202: StartedAnswer }, 404, 409, 410, 413, 415, 422, 429) }
  }, async (request, reply) => {
    const { params: { id: sessionId }, body, runsOwner: owner } = request
    try {
      const started = await runs.startRun({ ...body, sessionId, owner, idempotencyKey: request.headers['idempotency-key'] })
      const { runId, cursor } = started
      reply.header('location', streamUrl(sessionId, cursor))
      if (!wantsStream(request)) return await reply.code(202).send(started)
      return replyWithStream(reply, await runs.openSubscription({ sessionId, owner, after: cursor, until: { runId } }))
    } catch (error) {
      if (hasCode(error, 'RUN_IN_PROGRESS') && error.cursor !== undefined) reply.header('location', streamUrl(sessionId, error.cursor))
      throw error
    }
  })

  fastify.post('/sessions/:id/abort', {
    config: { runsAction: 'abort' },
    schema: { summary: 'Stop a run', params: SessionParams, body: Type.Union([Abort, Type.Null(), Type.Undefined()]), response: answers({ 200: EventAnswer, 202: RunAnswer }, 404, 409, 410) }
  }, async ({ params: { id }, body, runsOwner }, reply) => {
    const complete = await runs.abortRun({ sessionId: id, runId: body?.runId, owner: runsOwner })
    if (complete !== null) return complete
    // It waits, and will not run: its terminal comes in its turn.
    return reply.code(202).send(await runs.getRun(body!.runId!, { owner: runsOwner }))
  })
}

/* Messages: posting one starts a run; aborting stops it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { hasCode } from '../lib/errors.ts'
import type { SseConnections } from '../transports/sse-connections.ts'
import { replyWithStream, wantsStream } from './reply-with-stream.ts'
import { Abort, MessageHeaders, NewMessage, SessionParams } from './schemas.ts'

export const messageRoutes: FastifyPluginAsyncTypebox<{ sse: SseConnections }> = async (fastify, { sse }) => {
  const { runs } = fastify
  const streamUrl = (sessionId: string, cursor: number): string => `${fastify.prefix}/sessions/${sessionId}/stream?lastEventId=${cursor}`

  fastify.post('/sessions/:id/messages', { config: { runsAction: 'send' }, schema: { params: SessionParams, headers: MessageHeaders, body: NewMessage } }, async (request, reply) => {
    const { params: { id: sessionId }, body, runsOwner: owner } = request
    try {
      const started = await runs.startRun({ ...body, sessionId, owner, idempotencyKey: request.headers['idempotency-key'] })
      const { runId, cursor } = started
      reply.header('location', streamUrl(sessionId, cursor))
      if (!wantsStream(request)) return await reply.code(202).send(started)
      return replyWithStream(reply, sse, await runs.openSubscription({ sessionId, owner, after: cursor, until: { runId } }))
    } catch (error) {
      if (hasCode(error, 'RUN_IN_PROGRESS') && error.cursor !== undefined) reply.header('location', streamUrl(sessionId, error.cursor))
      throw error
    }
  })

  fastify.post('/sessions/:id/abort', { config: { runsAction: 'abort' }, schema: { params: SessionParams, body: Type.Union([Abort, Type.Null(), Type.Undefined()]) } }, async ({ params: { id }, body, runsOwner }, reply) => {
    const complete = await runs.abortRun({ sessionId: id, runId: body?.runId, owner: runsOwner })
    if (complete !== null) return complete
    // It waits, and will not run: its terminal comes in its turn.
    return reply.code(202).send(await runs.getRun(body!.runId!, { owner: runsOwner }))
  })
}

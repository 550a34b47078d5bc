/* The stream: a session's log over Server-Sent Events, from the client's cursor on. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { IncomingHttpHeaders } from 'node:http'
import Type from 'typebox'
import { type Cursor, LATEST, parseCursor } from '../lib/protocol/cursor.ts'
import { runsError } from '../lib/protocol/errors.ts'
import { assertAcceptsStream, replyWithStream } from './reply-with-stream.ts'
import { answers, SESSION_ERRORS } from './schemas/answers.ts'
import { SessionParams } from './schemas/requests.ts'

const StreamQuery = Type.Object({
  lastEventId: Type.Optional(Type.String({ description: 'The same where no header can be set; `latest` gives only what is new.' })),
  until: Type.Optional(Type.Literal('complete', { description: 'Ends the stream behind the end of a run; without it, it goes on across runs.' }))
})

// Any header is a cursor or none: what is malformed is told in the stream.
const StreamHeaders = Type.Object({ 'last-event-id': Type.Optional(Type.String({ description: 'The last seq that the client holds. `EventSource` sends it by itself when it reconnects.' })) })

const Nothing = Type.Null({ description: 'The client has the end already; that stops an `EventSource`.' })

export const streamRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  // Fastify answers HEAD by reading the body to its end, which a stream has not.
  fastify.get('/sessions/:id/stream', {
    exposeHeadRoute: false,
    config: { runsAction: 'read' },
    schema: { operationId: 'followSession', summary: 'Follow a session over Server-Sent Events', params: SessionParams, headers: StreamHeaders, querystring: StreamQuery, response: answers({ 200: 'stream', 204: Nothing }, ...SESSION_ERRORS, 'INVALID_CURSOR', 'NOT_ACCEPTABLE', 'TOO_MANY_SUBSCRIBERS') }
  }, async (request, reply) => {
    assertAcceptsStream(request)
    const { params: { id: sessionId }, query: { lastEventId, until = null }, agentRuns: { owner, admit } } = request
    const opening = await fastify.agentRuns.openSubscription({ sessionId, owner, after: cursorOf(request.headers, lastEventId), until, admit })
    if (!opening.done) return replyWithStream(reply, opening)
    opening.cancel()
    // No content is what stops an EventSource from coming back.
    return reply.code(204).send()
  })
}

/**
 * The header wins: EventSource keeps its first URL when it reconnects. A malformed header is null, not an error, as any
 * error would close an EventSource for ever.
 */
function cursorOf (headers: IncomingHttpHeaders, query: string | undefined): Cursor | null {
  const header = headers['last-event-id']
  if (typeof header === 'string' && header !== '') return parseCursor(header)
  if (query === LATEST) return LATEST
  const cursor = parseCursor(query)
  if (cursor === null) throw runsError('INVALID_CURSOR', [query!])
  return cursor
}

/* What a session's log holds, as JSON: the history, and everything that is retained. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { StoredEvent } from '../lib/protocol/event.ts'
import { answers, EventsAnswer, HistoryAnswer, SESSION_ERRORS } from './schemas/answers.ts'
import { Limit, Seq, SessionParams } from './schemas/requests.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const HistoryQuery = Type.Object({ before: Type.Optional(Seq('The seq of the first event of the page that one has; without it, the latest page.')), limit: Limit })
const EventsQuery = Type.Object({ after: Type.Optional(Seq('The seq behind which to start; 0, the default, is the beginning.')), limit: Limit })

export const historyRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { agentRuns: runs } = fastify

  fastify.get('/sessions/:id/messages', {
    config: { runsAction: 'read' },
    schema: { operationId: 'readHistory', summary: 'The history: durable events, in pages', params: SessionParams, querystring: HistoryQuery, response: answers({ 200: HistoryAnswer }, ...SESSION_ERRORS) }
  }, async (request, reply) => {
    const { params: { id }, query: { before = null, limit = 100 }, agentRuns: { owner } } = request
    const { session, events, hasMore, cursor } = await runs.readHistory(id, { owner, before, limit })
    return reply.type(JSON_TYPE).send(withEvents(events, { hasMore, cursor, isProcessing: session.isProcessing }))
  })

  fastify.get('/sessions/:id/events', {
    config: { runsAction: 'read' },
    schema: { operationId: 'readEvents', summary: 'Everything that is retained after a seq', params: SessionParams, querystring: EventsQuery, response: answers({ 200: EventsAnswer }, ...SESSION_ERRORS) }
  }, async (request, reply) => {
    const { params: { id }, query: { after = 0, limit = 500 }, agentRuns: { owner } } = request
    const { events, through, lastSeq, compactedThrough } = await runs.readEvents(id, { owner, after, limit })
    return reply.type(JSON_TYPE).send(withEvents(events, { hasMore: through < lastSeq, lastSeq, compactedThrough }))
  })
}

/** Stored events are JSON already. */
function withEvents (events: StoredEvent[], rest: object): string {
  return `{"events":[${events.map(({ json }) => json).join(',')}],${JSON.stringify(rest).slice(1)}`
}

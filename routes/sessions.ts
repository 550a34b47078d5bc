/* Sessions: create, list, read, rename, delete. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { runsError } from '../lib/protocol/errors.ts'
import type { SessionState } from '../lib/protocol/session.ts'
import { Session } from '../lib/protocol/schemas/sessions.ts'
import { answers, BODY_ERRORS, SESSION_ERRORS, SessionsAnswer } from './schemas/answers.ts'
import { Limit, NewSession, SessionParams, SessionPatch } from './schemas/requests.ts'

const ListQuery = Type.Object({ limit: Limit, before: Type.Optional(Type.String({ description: 'The id of the last session of the page before.' })) })

export const sessionRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { agentRuns: runs } = fastify

  fastify.post('/sessions', {
    config: { runsAction: 'create' },
    schema: { operationId: 'createSession', summary: 'Create a session', body: Type.Union([NewSession, Type.Null()]), response: answers({ 201: Session }, 'SESSION_EXISTS', 'PROVIDER_SESSION_TAKEN', 'UNSUPPORTED_PROVIDER', ...BODY_ERRORS) }
  }, async (request, reply) => {
    if (request.body?.providerSession !== undefined) await request.agentRuns.authorizeAdoption()
    const session = await runs.createSession({ ...request.body, owner: request.agentRuns.owner })
    reply.code(201).header('location', `${fastify.prefix}/sessions/${session.id}`)
    return shown(session)
  })

  fastify.get('/sessions', {
    config: { runsAction: 'list' },
    schema: { operationId: 'listSessions', summary: 'List sessions, newest first', querystring: ListQuery, response: answers({ 200: SessionsAnswer }) }
  }, async ({ query: { limit = 50, before = null }, agentRuns: { owner } }) => {
    const { sessions, hasMore } = await runs.listSessions({ owner, limit, before })
    return { sessions: sessions.map(shown), hasMore }
  })

  fastify.get('/sessions/:id', {
    config: { runsAction: 'read' },
    schema: { operationId: 'readSession', summary: 'One session, with the state of its log', params: SessionParams, response: answers({ 200: Session }, ...SESSION_ERRORS) }
  }, async ({ params: { id }, agentRuns: { owner } }) => {
    const session = await runs.getSession(id, { owner })
    if (session === null) throw runsError('SESSION_NOT_FOUND', [id])
    return shown(session)
  })

  fastify.patch('/sessions/:id', {
    config: { runsAction: 'update' },
    schema: { operationId: 'updateSession', summary: 'Change a session\'s title or metadata', params: SessionParams, body: Type.Union([SessionPatch, Type.Null()]), response: answers({ 200: Session }, ...SESSION_ERRORS, ...BODY_ERRORS) }
  }, async ({ params: { id }, body, agentRuns: { owner } }) => {
    return shown(await runs.updateSession(id, body ?? {}, { owner }))
  })

  fastify.delete('/sessions/:id', {
    config: { runsAction: 'delete' },
    schema: { operationId: 'deleteSession', summary: 'Delete a session for good', params: SessionParams, response: answers({ 204: null }, ...SESSION_ERRORS) }
  }, async ({ params: { id }, agentRuns: { owner } }, reply) => {
    await runs.deleteSession(id, { owner })
    return reply.code(204).send()
  })
}

/** Whose it is, the client knows. */
function shown ({ owner, ...session }: SessionState): Omit<SessionState, 'owner'> {
  return session
}

/* Sessions: create, list, read, rename, delete. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { runsError } from '../lib/errors.ts'
import type { SessionState } from '../lib/types.ts'
import { answers, SessionAnswer } from './answers.ts'
import { Limit, NewSession, SessionParams, SessionPatch } from './schemas.ts'

const ListQuery = Type.Object({ limit: Limit, before: Type.Optional(Type.String()) })

export const sessionRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { runs } = fastify

  fastify.post('/sessions', {
    config: { runsAction: 'create' },
    schema: { summary: 'Create a session', body: NewSession, response: answers({ 201: SessionAnswer }, 409, 413, 415) }
  }, async (request, reply) => {
    const session = await runs.createSession({ ...request.body, owner: request.runsOwner })
    reply.code(201).header('location', `${fastify.prefix}/sessions/${session.id}`)
    return shown(session)
  })

  fastify.get('/sessions', {
    config: { runsAction: 'list' },
    schema: { summary: 'List sessions, newest first', querystring: ListQuery, response: answers({ 200: Type.Object({ sessions: Type.Array(SessionAnswer) }) }) }
  }, async ({ query: { limit = 50, before = null }, runsOwner }) => {
    const sessions = await runs.listSessions({ owner: runsOwner, limit, before })
    return { sessions: sessions.map(shown) }
  })

  fastify.get('/sessions/:id', {
    config: { runsAction: 'read' },
    schema: { summary: 'One session, with the state of its log', params: SessionParams, response: answers({ 200: SessionAnswer }, 404, 410) }
  }, async ({ params: { id }, runsOwner }) => {
    const session = await runs.getSession(id, { owner: runsOwner })
    if (session === null) throw runsError('SESSION_NOT_FOUND', [id])
    return shown(session)
  })

  fastify.patch('/sessions/:id', {
    config: { runsAction: 'update' },
    schema: { summary: 'Change a session\'s title or metadata', params: SessionParams, body: SessionPatch, response: answers({ 200: SessionAnswer }, 404, 410, 413, 415) }
  }, async ({ params: { id }, body, runsOwner }) => {
    return shown(await runs.updateSession(id, body, { owner: runsOwner }))
  })

  fastify.delete('/sessions/:id', {
    config: { runsAction: 'delete' },
    schema: { summary: 'Delete a session for good', params: SessionParams, response: answers({ 204: null }, 404, 410) }
  }, async ({ params: { id }, runsOwner }, reply) => {
    await runs.deleteSession(id, { owner: runsOwner })
    return reply.code(204).send()
  })
}

/** Whose it is, the client knows. */
function shown ({ owner, ...session }: SessionState): Omit<SessionState, 'owner'> {
  return session
}

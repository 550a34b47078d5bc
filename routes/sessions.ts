/* Sessions: create, list, read, rename, delete. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { runsError } from '../lib/errors.ts'
import type { SessionState } from '../lib/types.ts'
import { Limit, NewSession, SessionParams, SessionPatch } from './schemas.ts'

const ListQuery = Type.Object({ limit: Limit, before: Type.Optional(Type.String()) })

export const sessionRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { runs } = fastify

  fastify.post('/sessions', { config: { runsAction: 'create' }, schema: { body: NewSession } }, async (request, reply) => {
    const session = await runs.createSession({ ...request.body, owner: request.runsOwner })
    reply.code(201).header('location', `${fastify.prefix}/sessions/${session.id}`)
    return shown(session)
  })

  fastify.get('/sessions', { config: { runsAction: 'list' }, schema: { querystring: ListQuery } }, async ({ query: { limit = 50, before = null }, runsOwner }) => {
    const sessions = await runs.listSessions({ owner: runsOwner, limit, before })
    return { sessions: sessions.map(shown) }
  })

  fastify.get('/sessions/:id', { config: { runsAction: 'read' }, schema: { params: SessionParams } }, async ({ params: { id }, runsOwner }) => {
    const session = await runs.getSession(id, { owner: runsOwner })
    if (session === null) throw runsError('SESSION_NOT_FOUND', [id])
    return shown(session)
  })

  fastify.patch('/sessions/:id', { config: { runsAction: 'update' }, schema: { params: SessionParams, body: SessionPatch } }, async ({ params: { id }, body, runsOwner }) => {
    return shown(await runs.updateSession(id, body, { owner: runsOwner }))
  })

  fastify.delete('/sessions/:id', { config: { runsAction: 'delete' }, schema: { params: SessionParams } }, async ({ params: { id }, runsOwner }, reply) => {
    await runs.deleteSession(id, { owner: runsOwner })
    return reply.code(204).send()
  })
}

/** Whose it is, the client knows. */
function shown ({ owner, ...session }: SessionState): Omit<SessionState, 'owner'> {
  return session
}

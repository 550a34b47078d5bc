/* Approvals: what a run asks leave for is answered here, once, from any device. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { answers, EventAnswer } from './answers.ts'
import { Decision, PermissionParams } from './schemas.ts'

export const permissionRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  fastify.post('/sessions/:id/permissions/:requestId', {
    config: { runsAction: 'approve' },
    schema: { summary: 'Answer an approval', params: PermissionParams, body: Decision, response: answers({ 200: EventAnswer }, 404, 409, 410, 413, 415) }
  }, async ({ params: { id: sessionId, requestId }, body, runsOwner: owner }) => {
    return fastify.runs.answerPermission({ ...body, sessionId, requestId, owner })
  })
}

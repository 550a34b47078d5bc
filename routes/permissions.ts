/* Approvals: a permission request is answered here, once, from any device. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { answers, BODY_ERRORS, ResolvedAnswer, SESSION_ERRORS } from './schemas/answers.ts'
import { Decision, PermissionParams } from './schemas/requests.ts'

export const permissionRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  fastify.post('/sessions/:id/permissions/:requestId', {
    config: { runsAction: 'approve' },
    schema: { operationId: 'answerPermission', summary: 'Answer an approval', params: PermissionParams, body: Decision, response: answers({ 200: ResolvedAnswer }, ...SESSION_ERRORS, 'PERMISSION_NOT_FOUND', 'PERMISSION_ALREADY_RESOLVED', ...BODY_ERRORS) }
  }, async ({ params: { id: sessionId, requestId }, body, agentRuns: { owner } }) => {
    return fastify.agentRuns.answerPermission({ ...body, sessionId, requestId, owner })
  })
}

/* Runs: those that are running, those of a session, one. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { runsError } from '../lib/protocol/errors.ts'
import { RunDetails } from '../lib/protocol/schemas/sessions.ts'
import { answers, RunningRunsAnswer, RunsAnswer, SESSION_ERRORS } from './schemas/answers.ts'
import { Limit, SessionParams } from './schemas/requests.ts'

export const runRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { agentRuns: runs } = fastify

  fastify.get('/runs', {
    config: { runsAction: 'list' },
    schema: { operationId: 'listRunningRuns', summary: 'The running runs, oldest first', querystring: Type.Object({ limit: Limit, after: Type.Optional(Type.String({ description: 'The id of the last run of the page before.' })) }), response: answers({ 200: RunningRunsAnswer }) }
  }, async ({ query: { limit = 500, after = null }, agentRuns: { owner } }) => runs.listRunningRuns({ owner, limit, after }))

  fastify.get('/sessions/:id/runs', {
    config: { runsAction: 'read' },
    schema: { operationId: 'listRuns', summary: 'A session\'s runs, newest first', params: SessionParams, querystring: Type.Object({ limit: Limit, before: Type.Optional(Type.String({ description: 'The id of the last run of the page before.' })) }), response: answers({ 200: RunsAnswer }, ...SESSION_ERRORS) }
  }, async (request) => {
    const { params: { id }, query: { limit = 50, before = null }, agentRuns: { owner } } = request
    if (await runs.getSession(id, { owner }) === null) throw runsError('SESSION_NOT_FOUND', [id])
    return runs.listRuns(id, { owner, limit, before })
  })

  fastify.get('/runs/:runId', {
    config: { runsAction: 'read' },
    schema: { operationId: 'readRun', summary: 'One run, with its message', params: Type.Object({ runId: Type.String() }), response: answers({ 200: RunDetails }, 'RUN_NOT_FOUND') }
  }, async ({ params: { runId }, agentRuns: { owner } }) => {
    const [run, message] = [await runs.getRun(runId, { owner }), await runs.getRunMessage(runId, { owner })]
    if (run === null || message === null) throw runsError('RUN_NOT_FOUND', [runId])
    return { ...run, message }
  })
}

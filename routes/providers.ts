/* What there is to run, and what agents have kept of earlier sessions. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { answers, KeptSessionsAnswer, ProvidersAnswer } from './schemas/answers.ts'
import { Limit } from './schemas/requests.ts'

export const providerRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { agentRuns: runs } = fastify

  fastify.get('/providers', {
    config: { runsAction: 'list' },
    schema: { operationId: 'listProviders', summary: 'The providers, what they can do and which options they take', response: answers({ 200: ProvidersAnswer }) }
  }, async () => ({ providers: runs.listProviders() }))

  fastify.get('/providers/:name/sessions', {
    config: { runsAction: 'list' },
    schema: {
      operationId: 'listKeptSessions',
      summary: 'Sessions that a provider\'s agent has kept and no session of this server goes on with',
      params: Type.Object({ name: Type.String() }),
      querystring: Type.Object({ limit: Limit }),
      response: answers({ 200: KeptSessionsAnswer }, 'UNSUPPORTED_PROVIDER', 'PROVIDER_UNAVAILABLE')
    }
  }, async ({ params: { name }, query: { limit = 50 }, agentRuns }) => {
    await agentRuns.authorizeAdoption()
    return { sessions: await runs.listKeptSessions(name, { limit }) }
  })
}

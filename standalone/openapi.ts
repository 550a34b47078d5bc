/* What the server's routes are: for machines at /openapi.json, for people at /docs. Both are public. */
import { createRequire } from 'node:module'
import swagger, { type SwaggerTransform } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { TOKEN_COOKIE, TOKEN_PARAMETER } from './login.ts'
import { tidyDocument } from './tidy-document.ts'

const { version } = createRequire(import.meta.url)('fastify-agent-runs/package.json') as { version: string }

const TAGS = [
  { name: 'agent runs', description: 'Sessions, messages, runs and their events.' },
  { name: 'server', description: 'The server itself.' }
]

const SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'For everything that can set a header.' },
  cookie: { type: 'apiKey', in: 'cookie', name: TOKEN_COOKIE, description: 'For `EventSource` and `WebSocket` in browsers: `POST /login` sets it.' },
  query: { type: 'apiKey', in: 'query', name: TOKEN_PARAMETER, description: 'Where neither will do: other logs than this server\'s keep URLs.' }
} as const

/** All that the page needs is ours; nobody may put it in a frame, where a click on it would not be meant. */
const PAGE_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Describes all routes that are added to the app from here on. With `tokens` those of the plugin ask for one. */
export async function describeRoutes (app: FastifyInstance, { tokens }: { tokens: boolean }): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'fastify-agent-runs',
        version,
        description: 'Runs AI agents detached from any connection. Every client replays and follows them from its own cursor, over Server-Sent Events or WebSocket.'
      },
      tags: TAGS,
      ...(tokens && { components: { securitySchemes: SCHEMES } })
    },
    transform: transformRoute(tokens),
    transformObject: tidyDocument
  })
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { layout: 'BaseLayout' }, theme: { title: 'fastify-agent-runs' }, staticCSP: PAGE_POLICY })
  app.get('/openapi.json', {
    schema: { operationId: 'readOpenApi', summary: 'This document', tags: ['server'], response: { 200: { type: 'object', additionalProperties: true, description: 'OpenAPI 3.1.' } } }
  }, async () => app.swagger())
}

/** Adds to a route what only the server knows: that it wants a token, and the parameters of the prefix. */
function transformRoute (tokens: boolean): SwaggerTransform {
  return ({ schema, url, route }) => {
    const names = Array.from(url.matchAll(/:(\w+)/g), ([, name]) => name!)
    const { properties = {} } = (schema?.params ?? {}) as { properties?: Record<string, object> }
    const params = names.length === 0 ? {} : { params: { type: 'object', properties: Object.fromEntries(names.map((name) => [name, properties[name] ?? { type: 'string' }])) } }
    const wantsToken = tokens && route.config?.runsAction !== undefined
    return { url, schema: { ...schema, ...params, ...(wantsToken && { security: Object.keys(SCHEMES).map((name) => ({ [name]: [] })) }) } }
  }
}

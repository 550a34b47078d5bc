/* How a token comes with a request; and how a browser, whose EventSource and WebSocket cannot send headers, gets a cookie of it. */
import type {} from '@fastify/cookie'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { runsError } from '../lib/protocol/errors.ts'
import { validationError } from '../plugins/http/error-handler.ts'
import { validatorCompiler } from '../plugins/http/validator.ts'
import { refusals } from '../routes/schemas/answers.ts'
import type { TokensFile } from './tokens-file.ts'

/** The cookie that may carry a token. */
export const TOKEN_COOKIE = 'agent_runs_token'

/** The query parameter that may carry a token. */
export const TOKEN_PARAMETER = 'access_token'

/** How often one address may try to log in: a network of IPv6 (/64) is one address. */
const TRIES = { max: 10, timeWindow: 60_000 }

const Login = Type.Object({ token: Type.String() }, { additionalProperties: false })

const CookieIsSet = { 'set-cookie': Type.String({ description: `\`${TOKEN_COOKIE}\`, which scripts cannot read.` }) }
/** Of a body that is read before anybody is known. */
const MAX_BODY_BYTES = 8_192

const tags = ['server']
const LOGIN = {
  operationId: 'login',
  summary: 'Keep a token in a cookie, for what cannot set headers',
  tags,
  body: Login,
  response: { 204: { type: 'null', description: 'Logged in.', headers: CookieIsSet }, ...refusals(['INVALID_REQUEST', 'UNAUTHENTICATED', 'FORBIDDEN', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'TOO_MANY_ATTEMPTS']) }
}
const LOGOUT = {
  operationId: 'logout',
  summary: 'Forget the cookie',
  tags,
  response: { 204: { type: 'null', description: 'Logged out.', headers: CookieIsSet }, ...refusals(['FORBIDDEN']) }
}

/** The token of a request: in the Authorization header, else in the query, else in the cookie. Null if there is none. */
export function tokenOf ({ headers: { authorization = '' }, query, cookies }: FastifyRequest): string | null {
  const [, bearer] = /^bearer +([^ ]+) *$/i.exec(authorization) ?? []
  if (bearer !== undefined) return bearer
  const parameter = (query as Record<string, unknown>)[TOKEN_PARAMETER]
  // Given twice, it is none: a client that names a token does not mean the cookie.
  if (parameter !== undefined) return typeof parameter === 'string' ? parameter : null
  return cookies[TOKEN_COOKIE] ?? null
}

/** POST /login, which keeps a token in a cookie that scripts cannot read, and POST /logout, which forgets it. */
export async function loginRoutes (fastify: FastifyInstance, { tokens }: { tokens: TokensFile }): Promise<void> {
  fastify.setValidatorCompiler(validatorCompiler)
  fastify.setSchemaErrorFormatter(validationError)
  await fastify.register(rateLimit, { global: false, errorResponseBuilder: (_request, { ttl }) => runsError('TOO_MANY_ATTEMPTS', [], { retryAfter: Math.ceil(ttl / 1_000) }) })
  // The cookie goes where our routes are; a prefix with parameters is no path that a browser knows.
  const path = fastify.prefix === '' || /[:*]/.test(fastify.prefix) ? '/' : fastify.prefix

  fastify.post<{ Body: Type.Static<typeof Login> }>('/login', { bodyLimit: MAX_BODY_BYTES, schema: LOGIN, config: { rateLimit: TRIES } }, async (request, reply) => {
    const { token } = request.body
    const identity = tokens.identify(token)
    if (identity === null) throw runsError('UNAUTHENTICATED')
    const expires = identity.expiresAt === null ? {} : { expires: new Date(identity.expiresAt) }
    reply.setCookie(TOKEN_COOKIE, token, { path, httpOnly: true, sameSite: 'strict', secure: cameByHttps(request), ...expires })
    return reply.code(204).send()
  })

  fastify.post('/logout', { bodyLimit: MAX_BODY_BYTES, schema: LOGOUT }, async (request, reply) => {
    reply.clearCookie(TOKEN_COOKIE, { path, httpOnly: true, sameSite: 'strict', secure: cameByHttps(request) })
    return reply.code(204).send()
  })
}

/** Whether the browser speaks https, to us or to a proxy. Who lies about it only loses a cookie. */
function cameByHttps ({ protocol, headers }: FastifyRequest): boolean {
  return protocol === 'https' || String(headers['x-forwarded-proto'] ?? '').split(',')[0]!.trim().toLowerCase() === 'https'
}

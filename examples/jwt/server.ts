/* Users with tokens: each sees their own sessions, and their streams end when their token does. */
import { randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'
import agentRuns from 'fastify-agent-runs'
import { echo } from 'fastify-agent-runs/providers/echo'
import { isPassword } from './users.ts'

interface Credentials { name: string, password: string }
/** `exp` is in seconds since 1970. */
interface Claims { sub: string, exp: number }

declare module '@fastify/jwt' {
  interface FastifyJWT { user: Claims }
}

const CREDENTIALS = {
  type: 'object', required: ['name', 'password'], properties: { name: { type: 'string' }, password: { type: 'string' } }
}
const COOKIE = 'token'
const LIFETIME_S = Number(process.env['TOKEN_SECONDS'] ?? 900)

const app = Fastify({ logger: true, forceCloseConnections: true, return503OnClosing: false })

await app.register(cookie)
await app.register(jwt, {
  secret: process.env['JWT_SECRET'] ?? randomBytes(32),
  sign: { expiresIn: LIFETIME_S },
  // Looked at where there is no Authorization header: an EventSource cannot set one.
  cookie: { cookieName: COOKIE, signed: false }
})

app.post<{ Body: Credentials }>('/login', { schema: { body: CREDENTIALS } }, async ({ body: { name, password } }, reply) => {
  if (!isPassword(name, password)) return reply.code(401).send({ message: 'Wrong name or password.' })
  const token = app.jwt.sign({ sub: name })
  // SameSite keeps pages of other sites from acting in the user's name.
  reply.setCookie(COOKIE, token, { path: '/', httpOnly: true, sameSite: 'strict', secure: 'auto', maxAge: LIFETIME_S })
  return { token }
})

await app.register(agentRuns, {
  providers: { echo: echo() },
  store: process.env['DATABASE'] ?? ':memory:',
  // A token that expires ends its streams at most half of this later.
  heartbeatMs: 5_000,
  // Before the body is read; a request without a valid token gets its 401 here.
  onRequest: [async (request) => { await request.jwtVerify() }],
  identify: ({ user: { sub, exp } }) => ({ owner: sub, expiresAt: exp * 1_000 })
})
await app.listen({ port: Number(process.env['PORT'] ?? 3000) })

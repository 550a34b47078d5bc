/* The standalone server's app: the plugin in front of its providers, who may use it and from where, and a health check. */
import cookie from '@fastify/cookie'
import Fastify, { type FastifyInstance } from 'fastify'
import agentRuns, { type AgentRunsOptions, type Identify } from '../index.ts'
import { errorHandler } from '../plugins/http/error-handler.ts'
import { serveOneAtATime } from '../plugins/http/one-at-a-time.ts'
import { logOptions, quietNotFound, refuseUnrouted } from './access-log.ts'
import type { Settings } from './flags.ts'
import { allowHosts } from './hosts.ts'
import { loginRoutes, tokenOf } from './login.ts'
import { answerUnreadable, answerUnrouted, forbidSniffing } from './no-sniffing.ts'
import { describeRoutes } from './openapi.ts'
import { allowOrigins } from './origins.ts'
import { hasPlayground, playgroundRoutes } from './playground.ts'
import { readProviders } from './providers.ts'
import { TokensFile } from './tokens-file.ts'

/** A peer that sends its request a byte at a time is given up after this long; streams are not affected. */
const REQUEST_TIMEOUT_MS = 30_000

const HEALTH = {
  operationId: 'readHealth',
  summary: 'Whether the server is there, and how many runs are running',
  tags: ['server'],
  response: { 200: { type: 'object', description: 'It is.', properties: { status: { type: 'string', enum: ['ok'] }, runs: { type: 'integer' } }, required: ['status', 'runs'] } }
}

/** Builds the app that settings ask for; it does not listen yet. Its log goes to standard output unless told otherwise. Throws UsageError. */
export async function buildApp (settings: Settings, log?: { write: (line: string) => void }): Promise<FastifyInstance> {
  const { port, host, db, provider, agent, model, baseUrl, config, logLevel, tokens, corsOrigin, allowedHosts, playground, ...options } = settings.values
  const agents = readProviders(settings)
  const app = Fastify({
    logger: logOptions(String(logLevel), log),
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Fastify leaves that for the head at Node's 60 s, and Node takes the longer of the two for the body.
    http: { headersTimeout: REQUEST_TIMEOUT_MS },
    // An EventSource that reconnects while we close must not get Fastify's 503, which it would take for final.
    return503OnClosing: false,
    // Connections on which nothing was ever asked would keep the server from closing.
    forceCloseConnections: true,
    frameworkErrors: answerUnrouted,
    clientErrorHandler: answerUnreadable
  })
  serveOneAtATime(app)
  forbidSniffing(app)
  app.setErrorHandler(errorHandler)
  quietNotFound(app)
  allowHosts(app, String(host), allowedHosts as string[])
  await allowOrigins(app, corsOrigin as string[])
  refuseUnrouted(app)
  await describeRoutes(app, { tokens: typeof tokens === 'string' })
  const identify = typeof tokens === 'string' ? await identifyByTokens(app, tokens, String(options['prefix'])) : null
  app.get('/health', { schema: HEALTH }, async () => ({ status: 'ok', runs: app.agentRuns.drivenRuns }))
  await app.register(agentRuns, { ...options as Partial<AgentRunsOptions>, ...agents, store: String(db), allowedOrigins: corsOrigin as string[], ...identify })
  if (hasPlayground(settings)) {
    const providers = Object.keys(agents.providers)
    const { defaultProvider = providers.length === 1 ? providers[0]! : null } = { ...options as { defaultProvider?: string }, ...agents }
    await app.register(playgroundRoutes, { settings: { prefix: String(options['prefix']), providers, defaultProvider, websocket: options['websocket'] === true, login: identify !== null } })
  }
  return app
}

/** Adds what tokens need to the app; answers the plugin's option. */
async function identifyByTokens (app: FastifyInstance, path: string, prefix: string): Promise<{ identify: Identify }> {
  const tokens = await TokensFile.open(path, app.log)
  app.decorate('tokens', tokens)
  app.addHook('onReady', () => tokens.watch())
  app.addHook('onClose', () => tokens.close())
  await app.register(cookie)
  app.addHook('onSend', async (_, reply) => {
    if (reply.statusCode === 401) reply.header('www-authenticate', 'Bearer')
  })
  await app.register(loginRoutes, { prefix, tokens })
  return {
    identify: (request) => {
      const token = tokenOf(request)
      return token === null ? null : tokens.identify(token)
    }
  }
}

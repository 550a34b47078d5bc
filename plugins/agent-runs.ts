/* The plugin: puts the registry together, decorates the instance with it, mounts the routes, closes what it opened. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { runsError } from '../lib/protocol/errors.ts'
import { RunRegistry } from '../lib/registry.ts'
import type { Store } from '../lib/store/store.ts'
import { historyRoutes } from '../routes/history.ts'
import { messageRoutes } from '../routes/messages.ts'
import { permissionRoutes } from '../routes/permissions.ts'
import { streamReplies } from '../routes/reply-with-stream.ts'
import { runRoutes } from '../routes/runs.ts'
import { providerRoutes } from '../routes/providers.ts'
import { sessionRoutes } from '../routes/sessions.ts'
import { streamRoutes } from '../routes/stream.ts'
import { SseConnections } from '../transports/sse/connections.ts'
import { SocketConnections } from '../transports/websocket/connections.ts'
import { mountDialects } from './dialects.ts'
import { guardRoutes } from './guard.ts'
import { errorHandler, validationError } from './http/error-handler.ts'
import { readJsonBodies } from './http/json-body.ts'
import { boundLargeAnswers } from './http/large-answers.ts'
import { serveOneAtATime } from './http/one-at-a-time.ts'
import { budgetRequests } from './http/request-budget.ts'
import { serializerCompiler } from './http/serializer.ts'
import { validatorCompiler } from './http/validator.ts'
import { type AgentRunsOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { mountWebSocket, originGuard } from './websocket/mount.ts'
import { serveUpgradeAsPlain } from './websocket/upgrades.ts'

// With the 0.5 s that interrupted runs have, closing takes 1.75 s more than `closeGraceMs` at most; Fastify gives up after 10 s.
/** How long the last frames of streams may take when the server closes, in ms. */
const DELIVERY_GRACE_MS = 750
/** How long WebSockets may take to say goodbye then, in ms. */
const GOODBYE_GRACE_MS = 500

declare module 'fastify' {
  interface FastifyInstance {
    /** The registry of sessions and runs. */
    agentRuns: RunRegistry
  }
}

async function agentRuns (fastify: FastifyInstance, options: AgentRunsOptions): Promise<void> {
  if (fastify.hasDecorator('agentRuns')) throw runsError('AGENT_RUNS_ALREADY_REGISTERED')
  const resolved = resolveOptions(options)
  const store = await createStore(resolved)
  if (store !== options.store) fastify.addHook('onClose', () => store.close())
  await store.open()

  const registry = new RunRegistry({ ...resolved, store, log: fastify.log })
  const sse = new SseConnections(resolved)
  const sockets = new SocketConnections(registry, resolved)
  // Before Fastify closes the server: it would wait for every open stream, for ever.
  fastify.addHook('preClose', async () => {
    await registry.close(() => Promise.all([sse.close(DELIVERY_GRACE_MS), sockets.close(DELIVERY_GRACE_MS, GOODBYE_GRACE_MS)]))
  })
  await registry.open()
  fastify.decorate('agentRuns', registry)
  // Until 1.0, where the host has no `runs` of its own.
  if (!fastify.hasDecorator('runs')) fastify.decorate('runs', registry)
  if (resolved.routes) fastify.register((scope) => mountRoutes(scope, { sse, sockets }, resolved), { prefix: resolved.prefix })
}

async function createStore ({ store, durability }: ResolvedOptions): Promise<Store> {
  if (typeof store !== 'string') return store
  // The native module is loaded only by those who use it.
  const { sqliteStore } = await import('../db/sqlite/store.ts')
  return sqliteStore({ path: store, durability })
}

async function mountRoutes (scope: FastifyInstance, { sse, sockets }: { sse: SseConnections, sockets: SocketConnections }, { limits, guard, dialects, websocket, allowedOrigins, stallTimeoutMs }: ResolvedOptions): Promise<void> {
  scope.addHook('onRoute', (route) => { Object.assign(route, { bodyLimit: route.bodyLimit ?? limits.bodyBytes, schema: { tags: ['agent runs'], ...route.schema } }) })
  // Ours alone: the host keeps its own ways.
  scope.setErrorHandler(errorHandler)
  scope.setValidatorCompiler(validatorCompiler)
  scope.setSchemaErrorFormatter(validationError)
  scope.setSerializerCompiler(serializerCompiler)
  scope.register(fp(streamReplies), { sse })
  serveOneAtATime(scope)
  boundLargeAnswers(scope, { stallTimeoutMs, perOwner: limits.answerBytesPerOwner })
  // A form or a page of another origin can post text without asking first.
  scope.removeContentTypeParser('text/plain')
  readJsonBodies(scope, limits.bodyValues)
  // Events are JSON of others: no browser is to take an answer for anything else, nor an old one for what is there now.
  scope.addHook('onRequest', async (_request, reply) => { reply.headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }) })
  if (websocket) scope.addHook('onRequest', serveUpgradeAsPlain)
  guardRoutes(scope, websocket ? { ...guard, onRequest: [...guard.onRequest, originGuard(allowedOrigins)] } : guard)
  budgetRequests(scope, limits.requestBytesPerOwner)
  scope.register(sessionRoutes)
  scope.register(messageRoutes)
  scope.register(historyRoutes)
  scope.register(streamRoutes)
  scope.register(runRoutes)
  scope.register(permissionRoutes)
  scope.register(providerRoutes)
  mountDialects(scope, dialects, limits)
  if (websocket) scope.register(mountWebSocket, { sockets, maxPayload: limits.socketMessageBytes })
}

/** See `AgentRunsOptions`. Decorates the instance with `agentRuns`. */
export default fp(agentRuns, { name: 'fastify-agent-runs', fastify: '5.x' })

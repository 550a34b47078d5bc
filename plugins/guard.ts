/* Who asks and what they may do, settled before every route of ours: the host's hooks, then `identify`, then `authorize`. */
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, onRequestHookHandler, preHandlerHookHandler } from 'fastify'
import { hasCode, runsError } from '../lib/protocol/errors.ts'
import { ANONYMOUS, type SessionState } from '../lib/protocol/session.ts'
import type { SubscriptionRequest } from '../lib/streams/subscriptions.ts'

/** Who a request comes from. */
export interface Identity {
  /** Whose sessions it may see; not empty. */
  owner: string
  /** Until when that holds, in ms since 1970 or as a Date; then open streams end. Default: for ever. */
  expiresAt?: number | Date | null | undefined
  /** Aborted when the identity ends before `expiresAt`, as when it is revoked; its open streams end then, too. */
  signal?: AbortSignal | null | undefined
}

/** Says who a request comes from; null or nothing at all means nobody. */
export type Identify = (request: FastifyRequest) => Identity | string | null | undefined | Promise<Identity | string | null | undefined>

/** What a route or a message of a WebSocket does; each names one. */
export type RunsAction = 'create' | 'list' | 'read' | 'update' | 'delete' | 'send' | 'abort' | 'approve' | 'connect' | 'adopt'

/**
 * Says whether a request may do something; anything but true is no. `session` is the requester's own; null where there is
 * none: for `create`, `list`, `adopt` (to go on with a session that an agent has kept) and `connect` (a WebSocket, whose messages are each asked about in turn), and before a message that would create it or a stream that would wait for it.
 */
export type Authorize = (request: FastifyRequest, what: { action: RunsAction, session: SessionState | null }) => boolean | Promise<boolean>

type Admit = NonNullable<SubscriptionRequest['admit']>

/** A hook of Fastify's, asynchronous or with `done`. */
export type GuardHook = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => unknown

export interface GuardOptions {
  /** Null: everybody is the one anonymous owner. */
  identify: Identify | null
  /** Null: owners may do everything with what is theirs. */
  authorize: Authorize | null
  /** Whether anybody may take over sessions that agents have kept. */
  adoptSessions: boolean
  /** When `identify` is asked: before the body is read, or behind the host's own `preHandler` hooks. */
  identifyIn: 'onRequest' | 'preHandler'
  onRequest: GuardHook[]
  preHandler: GuardHook[]
}

/** What is known of a request to our routes: `request.agentRuns`. */
export interface GuardedRequest {
  /** Whose sessions this request may see. */
  owner: string
  /** Whether that is over at a time, in ms since 1970. */
  hasEnded: (now: number) => boolean
  /** What a session still has to pass that did not exist when the request was authorized. */
  admit: Admit | null
  /** Asks `authorize` about a message of a WebSocket; answers what `admit` is. Rejects with FORBIDDEN, SESSION_NOT_FOUND. */
  authorize: (action: RunsAction, sessionId: string) => Promise<Admit | null>
  /** Asks `authorize` whether the requester may take over sessions that agents have kept. Rejects with FORBIDDEN. */
  authorizeAdoption: () => Promise<void>
}

declare module 'fastify' {
  interface FastifyRequest {
    agentRuns: GuardedRequest
  }
  interface FastifyContextConfig {
    /** What a route of fastify-agent-runs does, as `authorize` is told. */
    runsAction?: RunsAction
    /** Where the body says which session is meant, and what for. Throws INVALID_REQUEST. */
    runsTarget?: (request: FastifyRequest) => { sessionId: string, action: RunsAction }
  }
}

/** Not made for each request: it would keep that for as long as a stream is open. */
const never = (): boolean => false

/** The actions that mean something before their session exists. */
const BEFORE_THE_SESSION: ReadonlySet<RunsAction> = new Set(['read', 'send'])

/**
 * Guards every route that is added to the scope from here on. A request without an identity that holds gets
 * UNAUTHENTICATED, one that may not FORBIDDEN. What is not the requester's is left to the route, to which it does not exist.
 */
export function guardRoutes (scope: FastifyInstance, { identify, identifyIn, authorize, adoptSessions, onRequest, preHandler }: GuardOptions): void {
  scope.decorateRequest('agentRuns')
  scope.addHook('onRequest', async (request) => {
    request.agentRuns = {
      owner: ANONYMOUS,
      hasEnded: never,
      admit: null,
      authorize: async (action, sessionId) => authorize === null ? null : authorizeSession(request, authorize, action, sessionId),
      authorizeAdoption: async () => {
        if (!adoptSessions || (authorize !== null && await authorize(request, { action: 'adopt', session: null }) !== true)) throw runsError('FORBIDDEN')
      }
    }
  })
  for (const hook of onRequest) scope.addHook('onRequest', hook as onRequestHookHandler)
  if (identify !== null && identifyIn === 'onRequest') scope.addHook('onRequest', (request) => identifyRequest(request, identify))
  for (const hook of preHandler) scope.addHook('preHandler', hook as preHandlerHookHandler)
  if (identify !== null && identifyIn === 'preHandler') scope.addHook('preHandler', (request) => identifyRequest(request, identify))
  if (authorize !== null) scope.addHook('preHandler', (request) => authorizeRequest(request, authorize))
}

async function identifyRequest (request: FastifyRequest, identify: Identify): Promise<void> {
  let identity: KnownIdentity | null = null
  try {
    identity = readIdentity(await identify(request))
  } catch (error) {
    request.log.warn({ err: error }, 'identify failed: the request gets a 401')
  }
  if (identity === null || identity.hasEnded(Date.now())) throw runsError('UNAUTHENTICATED')
  Object.assign(request.agentRuns, identity)
}

interface KnownIdentity {
  owner: string
  hasEnded: GuardedRequest['hasEnded']
}

/** An identity in one form; null for nobody. Throws TypeError at what an app in JavaScript may answer by mistake. */
function readIdentity (answer: Identity | string | null | undefined): KnownIdentity | null {
  if (answer === null || answer === undefined) return null
  const { owner, expiresAt = null, signal = null } = typeof answer === 'string' ? { owner: answer } : answer
  // That owner is everybody.
  if (owner === ANONYMOUS) return null
  const time = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt
  if (typeof owner !== 'string') throw new TypeError('identify must answer with a string, or an object with the string "owner"')
  if (time !== null && (typeof time !== 'number' || Number.isNaN(time))) throw new TypeError('"expiresAt" must be a number of ms or a valid Date')
  if (signal !== null && typeof signal.aborted !== 'boolean') throw new TypeError('"signal" must be an AbortSignal')
  return { owner, hasEnded: (now) => signal?.aborted === true || (time !== null && now >= time) }
}

async function authorizeRequest (request: FastifyRequest, authorize: Authorize): Promise<void> {
  const { server: { agentRuns: runs }, params, agentRuns: { owner }, routeOptions: { method, url, config: { runsAction: action, runsTarget } } } = request
  if (runsTarget !== undefined) {
    const target = runsTarget(request)
    request.agentRuns.admit = await authorizeSession(request, authorize, target.action, target.sessionId)
    return
  }
  if (action === undefined) throw new Error(`${String(method)} ${url} does not name its runsAction`)
  const { id, runId } = params as { id?: string, runId?: string }
  const sessionId = runId === undefined ? id : (await runs.getRun(runId, { owner }))?.sessionId
  if (sessionId !== undefined) request.agentRuns.admit = await authorizeSession(request, authorize, action, sessionId)
  // To the requester there is no such run.
  else if (runId === undefined && await authorize(request, { action, session: null }) !== true) throw runsError('FORBIDDEN')
}

/** Answers what a session that does not exist yet has to pass when it appears. Rejects with FORBIDDEN, SESSION_NOT_FOUND. */
async function authorizeSession (request: FastifyRequest, authorize: Authorize, action: RunsAction, sessionId: string): Promise<Admit | null> {
  const may = async (session: SessionState | null): Promise<boolean> => await authorize(request, { action, session }) === true
  const session = await request.server.agentRuns.getSession(sessionId).catch(deletedIsUndefined)
  if (session?.owner === request.agentRuns.owner) {
    if (!await may(session)) throw runsError('FORBIDDEN')
  } else if (session === null && BEFORE_THE_SESSION.has(action)) {
    // The same answer as for a session of another owner: a 403 would tell that this one does not exist.
    if (!await may(null)) throw runsError('SESSION_NOT_FOUND', [sessionId])
    return may
  }
  return null
}

/** The route tells the owner that a session was deleted, and nobody else. */
function deletedIsUndefined (error: unknown): undefined {
  if (!hasCode(error, 'SESSION_DELETED')) throw error
}

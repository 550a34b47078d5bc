/* The one table of options: validation, types, defaults and the standalone server's flags come from it. */
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { runsError } from '../lib/protocol/errors.ts'
import type { Limits } from '../lib/protocol/limits.ts'
import type { Provider } from '../lib/provider/provider.ts'
import type { Store } from '../lib/store/store.ts'
import type { Dialect } from '../transports/dialects/dialect.ts'
import { resolveDialects } from './dialects.ts'
import type { Authorize, GuardHook, GuardOptions, Identify } from './guard.ts'
import { ANY_ORIGIN, isOrigin } from './http/origins.ts'

// Above this, Node's timers fire at once.
const milliseconds = { minimum: 0, maximum: 2 ** 31 - 1 }
const count = { minimum: 1, maximum: Number.MAX_SAFE_INTEGER }
const amount = { ...count, minimum: 0 }
const MIB = 1024 * 1024

/** Options that can be written down: each has a description, and a default unless it is off by default. */
export const OPTIONS = Type.Object({
  defaultProvider: Type.Optional(Type.String({
    description: 'The provider of messages and sessions that name none. With a single provider, that one.'
  })),
  prefix: Type.String({
    description: 'Where the routes are mounted, such as "/api".', default: '', pattern: '^(/[^/?#]+)*$'
  }),
  routes: Type.Boolean({
    description: 'Whether to add the HTTP routes; without them there is only `fastify.agentRuns`.', default: true
  }),
  websocket: Type.Boolean({
    description: 'Whether to add the WebSocket, `GET /ws`; it needs `routes`.', default: true
  }),
  allowedOrigins: Type.Array(Type.String(), {
    description: 'Origins whose pages may open a WebSocket, beside those of the host itself, such as "https://app.example"; "*" = any.', default: []
  }),
  createOnMessage: Type.Boolean({
    description: 'Whether a message creates a session that does not exist.', default: true
  }),
  adoptSessions: Type.Boolean({
    description: 'Whether clients may list sessions that agents have kept, and go on with them. Clients that may do this see all sessions of the agents\' user; `authorize` is asked for `adopt`.', default: false
  }),
  durability: Type.Union([Type.Literal('normal'), Type.Literal('full')], {
    description: 'What a commit survives, in the built-in store: the death of the process, or a power loss too (slower).', default: 'normal'
  }),
  heartbeatMs: Type.Integer({
    description: 'A silent stream gets a comment at least this often.', default: 15_000, ...milliseconds, minimum: 100
  }),
  stallTimeoutMs: Type.Integer({
    description: 'A client that takes no byte for this long is cut; its cursor brings it back.', default: 30_000, ...milliseconds, minimum: 100
  }),
  runTimeoutMs: Type.Integer({
    description: 'The longest that a run may take; 0 = as long as it wants.', default: 0, ...milliseconds
  }),
  closeGraceMs: Type.Integer({
    description: 'How long runs may go on once the server closes, before they are interrupted. Above 8,000 raise Fastify\'s `pluginTimeout` too: it limits closing.', default: 3_000, ...milliseconds
  }),
  retention: Type.Object({
    completedRunMs: Type.Integer({
      description: 'How long the deltas of a completed run are kept for replay; its whole messages stay.', default: 300_000, ...milliseconds
    }),
    maxTransientEventsPerRun: Type.Integer({
      description: 'How many deltas a running run may have before the oldest are merged into snapshots.', default: 5_000, minimum: 2, maximum: Number.MAX_SAFE_INTEGER, flag: 'max-transient-events'
    }),
    sessionMs: Type.Integer({
      description: 'How long a session is kept in which nothing happens, in ms; then it is deleted. 0 = for ever.', default: 0, minimum: 0, maximum: Number.MAX_SAFE_INTEGER
    })
  }, { additionalProperties: false }),
  limits: Type.Object({
    runningRuns: Type.Integer({ description: 'Runs that this process drives at once; more are TOO_MANY_RUNS, or wait.', default: 1_000, ...count }),
    queuedPerSession: Type.Integer({ description: 'Messages that may wait in one session; more are QUEUE_FULL.', default: 20, ...count }),
    subscribersPerSession: Type.Integer({ description: 'Streams of one session; more are TOO_MANY_SUBSCRIBERS.', default: 2_000, ...count }),
    subscribers: Type.Integer({ description: 'Streams of this process; more are TOO_MANY_SUBSCRIBERS.', default: 20_000, ...count }),
    sockets: Type.Integer({ description: 'WebSockets of this process; more are TOO_MANY_SOCKETS.', default: 10_000, ...count }),
    subscriptionsPerSocket: Type.Integer({ description: 'Sessions that one WebSocket follows; more are TOO_MANY_SUBSCRIBERS.', default: 1_000, ...count }),
    messagesPerSecond: Type.Integer({ description: 'Messages of one WebSocket per second, on average, with bursts of twenty seconds\' worth; a client that sends more is cut off.', default: 100, ...count }),
    socketMessageBytes: Type.Integer({ description: 'Bytes of one message over a WebSocket; a longer one closes it with 1009. What is longer can be posted.', default: MIB / 4, ...count, maximum: 2 ** 31 - 1 }),
    bodyBytes: Type.Integer({ description: 'Bytes of a request\'s body; more are BODY_TOO_LARGE.', default: MIB, ...count }),
    dialectBodyBytes: Type.Integer({ description: 'The same where a dialect is spoken, whose clients send the whole conversation with each message.', default: 16 * MIB, ...count }),
    bodyValues: Type.Integer({ description: 'Values of a request\'s body, as many as it has commas and opening brackets; more are BODY_TOO_COMPLEX.', default: 100_000, ...count }),
    contentBytes: Type.Integer({ description: 'Bytes of a message\'s content and options as JSON, however they come; more are MESSAGE_TOO_LARGE.', default: 4 * MIB, ...count }),
    eventBytes: Type.Integer({ description: 'Bytes of one event of a provider; more end its run as failed.', default: MIB, ...count }),
    messageBytes: Type.Integer({ description: 'Bytes of streamed text after which a message is kept as it is, and what follows goes on as the next.', default: MIB, ...count }),
    maxEventsPerRun: Type.Integer({ description: 'Events of a provider in one run; more end it as failed.', default: 100_000, ...count }),
    pendingPermissions: Type.Integer({ description: 'Approvals of one run that wait for an answer; the provider is refused more.', default: 100, ...count }),
    pendingPermissionBytes: Type.Integer({ description: 'Bytes of these requests together.', default: 4 * MIB, ...count }),
    maxBytesPerRun: Type.Integer({ description: 'Bytes of a provider\'s events in one run; more end it as failed.', default: 64 * MIB, ...count }),
    subscribersPerOwner: Type.Integer({ description: 'Streams of one owner in this process; more are TOO_MANY_SUBSCRIBERS. 0 = no limit of their own.', default: 0, ...amount, withTokens: 1_000 }),
    waitingSubscribersPerOwner: Type.Integer({ description: 'Of these, streams that wait for a session that does not exist yet.', default: 0, ...amount, withTokens: 100 }),
    socketsPerOwner: Type.Integer({ description: 'WebSockets of one owner in this process; more are TOO_MANY_SOCKETS. 0 = no limit of their own.', default: 0, ...amount, withTokens: 100 }),
    requestBytesPerOwner: Type.Integer({ description: 'Bytes of request bodies of one owner that are being received; more are TOO_MANY_REQUEST_BYTES. 0 = no limit of their own.', default: 0, ...amount, withTokens: 64 * MIB }),
    answerBytesPerOwner: Type.Integer({ description: 'Bytes of answers above 64 KiB of one owner that their clients have not taken; more are TOO_MANY_ANSWER_BYTES. 0 = no limit of their own.', default: 0, ...amount, withTokens: 64 * MIB })
  }, { additionalProperties: false })
}, { additionalProperties: false })

type Written = Static<typeof OPTIONS>

/** Options of the plugin; see docs/options.md. */
export interface AgentRunsOptions extends Partial<Omit<Written, 'retention' | 'limits'>> {
  retention?: Partial<Written['retention']>
  limits?: Partial<Limits>
  /** The agents, by the name under which messages and sessions ask for them. At least one. */
  providers: Record<string, Provider>
  /** The path of a SQLite file (default './agent-runs.db'; ':memory:' keeps nothing), or a store, which stays yours to close. */
  store?: string | Store
  /**
   * Protocols of other people's clients, by the name at which each is mounted: `/ai-sdk` and `/ag-ui` are there unless they are
   * set to false; add your own beside them.
   */
  dialects?: Record<string, Dialect | false>
  /** Who a request comes from; nobody gets a 401. Without it everything belongs to one anonymous owner. */
  identify?: Identify
  /** Whether a request may do what it asks for, with what is its owner's; else it gets a 403. */
  authorize?: Authorize
  /**
   * When `identify` is asked. Default 'onRequest': before the body is read, so that strangers cannot make the server read
   * one. 'preHandler': after it, behind your `preHandler` hooks; to be said by those who give such hooks beside `identify`.
   */
  identifyIn?: 'onRequest' | 'preHandler'
  /** Hooks for our routes alone, before `identify`. */
  onRequest?: GuardHook | GuardHook[]
  /** Hooks for our routes alone, after the body was read; before `identify` if that is asked in 'preHandler'. */
  preHandler?: GuardHook | GuardHook[]
}

/** Options with their defaults. */
export interface ResolvedOptions extends Omit<Written, 'defaultProvider' | 'adoptSessions'> {
  providers: Record<string, Provider>
  store: string | Store
  defaultProvider: string | null
  dialects: Record<string, Dialect>
  guard: GuardOptions
}

/** Checks options once and fills in the defaults. Throws AGENT_RUNS_INVALID_PLUGIN_OPTIONS. */
export function resolveOptions ({ providers, store = './agent-runs.db', dialects, identify, identifyIn, authorize, onRequest, preHandler, ...given }: AgentRunsOptions): ResolvedOptions {
  const written = withDefaults(OPTIONS.properties, given)
  assertWritten(written)
  assertProviders(providers)
  assertOrigins(written.allowedOrigins)
  if (store === '' || (typeof store !== 'string' && typeof store?.append !== 'function')) invalid('"store" must be the path of a SQLite file or a store.')
  const names = Object.keys(providers)
  const { defaultProvider = names.length === 1 ? names[0]! : null, adoptSessions, ...rest } = written
  if (defaultProvider !== null && !Object.hasOwn(providers, defaultProvider)) {
    invalid(`"defaultProvider" is "${defaultProvider}", but the providers are ${names.map((name) => `"${name}"`).join(', ')}.`)
  }
  const guard = {
    identify: optionalFunction('identify', identify),
    identifyIn: phase(identifyIn, identify !== undefined && preHandler !== undefined),
    authorize: optionalFunction('authorize', authorize),
    adoptSessions,
    onRequest: functions('onRequest', onRequest),
    preHandler: functions('preHandler', preHandler)
  }
  return { ...rest, providers, store, defaultProvider, dialects: resolveDialects(dialects), guard }
}

/** An option's schema, or that of a group of options. */
export type OptionSchema = TSchema & { type?: string, description?: string, default?: unknown, withTokens?: unknown, flag?: string, properties?: Record<string, OptionSchema> }

function withDefaults (schemas: Record<string, OptionSchema>, given: unknown): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  const values = (typeof given === 'object' && given !== null ? given : {}) as Record<string, unknown>
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) options[name] = value
  }
  for (const [name, { default: otherwise, properties }] of Object.entries(schemas)) {
    const value = values[name]
    if (properties !== undefined && (value === undefined || typeof value === 'object')) options[name] = withDefaults(properties, value)
    else if (value === undefined && otherwise !== undefined) options[name] = otherwise
  }
  return options
}

function assertWritten (options: Record<string, unknown>): asserts options is Written {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS.properties, name))
  if (unknown !== undefined) invalid(`there is no option "${unknown}".`)
  const [problem] = Value.Errors(OPTIONS, options)
  if (problem !== undefined) invalid(`"${problem.instancePath.slice(1).replaceAll('/', '.')}" ${problem.keyword === 'boolean' ? 'is no option' : problem.message}.`)
}

function assertOrigins (origins: string[]): void {
  const wrong = origins.find((origin) => origin !== ANY_ORIGIN && !isOrigin(origin))
  if (wrong !== undefined) invalid(`"allowedOrigins" has "${wrong}", which is no origin as browsers send it, such as "https://app.example", nor "*".`)
}

function assertProviders (providers: unknown): asserts providers is Record<string, Provider> {
  if (typeof providers !== 'object' || providers === null || Array.isArray(providers) || Object.keys(providers).length === 0) {
    invalid('"providers" must name at least one provider, such as { echo: echo() }.')
  }
  for (const [name, provider] of Object.entries(providers as Record<string, Partial<Provider> | undefined>)) {
    if (typeof provider?.run !== 'function') invalid(`the provider "${name}" has no run function.`)
  }
}

function optionalFunction<F> (name: string, value: F | undefined): F | null {
  if (value === undefined) return null
  // Null is refused too: what guards must not be off by accident.
  if (typeof value !== 'function') invalid(`"${name}" must be a function.`)
  return value
}

function phase (given: unknown, hasHooksBehind: boolean): GuardOptions['identifyIn'] {
  if (given === undefined && hasHooksBehind) {
    invalid('"preHandler" hooks run after "identify", which is asked before the body is read. Move what identify relies on to "onRequest", or set "identifyIn": "preHandler".')
  }
  if (given !== undefined && given !== 'onRequest' && given !== 'preHandler') invalid('"identifyIn" must be "onRequest" or "preHandler".')
  return given ?? 'onRequest'
}

function functions<F> (name: string, value: F | F[] | undefined): F[] {
  const all = value === undefined ? [] : Array.isArray(value) ? value : [value]
  if (!all.every((each) => typeof each === 'function')) invalid(`"${name}" must be a hook or an array of hooks.`)
  return all
}

function invalid (problem: string): never {
  throw runsError('AGENT_RUNS_INVALID_PLUGIN_OPTIONS', [problem])
}

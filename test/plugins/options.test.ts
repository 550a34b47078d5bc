import { readFileSync } from 'node:fs'
import { test } from 'tap'
import type { Provider } from '../../lib/provider/provider.ts'
import type { Store } from '../../lib/store/store.ts'
import { type AgentRunsOptions, OPTIONS, type OptionSchema, resolveOptions } from '../../plugins/options.ts'
import { SETTINGS } from '../../standalone/flags.ts'
import { LIMITS } from '../helpers/limits.ts'
import { tracingDialect } from '../helpers/tracing-dialect.ts'

const agent: Provider = { async * run () {} }

/** What `resolveOptions` says of options that TypeScript would not let through. */
function problemOf (options: Record<string, unknown>): string {
  try {
    resolveOptions(options as unknown as AgentRunsOptions)
  } catch (error) {
    const { code, message } = error as Error & { code: string }
    return code === 'AGENT_RUNS_INVALID_PLUGIN_OPTIONS' ? message : `${code}: ${message}`
  }
  return 'none'
}

test('with a provider and nothing else, every option has its documented default', (t) => {
  const { dialects, ...others } = resolveOptions({ providers: { agent } })
  t.strictSame(Object.keys(dialects), ['ai-sdk', 'ag-ui'])
  t.strictSame(others, {
    providers: { agent },
    store: './agent-runs.db',
    defaultProvider: 'agent',
    prefix: '',
    routes: true,
    websocket: true,
    allowedOrigins: [],
    createOnMessage: true,
    durability: 'normal',
    heartbeatMs: 15_000,
    stallTimeoutMs: 30_000,
    runTimeoutMs: 0,
    closeGraceMs: 3_000,
    retention: { completedRunMs: 300_000, maxTransientEventsPerRun: 5_000, sessionMs: 0 },
    limits: {
      runningRuns: 1_000,
      queuedPerSession: 20,
      subscribersPerSession: 2_000,
      subscribers: 20_000,
      sockets: 10_000,
      subscriptionsPerSocket: 1_000,
      messagesPerSecond: 100,
      socketMessageBytes: 262_144,
      bodyBytes: 1_048_576,
      dialectBodyBytes: 16_777_216,
      bodyValues: 100_000,
      contentBytes: 4_194_304,
      eventBytes: 1_048_576,
      messageBytes: 1_048_576,
      maxEventsPerRun: 100_000,
      pendingPermissions: 100,
      pendingPermissionBytes: 4_194_304,
      maxBytesPerRun: 67_108_864,
      subscribersPerOwner: 0,
      waitingSubscribersPerOwner: 0,
      socketsPerOwner: 0,
      requestBytesPerOwner: 0,
      answerBytesPerOwner: 0
    },
    guard: { identify: null, identifyIn: 'onRequest', authorize: null, adoptSessions: false, onRequest: [], preHandler: [] }
  })
  t.end()
})

test('what is given is kept, and undefined is not given', (t) => {
  const store = { append: async () => [] } as unknown as Store
  const given: AgentRunsOptions = {
    providers: { agent, other: agent },
    store,
    defaultProvider: 'other',
    prefix: '/api/v1',
    routes: false,
    websocket: false,
    allowedOrigins: ['https://app.example', 'http://localhost:5173', '*'],
    createOnMessage: false,
    durability: 'full',
    heartbeatMs: 100,
    stallTimeoutMs: 100,
    runTimeoutMs: 1,
    closeGraceMs: 0,
    retention: { completedRunMs: 0, maxTransientEventsPerRun: 2, sessionMs: 60_000 },
    limits: { ...LIMITS, runningRuns: 1 }
  }
  const mine = tracingDialect()
  const hooks = { identifyIn: 'preHandler' as const, identify: () => 'me', authorize: () => true, onRequest: async () => {}, preHandler: [async () => {}, async () => {}] }
  const { guard, dialects, ...rest } = resolveOptions({ ...given, ...hooks, dialects: { mine, 'ag-ui': false } })
  t.strictSame(rest, given)
  t.strictSame(guard, { ...hooks, adoptSessions: false, onRequest: [hooks.onRequest] }, 'one hook is as good as an array of one')
  t.strictSame(Object.keys(dialects), ['ai-sdk', 'mine'])
  t.equal(dialects['mine'], mine)
  t.equal(resolveOptions(given).store, store, 'a store is not copied')
  const nothing = Object.fromEntries(Object.keys(OPTIONS.properties).map((name) => [name, undefined]))
  Object.assign(nothing, { identify: undefined, identifyIn: undefined, authorize: undefined, onRequest: undefined, preHandler: undefined, dialects: undefined })
  t.strictSame(JSON.stringify(resolveOptions({ ...nothing, providers: { agent } })), JSON.stringify(resolveOptions({ providers: { agent } })))
  t.end()
})

test('a default provider is chosen only when there is no choice', (t) => {
  t.equal(resolveOptions({ providers: { one: agent } }).defaultProvider, 'one')
  t.equal(resolveOptions({ providers: { one: agent, two: agent } }).defaultProvider, null)
  t.end()
})

test('options that cannot be are named in the error, before anything is opened', (t) => {
  const cases: Array<[Record<string, unknown>, string]> = [
    [{ hearbeatMs: 5_000 }, 'there is no option "hearbeatMs".'],
    [{ toString: 1 }, 'there is no option "toString".'],
    [{ heartbeatMs: '15000' }, '"heartbeatMs" must be integer.'],
    [{ heartbeatMs: null }, '"heartbeatMs" must be integer.'],
    [{ heartbeatMs: 99 }, '"heartbeatMs" must be >= 100.'],
    [{ heartbeatMs: 1.5e3 + 0.5 }, '"heartbeatMs" must be integer.'],
    [{ stallTimeoutMs: 2 ** 31 }, '"stallTimeoutMs" must be <= 2147483647.'],
    [{ closeGraceMs: 2 ** 31 }, '"closeGraceMs" must be <= 2147483647.'],
    [{ runTimeoutMs: -1 }, '"runTimeoutMs" must be >= 0.'],
    [{ routes: 'false' }, '"routes" must be boolean.'],
    [{ dialects: { 'Ai-Sdk': tracingDialect() } }, 'a dialect cannot be mounted as "Ai-Sdk": small letters, digits and hyphens, and not one of sessions, runs, ws.'],
    [{ dialects: { sessions: tracingDialect() } }, 'a dialect cannot be mounted as "sessions": small letters, digits and hyphens, and not one of sessions, runs, ws.'],
    [{ dialects: { mine: true } }, 'the dialect "mine" must have "body", "read" and "encoder".'],
    [{ dialects: { mine: null } }, 'the dialect "mine" must have "body", "read" and "encoder".'],
    [{ dialects: null }, '"dialects" must be an object of dialects by the name of their mount.'],
    [{ defaultProvider: 7 }, '"defaultProvider" must be string.'],
    [{ defaultProvider: 'agnet' }, '"defaultProvider" is "agnet", but the providers are "agent".'],
    [{ defaultProvider: 'toString' }, '"defaultProvider" is "toString", but the providers are "agent".'],
    [{ store: 7 }, '"store" must be the path of a SQLite file or a store.'],
    [{ store: null }, '"store" must be the path of a SQLite file or a store.'],
    [{ store: {} }, '"store" must be the path of a SQLite file or a store.'],
    [{ identify: 'alice' }, '"identify" must be a function.'],
    [{ identify: null }, '"identify" must be a function.'],
    [{ authorize: true }, '"authorize" must be a function.'],
    [{ onRequest: null }, '"onRequest" must be a hook or an array of hooks.'],
    [{ preHandler: [() => {}, undefined] }, '"preHandler" must be a hook or an array of hooks.']
  ]
  for (const [options, problem] of cases) {
    t.equal(problemOf({ providers: { agent }, ...options }), `fastify-agent-runs: ${problem}`, JSON.stringify(options))
  }
  t.match(problemOf({ providers: { agent }, durability: 'none' }), /"durability" must/)
  for (const number of [NaN, Infinity, -Infinity]) t.match(problemOf({ providers: { agent }, runTimeoutMs: number }), /"runTimeoutMs" must be/)
  t.end()
})

test('allowed origins are written as browsers send them, or any; what would never match is named', (t) => {
  for (const origin of ['*', 'https://app.example', 'http://localhost:5173', 'https://[::1]:3000', 'http://127.0.0.1', 'https://xn--bcher-kva.example']) {
    t.equal(problemOf({ providers: { agent }, allowedOrigins: ['http://first.example', origin] }), 'none', origin)
  }
  for (const origin of ['', 'null', 'app.example', 'https://app.example/', 'https://app.example/path', 'https://*.app.example', 'https://*', 'HTTPS://app.example', 'https://APP.example', 'https://app.example:443', 'http://h:80', 'ws://app.example', 'file:///x', 'https://bücher.example', ' https://app.example', 'https://a@app.example', 'https://']) {
    t.equal(problemOf({ providers: { agent }, allowedOrigins: ['http://first.example', origin] }), `fastify-agent-runs: "allowedOrigins" has "${origin}", which is no origin as browsers send it, such as "https://app.example", nor "*".`)
  }
  t.match(problemOf({ providers: { agent }, allowedOrigins: 'https://app.example' }), /"allowedOrigins" must be array/)
  t.match(problemOf({ providers: { agent }, allowedOrigins: [null] }), /"allowedOrigins.0" must be string/)
  t.match(problemOf({ providers: { agent }, allowedOrigins: null }), /"allowedOrigins" must be array/)
  t.end()
})

test('every option is in docs/options.md, with its default and its flag', (t) => {
  const rows = new Map([...readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8').matchAll(/^\| `([\w.]+)` (?:\(`--([\w-]+)`\) )?\| ([^|]*) \|/gm)].map(([, name, flag, otherwise]) => [name!, { flag, otherwise: otherwise! }]))
  const shown = (value: unknown): string[] => typeof value === 'number' ? [value.toLocaleString('en'), `${value / 1_048_576} MiB`, `${value / 1_024} KiB`] : [`\`${typeof value === 'string' ? `'${value}'` : JSON.stringify(value)}\``]
  const compare = (schemas: Record<string, OptionSchema>, group = ''): void => {
    for (const [name, { properties, default: otherwise }] of Object.entries(schemas)) {
      if (properties !== undefined) compare(properties, `${name}.`)
      else if (name !== 'defaultProvider') t.ok(shown(otherwise).includes(rows.get(group + name)?.otherwise ?? 'no row'), `${group}${name}: ${rows.get(group + name)?.otherwise}`)
      const flag = SETTINGS[name]?.flag
      if (flag !== undefined) t.equal(rows.get(group + name)?.flag, flag)
    }
  }
  compare(OPTIONS.properties)
  t.end()
})

test('a prefix is empty, or segments that begin with a slash and end without one', (t) => {
  const problems = ['', '/api', '/api/v1', '/:tenant', 'api', '/', '/api/', '//api', '/a?b', '/a#b'].map((prefix) => problemOf({ providers: { agent }, prefix }))
  t.strictSame(problems.map((problem) => problem === 'none'), [true, true, true, true, false, false, false, false, false, false])
  t.match(problems[4], /"prefix" must match/)
  t.end()
})

test('providers are a record of at least one object with a run function', (t) => {
  const none = 'fastify-agent-runs: "providers" must name at least one provider, such as { echo: echo() }.'
  for (const providers of [undefined, null, {}, [], 'echo', 7]) t.equal(problemOf({ providers }), none, JSON.stringify(providers))
  for (const provider of [undefined, null, {}, { run: true }, () => {}]) {
    t.equal(problemOf({ providers: { agent, broken: provider } }), 'fastify-agent-runs: the provider "broken" has no run function.')
  }
  class Agent {
    async * run (): ReturnType<Provider['run']> {}
  }
  t.equal(problemOf({ providers: { agent: new Agent() } }), 'none', 'an inherited run is as good')
  t.end()
})

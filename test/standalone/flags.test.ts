import { test } from 'tap'
import { OPTIONS } from '../../plugins/options.ts'
import { readSettings, SETTINGS, UsageError, variableOf } from '../../standalone/flags.ts'
import { usage } from '../../standalone/words.ts'

/** The settings that differ from their defaults. */
function given (args: string[], env: NodeJS.ProcessEnv = {}): Record<string, unknown> {
  const defaults = readSettings([], {}).values
  return Object.fromEntries(Object.entries(readSettings(args, env).values).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name])))
}

function problemOf (args: string[], env: NodeJS.ProcessEnv = {}): string {
  try {
    readSettings(args, env)
  } catch (error) {
    return error instanceof UsageError ? error.message : `not a UsageError: ${String(error)}`
  }
  return 'none'
}

test('without flags and environment every setting has its default, and nothing is run', (t) => {
  t.strictSame(readSettings([], {}), {
    values: {
      port: 3000,
      host: '127.0.0.1',
      db: './agent-runs.db',
      provider: undefined,
      agent: undefined,
      model: undefined,
      baseUrl: undefined,
      config: undefined,
      tokens: undefined,
      corsOrigin: [],
      allowedHosts: [],
      playground: true,
      logLevel: 'info',
      defaultProvider: undefined,
      prefix: '',
      routes: true,
      websocket: true,
      createOnMessage: true,
      adoptSessions: false,
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
      }
    },
    inheritEnv: [],
    command: [],
    help: false
  })
  t.end()
})

test('every option of the plugin has a flag and a variable, and no two share one', (t) => {
  // `--cors-origin` is the flag of `allowedOrigins`.
  const { retention, limits, allowedOrigins, ...rest } = OPTIONS.properties
  for (const name of Object.keys({ ...rest, ...retention.properties, ...limits.properties })) t.ok(SETTINGS[name], name)
  const flags = Object.values(SETTINGS).map(({ flag }) => flag)
  t.equal(new Set(flags).size, flags.length)
  t.ok(flags.every((flag) => /^[a-z]+(-[a-z]+)*$/.test(flag)), flags.join())
  t.ok(Object.values(SETTINGS).every(({ description }) => description !== ''))
  t.strictSame([variableOf('port'), variableOf('heartbeat-ms'), variableOf('create-on-message')], ['AGENT_RUNS_PORT', 'AGENT_RUNS_HEARTBEAT_MS', 'AGENT_RUNS_CREATE_ON_MESSAGE'])
  t.end()
})

test('flags are read by type, in both spellings', (t) => {
  t.strictSame(given(['--port', '0', '--heartbeat-ms=500', '--create-on-message', 'false', '--durability=full', '--prefix', '/api', '--log-level', 'silent']), {
    port: 0, logLevel: 'silent', prefix: '/api', createOnMessage: false, durability: 'full', heartbeatMs: 500
  })
  t.strictSame(given(['--port', '1', '--port', '2']), { port: 2 }, 'the last one holds')
  t.strictSame(given(['--max-transient-events', '64', '--completed-run-ms=10']), { retention: { completedRunMs: 10, maxTransientEventsPerRun: 64, sessionMs: 0 } })
  t.end()
})

test('the environment stands in for a flag that is not given', (t) => {
  const env = { AGENT_RUNS_PORT: '8080', AGENT_RUNS_ROUTES: 'false', AGENT_RUNS_DB: '/data/runs.db', PORT: '1', AGENT_RUNS_UNKNOWN: 'x' }
  t.strictSame(given([], env), { port: 8080, routes: false, db: '/data/runs.db' })
  t.strictSame(given(['--port', '9090', '--routes=true'], env), { port: 9090, db: '/data/runs.db' })
  t.end()
})

test('variables for agents are named in a list', (t) => {
  t.strictSame(readSettings(['--inherit-env', 'ANTHROPIC_API_KEY, AWS_*,*'], {}).inheritEnv, ['ANTHROPIC_API_KEY', 'AWS_*', '*'])
  t.strictSame(readSettings([], { AGENT_RUNS_INHERIT_ENV: 'A' }).inheritEnv, ['A'])
  for (const list of ['', 'A,', 'A B', 'A=b', '*_KEY', 'A**', '**']) t.match(problemOf(['--inherit-env', list]), /^--inherit-env is "[^"]*": it must be names of variables/, list)
  t.match(usage(), /--inherit-env <value>\n +Variables of the server's environment that agents get besides PATH/)
  t.end()
})

test('what stands after -- is the command, untouched, also where it looks like our flags', (t) => {
  const { values, command, help } = readSettings(['--port', '1', '--', 'agent', '--port', '2', '--help', '--', ''], {})
  t.strictSame([values['port'], command, help], [1, ['agent', '--port', '2', '--help', '--', ''], false])
  t.strictSame(readSettings(['--'], {}).command, [])
  t.end()
})

test('help is asked for in two ways', (t) => {
  t.strictSame([['--help'], ['-h'], []].map((args) => readSettings(args, {}).help), [true, true, false])
  t.end()
})

test('a value that makes no sense is named with the flag or variable that it came from', (t) => {
  t.equal(problemOf(['--port', '80a']), '--port is "80a": it must be a whole number.')
  t.equal(problemOf(['--port', '1.5']), '--port is "1.5": it must be a whole number.')
  t.equal(problemOf(['--port=-1']), '--port is "-1": it must be a whole number.')
  t.equal(problemOf(['--port=']), '--port is "": it must be a whole number.')
  t.equal(problemOf(['--routes', 'yes']), '--routes is "yes": it must be true or false.')
  t.equal(problemOf([], { AGENT_RUNS_CLOSE_GRACE_MS: '3s' }), 'AGENT_RUNS_CLOSE_GRACE_MS is "3s": it must be a whole number.')
  t.equal(problemOf(['--close-grace-ms', '3s'], { AGENT_RUNS_CLOSE_GRACE_MS: '4s' }), '--close-grace-ms is "3s": it must be a whole number.')
  t.equal(problemOf(['--close-grace-ms', '3'], { AGENT_RUNS_CLOSE_GRACE_MS: '4s' }), 'none', 'a variable that is not used does no harm')
  t.end()
})

test('flags that do not exist, lack their value or are no flags are usage errors', (t) => {
  t.match(problemOf(['--prot', '1']), /--prot/)
  t.match(problemOf(['--port']), /--port/)
  t.match(problemOf(['agent']), /agent/)
  t.match(problemOf(['--help=yes']), /--help/)
  t.notMatch(['--prot', '--port', 'agent', '--help=yes'].map((arg) => problemOf([arg])).join(' '), /not a UsageError/)
  t.end()
})

const NAMES = ['subscribersPerOwner', 'waitingSubscribersPerOwner', 'socketsPerOwner', 'requestBytesPerOwner', 'answerBytesPerOwner']

function limitsOf (args: string[], env: NodeJS.ProcessEnv = {}): unknown[] {
  const limits = readSettings(args, env).values['limits'] as Record<string, unknown>
  return NAMES.map((name) => limits[name])
}

test('a server with tokens limits each owner, unless it is told otherwise; one without does not', (t) => {
  t.strictSame(limitsOf([]), [0, 0, 0, 0, 0])
  t.strictSame(limitsOf(['--tokens', 'tokens.json']), [1_000, 100, 100, 67_108_864, 67_108_864])
  t.strictSame(limitsOf([], { AGENT_RUNS_TOKENS: 'tokens.json' }), [1_000, 100, 100, 67_108_864, 67_108_864])
  t.strictSame(limitsOf(['--tokens', 'tokens.json', '--sockets-per-owner', '0', '--subscribers-per-owner', '7']), [7, 100, 0, 67_108_864, 67_108_864])
  t.end()
})

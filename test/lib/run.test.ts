import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { type Event, type Provider, ProviderError, type ProviderEvent, type RunContext } from '../../index.ts'
import { silentLogger } from '../../lib/common/logger.ts'
import { buildApp } from '../helpers/build-app.ts'
import { latch } from '../helpers/latch.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

type Run = Provider['run']

/** What a run of `run` leaves in the log, and how the session is afterwards. */
async function outcome (t: Test, run: Run, options: { runTimeoutMs?: number } = {}): Promise<Event[]> {
  const app = await buildApp(t, { providers: { agent: { run } }, store: ':memory:', ...options })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const events: Event[] = []
  for await (const event of app.agentRuns.subscribe('s')) {
    if ('seq' in event) events.push(event)
    if (event.kind === 'complete') break
  }
  t.strictSame(events.map(({ seq }) => seq), events.map((_, index) => index + 1))
  t.equal((await app.agentRuns.getSession('s'))?.isProcessing, false)
  return events
}

const shape = (events: Event[]) => events.map((event) => event.kind === 'complete'
  ? `complete ${event.reason} ${event.exitCode} ${event.error?.code ?? ''}`.trim()
  : 'content' in event && typeof event.content === 'string' ? `${event.kind} ${event.content}` : event.kind)

const text = (content: string): ProviderEvent => ({ kind: 'text', content })

test('a provider that returns has succeeded', async (t) => {
  t.strictSame(shape(await outcome(t, async function * () { yield text('a') })), ['text go', 'text a', 'complete finished 0'])
  t.strictSame(shape(await outcome(t, async function * () {})), ['text go', 'complete finished 0'])
})

test('a provider that throws has failed, whenever and whatever it throws, and what it throws stays inside', async (t) => {
  const secret = 'postgres://user:password@db'
  const cases: Record<string, Run> = {
    'before the first event': () => { throw new Error(secret) },
    'in the generator': async function * () { throw new Error(secret) },
    'no Error': async function * () { throw secret },
    'a frozen object': async function * () { throw Object.freeze({}) },
    'a promise': (() => Promise.reject(new Error(secret))) as unknown as Run
  }
  for (const [name, run] of Object.entries(cases)) {
    const events = await outcome(t, run)
    t.strictSame(shape(events), ['text go', 'complete failed 1 PROVIDER_FAILED'], name)
    t.notMatch(JSON.stringify(events), /password/, name)
  }
  t.strictSame(shape(await outcome(t, async function * () { yield text('a'); throw new Error(secret) })), ['text go', 'text a', 'complete failed 1 PROVIDER_FAILED'])
})

test('a ProviderError tells the client what went wrong', async (t) => {
  const events = await outcome(t, async function * () { throw new ProviderError('the model is overloaded', { code: 'OVERLOADED', exitCode: 75 }) })
  t.match(events.at(-1), { exitCode: 75, success: false, reason: 'failed', error: { code: 'OVERLOADED', message: 'the model is overloaded' } })
})

test('what a provider returns that is no AsyncIterable is a failure', async (t) => {
  for (const returned of [undefined, null, 5, 'text', ['array'], {}, Promise.resolve()]) {
    t.strictSame(shape(await outcome(t, (() => returned) as unknown as Run)), ['text go', 'complete failed 1 PROVIDER_FAILED'], String(returned))
  }
})

test('the provider\'s own complete ends the run; nothing counts after it, and it is told to stop', async (t) => {
  const finished = latch()
  const events = await outcome(t, async function * () {
    try {
      yield text('a')
      yield { kind: 'complete', exitCode: 3, usage: { inputTokens: 5 }, error: { code: 'LIMIT', message: 'too long' } }
      yield text('late')
      yield { kind: 'complete', exitCode: 0 }
      throw new Error('even later')
    } finally {
      finished.open()
    }
  })
  t.strictSame(shape(events), ['text go', 'text a', 'complete failed 3 LIMIT'])
  t.match(events.at(-1), { usage: { inputTokens: 5 }, success: false, aborted: false })
  await finished.promise
})

test('garbage is dropped, and what is sound around it is kept', async (t) => {
  const forged = { kind: 'text', content: 'sound', seq: 999, runId: 'x', sessionId: 'x', provider: 'x', timestamp: 'x', extra: [1] }
  const garbage = [
    null, undefined, 5, 'text', [], {}, { kind: 5 }, { kind: '' }, { kind: 'text' }, { kind: 'text', content: {} }, { kind: 'text', content: 'x', messageId: 7 },
    { kind: 'chat_subscribed' }, { kind: 'gap' }, { kind: 'session_deleted' }, { kind: 'permission_resolved', requestId: 'r', allow: true }, { kind: 'session_created' }
  ]
  const events = await outcome(t, async function * () {
    for (const event of garbage) yield event as ProviderEvent
    yield forged as unknown as ProviderEvent
    yield { kind: 'own_kind', value: 1 } as unknown as ProviderEvent
  })
  t.strictSame(shape(events), ['text go', 'text sound', 'own_kind', 'complete finished 0'])
  t.match(events[1], { sessionId: 's', provider: 'agent', seq: 2, extra: [1], role: 'assistant' })
  t.not(events[1]?.runId, 'x')
  t.match(events[2], { value: 1 })
})

test('an event that is no JSON fails the run; what came before it is kept', async (t) => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const deep: unknown = Array.from({ length: 20_000 }).reduce((inner: unknown) => [inner], 0)
  for (const data of [10n, cycle, { toJSON () { throw new Error('no') } }, deep]) {
    const events = await outcome(t, async function * () { yield text('a'); yield { kind: 'custom', name: 'x', data }; yield text('b') })
    t.strictSame(shape(events), ['text go', 'text a', 'complete failed 1 EVENT_NOT_SERIALISABLE'])
  }
  const usage = await outcome(t, async function * () { yield text('a'); yield { kind: 'complete', usage: { n: 10n } } })
  t.strictSame(shape(usage), ['text go', 'text a', 'complete failed 1 EVENT_NOT_SERIALISABLE'])
  const functions = await outcome(t, async function * () { yield { kind: 'custom', name: 'x', data: { f () {} }, toJSON: () => 'gone' } as ProviderEvent })
  t.match(functions[1], { kind: 'custom', name: 'x', data: {} })
})

test('a provider that never waits for anything starves nobody', async (t) => {
  let yielded = 0
  const run: Run = async function * () { for (; yielded < 200_000; yielded++) yield text('x') }
  const app = await buildApp(t, { providers: { agent: { run } }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.ok(yielded < 2_000, `the loop turned after ${yielded} events`)
  t.match((await app.inject('/runs')).json(), { runs: [{ sessionId: 's' }] })
  t.match(await app.agentRuns.abortRun({ sessionId: 's' }), { reason: 'aborted' })
  t.ok(yielded < 200_000)
})

test('of a provider that never waits little is uncommitted at a time, in bytes too', async (t) => {
  let yielded = 0
  const run: Run = async function * () { for (; yielded < 1_000; yielded++) yield text('x'.repeat(100_000)) }
  const app = await buildApp(t, { providers: { agent: { run } }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.ok(yielded < 20, `${yielded} events of 100 kB in a turn`)
  await app.agentRuns.abortRun({ sessionId: 's' })
})

test('a flood of garbage starves nobody either', async (t) => {
  let yielded = 0
  const run: Run = async function * () { for (;; yielded++) yield null as unknown as ProviderEvent }
  const app = await buildApp(t, { providers: { agent: { run } }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.match(await app.agentRuns.abortRun({ sessionId: 's' }), { reason: 'aborted' })
  t.ok(yielded > 0)
})

test('a provider that hears no abort loses its run all the same, and the session is free', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'one' })
  const deaf = await agent.next()
  await app.agentRuns.abortRun({ sessionId: 's' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'two' })
  const next = await agent.next()
  void deaf.emit(text('zombie'))
  deaf.fail(new Error('zombie'))
  await next.emit(text('fine'))
  next.end()
  const events: Event[] = []
  for await (const event of app.agentRuns.subscribe('s')) {
    if ('seq' in event) events.push(event)
    if (event.kind === 'complete' && event.reason === 'finished') break
  }
  t.strictSame(shape(events), ['text one', 'complete aborted 1', 'text two', 'text fine', 'complete finished 0'])
})

test('an iterator that throws when it is stopped costs nothing', async (t) => {
  for (const stop of [() => { throw new Error('sync') }, () => Promise.reject(new Error('async')), () => 5]) {
    const run = () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: stop }) })
    const app = await buildApp(t, { providers: { agent: { run: run as unknown as Run } }, store: ':memory:' })
    await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
    t.match(await app.agentRuns.abortRun({ sessionId: 's' }), { reason: 'aborted' })
  }
})

test('a run that takes longer than it may ends with timeout', async (t) => {
  const stopped = latch()
  const events = await outcome(t, async function * ({ signal }) {
    signal.addEventListener('abort', () => stopped.open())
    yield { kind: 'stream_delta', content: 'half' }
    await new Promise(() => {})
  }, { runTimeoutMs: 50 })
  t.strictSame(shape(events), ['text go', 'stream_delta half', 'text half', 'complete timeout 1 RUN_TIMEOUT'])
  await stopped.promise
})

test('the app may end a run that it knows to be over', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent }, store: ':memory:' })
  const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  const run = await agent.next()
  t.match(await app.agentRuns.completeRun(runId, { exitCode: 0 }), { reason: 'finished', success: true })
  t.match(await app.agentRuns.completeRun(runId, { exitCode: 9 }), { reason: 'finished', success: true }, 'the first holds')
  await run.stopped.promise
  await t.rejects(app.agentRuns.completeRun('nobody', { exitCode: 0 }), { code: 'AGENT_RUNS_RUN_NOT_FOUND' })
})

test('what a provider knows of its run', async (t) => {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent }, store: ':memory:' })
  await app.agentRuns.createSession({ id: 's', owner: 'ada', metadata: { plan: 'pro' } })
  const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: 'one', context: { user: 7 } })
  const first = await agent.next()
  t.match(first.context, { session: { id: 's', owner: 'ada', metadata: { plan: 'pro' } }, runId, content: 'one', options: {}, context: { user: 7 }, providerSessionId: null })
  await first.emit({ kind: 'session_created', newSessionId: 'native-session-1' }, { kind: 'stream_delta', messageId: 'm', content: 'an' }, { kind: 'text', messageId: 'm', content: 'answer' })
  first.end()
  for await (const { kind } of app.agentRuns.subscribe('s')) if (kind === 'complete') break

  await app.agentRuns.startRun({ sessionId: 's', content: 'two' })
  const second = await agent.next()
  t.equal(second.context.providerSessionId, 'native-session-1')
  const history: Event[] = []
  for await (const event of second.context.history()) history.push(event)
  t.strictSame(shape(history), ['text one', 'text answer', 'complete finished 0'], 'durable events before this message')
  second.end()
})

test('if the store does not keep a native id, the run goes on and says so in the log', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  store.setProviderSessionId = () => Promise.reject(new Error('disk on fire'))
  const errors: string[] = []
  const run: Run = async function * () { yield { kind: 'session_created', newSessionId: 'native-id-1' }; yield text('I am native-id-1') }
  const registry = await openRegistry(t, { run }, store, { log: { ...silentLogger, error: (_, message) => { errors.push(message) } } })
  await registry.startRun({ sessionId: 's', content: 'go' })
  const events: Event[] = []
  for await (const event of registry.subscribe('s')) {
    if ('seq' in event) events.push(event)
    if (event.kind === 'complete') break
  }
  t.strictSame(shape(events), ['text go', 'text I am s', 'complete finished 0'])
  t.match(errors, [/could not be kept/])
})

test('a provider that is stopped while it still makes its iterable hears of it, and its iterable is returned', async (t) => {
  const [stopped, returned, made] = [latch(), latch(), latch()]
  const run = async ({ signal }: RunContext) => {
    signal.addEventListener('abort', () => stopped.open())
    await made.promise
    return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: async () => { returned.open(); return { done: true, value: undefined } } }) }
  }
  const app = await buildApp(t, { providers: { agent: { run: run as unknown as Run } }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  t.match(await app.agentRuns.abortRun({ sessionId: 's' }), { reason: 'aborted' })
  await stopped.promise
  made.open()
  await returned.promise
})

test('an event that cannot even be read fails the run, and its provider is stopped', async (t) => {
  const finished = latch()
  const hostile = { kind: 'text', get content (): string { throw new Error('no') } }
  const events = await outcome(t, async function * ({ signal }) {
    const aborted = new Promise<void>((resolve) => { signal.addEventListener('abort', () => resolve()) })
    try {
      yield hostile as unknown as ProviderEvent
      await aborted
    } finally {
      finished.open()
    }
  })
  t.strictSame(shape(events), ['text go', 'complete failed 1 PROVIDER_FAILED'])
  await finished.promise
})

test('an error that cannot be logged ends the run like any other', async (t) => {
  const thrown = Object.defineProperty(new Error('x'), 'message', { get () { throw new Error('unreadable') } })
  const app = await buildApp(t, { providers: { agent: { async * run () { throw thrown } } }, store: ':memory:' }, { logger: { level: 'error', stream: { write () {} } } })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  for await (const event of app.agentRuns.subscribe('s')) {
    if (event.kind !== 'complete') continue
    t.match(event, { reason: 'failed', error: { code: 'PROVIDER_FAILED' } })
    break
  }
})

test('what contradicts success in the provider\'s own complete is failure', async (t) => {
  const endings: Array<[object, string]> = [
    [{ exitCode: 0, error: { code: 'X', message: 'm' } }, 'complete failed 1 X'],
    [{ exitCode: '0' }, 'complete failed 1'],
    [{ exitCode: 1.5 }, 'complete failed 1'],
    [{ error: Object.create(null) as object }, 'complete failed 1 PROVIDER_FAILED'],
    [{ exitCode: 0 }, 'complete finished 0'],
    [{}, 'complete finished 0']
  ]
  for (const [ending, expected] of endings) {
    t.strictSame(shape(await outcome(t, async function * () { yield { kind: 'complete', ...ending } as ProviderEvent })), ['text go', expected])
  }
})

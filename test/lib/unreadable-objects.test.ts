/* Objects of providers, stores and hosts that throw when they are looked at: they end one run or request, never the process. */
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { ProviderError, type Provider, type ProviderEvent, type RunContext } from '../../index.ts'
import { guardedLogger } from '../../lib/common/logger.ts'
import { isRunsError } from '../../lib/protocol/errors.ts'
import { openRegistry } from '../helpers/open-registry.ts'

const trap = (): never => { throw new Error('a trap') }
/** Throws at whatever one does with it. */
const UNREADABLE = new Proxy({}, { getPrototypeOf: trap, get: trap, has: trap, ownKeys: trap, getOwnPropertyDescriptor: trap, set: trap })
/** Throws when one asks what it is. */
const NAMELESS = new Proxy(new Error('x'), { getPrototypeOf: trap })
class Liar extends ProviderError {
  override get message (): string { return trap() }
}

/** How a run ends, and that the next one is as good as ever: nothing reached the process. */
async function endOf (t: Test, run: (context: RunContext) => unknown): Promise<Record<string, unknown>> {
  const uncaught: unknown[] = []
  const note = (error: unknown): void => { uncaught.push(error) }
  process.on('uncaughtException', note)
  process.on('unhandledRejection', note)
  t.teardown(() => { process.off('uncaughtException', note).off('unhandledRejection', note) })
  let isFirst = true
  const agent: Provider = {
    run (context) {
      const isHostile = isFirst
      isFirst = false
      return (isHostile ? run(context) : (async function * () { yield { kind: 'text', content: 'fine' } })()) as AsyncIterable<ProviderEvent>
    }
  }
  const registry = await openRegistry(t, agent)
  const ended = async (): Promise<Record<string, unknown>> => {
    const { cursor } = await registry.startRun({ sessionId: 's', content: 'go', onBusy: 'queue' })
    for await (const event of registry.subscribe('s', { after: cursor })) if (event.kind === 'complete') return { ...event }
    return {}
  }
  const first = await ended()
  t.match(await ended(), { reason: 'finished' })
  await new Promise(setImmediate)
  t.strictSame(uncaught, [])
  return first
}

const yields = (value: unknown) => async function * (): AsyncGenerator<unknown> { yield value }
const throws = (value: unknown) => async function * (): AsyncGenerator<unknown> { throw value }
const iterating = (iterator: object) => () => ({ [Symbol.asyncIterator]: () => iterator })

const HOSTILE: Record<string, (context: RunContext) => unknown> = {
  'throws what cannot be looked at': throws(UNREADABLE),
  'throws an error that hides its class': throws(NAMELESS),
  'throws a ProviderError whose message cannot be read': throws(new Liar('x')),
  'throws a ProviderError of other types': throws(Object.assign(new ProviderError('x'), { code: UNREADABLE, exitCode: UNREADABLE })),
  'throws nothing': throws(undefined),
  'yields what cannot be looked at': yields(UNREADABLE),
  'yields fields that cannot be looked at': yields({ kind: 'custom', name: 'x', data: UNREADABLE }),
  'yields JSON that throws what cannot be looked at': yields({ kind: 'custom', name: 'x', data: { toJSON () { throw UNREADABLE } } }),
  'yields a complete that cannot be looked at': yields({ kind: 'complete', exitCode: 1, usage: UNREADABLE, error: UNREADABLE }),
  'returns what cannot be looked at': () => UNREADABLE,
  'returns an iterator that cannot be looked at': iterating(UNREADABLE),
  'returns steps that cannot be looked at': iterating({ next: async () => UNREADABLE }),
  'throws at once': () => { throw UNREADABLE }
}

for (const [what, run] of Object.entries(HOSTILE)) {
  test(`a provider that ${what} ends its run as failed, and nothing else`, async (t) => {
    t.match(await endOf(t, run), { reason: 'failed', success: false })
  })
}

const LISTENERS: Record<string, (signal: AbortSignal) => void> = {
  'a function that throws': (signal) => signal.addEventListener('abort', trap),
  'a function that rejects': (signal) => signal.addEventListener('abort', (async () => trap()) as () => void),
  'an object that throws': (signal) => signal.addEventListener('abort', { handleEvent: trap }),
  'the property onabort': (signal) => { signal.onabort = trap },
  'one that throws what cannot be looked at': (signal) => signal.addEventListener('abort', () => { throw UNREADABLE })
}

for (const [what, listen] of Object.entries(LISTENERS)) {
  test(`an abort listener that throws ends its run and nothing else: ${what}`, async (t) => {
    const heard: string[] = []
    const end = endOf(t, async function * ({ signal }) {
      listen(signal)
      signal.addEventListener('abort', () => heard.push('abort'), { once: true })
      yield { kind: 'complete' }
      await new Promise(() => {})
    })
    t.match(await end, { reason: 'finished' })
    t.strictSame(heard, ['abort'], 'the others hear of it')
  })
}

test('listeners of a guarded signal are removed, kept once and called once as those of any other', async (t) => {
  let signal: AbortSignal | null = null
  const heard: string[] = []
  await endOf(t, async function * (context) {
    signal = context.signal
    const twice = (): void => { heard.push('twice') }
    const removed = (): void => { heard.push('removed') }
    signal.addEventListener('abort', twice)
    signal.addEventListener('abort', twice)
    signal.addEventListener('abort', removed)
    signal.removeEventListener('abort', removed)
    signal.onabort = () => heard.push('replaced')
    signal.onabort = () => heard.push('onabort')
    yield { kind: 'complete' }
  })
  t.strictSame(heard, ['twice', 'onabort'])
  t.equal(signal!.aborted, true)
})

test('a request for approval whose signal cannot be read is refused or withdrawn, and the run goes on', async (t) => {
  const own = new AbortController()
  const hidden = new Proxy(own.signal, { get: (target, name) => name === 'reason' ? trap() : typeof Reflect.get(target, name) === 'function' ? (Reflect.get(target, name) as () => void).bind(target) : Reflect.get(target, name) as unknown })
  const end = await endOf(t, async function * ({ requestPermission }) {
    await requestPermission({ toolName: 'x', input: 1 }, { signal: UNREADABLE as AbortSignal }).catch(() => {})
    const asked = requestPermission({ toolName: 'x', input: 1 }, { signal: hidden }).catch(() => {})
    own.abort()
    await asked
    yield { kind: 'text', content: 'went on' }
  })
  t.match(end, { reason: 'finished' })
})

test('a store that throws what cannot be looked at costs a run its end, not the process its life', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const { append } = store
  let isBroken = true
  store.append = async (groups) => {
    if (isBroken) throw UNREADABLE
    return append.call(store, groups)
  }
  const registry = await openRegistry(t, { async * run () { yield { kind: 'text', content: 'x' } } }, store)
  const { runId } = await registry.startRun({ sessionId: 's', content: 'go' })
  while ((await registry.getRun(runId))?.status === 'running') await new Promise(setImmediate)
  t.match(await registry.getRun(runId), { status: 'completed', reason: 'failed' })
  isBroken = false
  await registry.startRun({ sessionId: 's', content: 'again' })
})

test('errors and loggers of others never throw when they are asked', (t) => {
  t.equal(isRunsError(UNREADABLE), false)
  t.equal(isRunsError(NAMELESS), false)
  const log = guardedLogger({ debug: trap, info: trap, warn: trap, error: trap })
  t.doesNotThrow(() => log.error({ err: UNREADABLE }, 'x'))
  t.end()
})

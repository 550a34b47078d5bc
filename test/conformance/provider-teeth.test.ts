import { test } from 'tap'
import { type ProviderHarness, providerSuite } from '../../conformance/index.ts'
import type { Provider, ProviderEvent, RunContext } from '../../lib/provider/provider.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })
const never = (): Promise<never> => new Promise(() => {})
const textOf = (content: unknown): string => typeof content === 'string' ? content : ''

let natives = 0

/** A provider that keeps the contract; each of the broken ones differs from it in one thing. */
async function * sound ({ content, providerSessionId, signal }: RunContext): AsyncGenerator<ProviderEvent> {
  yield { kind: 'session_created', newSessionId: providerSessionId ?? `native-${++natives}` }
  yield { kind: 'stream_delta', content: textOf(content) }
  if (content !== 'long') return
  // What is left running by a broken provider must not keep the process for ever.
  for (let i = 0; i < 1_500 && !signal.aborted; i++) {
    await pause(1)
    yield { kind: 'status', text: '…' }
  }
}

const of = (run: Provider['run'], more: Partial<Provider> = {}): () => Provider => () => ({ run, ...more })

const BROKEN: Record<string, () => Provider> = {
  'throws at once': of(() => { throw new Error('no') }),
  'answers with no iterable': of(() => [] as unknown as AsyncIterable<ProviderEvent>),
  fails: of(async function * () { throw new Error('no') }),
  'ends with an exit code': of(async function * (context) {
    yield * sound(context)
    yield { kind: 'complete', exitCode: 2 }
  }),
  'yields what is no event': of(async function * (context) {
    yield * sound(context)
    yield { kind: 'text' } as ProviderEvent
  }),
  'yields what only the run makes': of(async function * (context) {
    yield * sound(context)
    yield { kind: 'permission_request', requestId: 'r', toolName: 't', input: {} } as unknown as ProviderEvent
  }),
  'yields what is no JSON': of(async function * (context) {
    yield * sound(context)
    yield { kind: 'custom', name: 'big', data: 1n }
  }),
  'never ends': of(async function * (context) {
    yield * sound(context)
    await never()
  }),
  'has one native id for all': of((context) => sound({ ...context, providerSessionId: 'native' })),
  'has one messageId for all': of(async function * (context) {
    yield * sound(context)
    yield { kind: 'text', messageId: 'm', content: 'hi' }
  }),
  'says in one session what was asked in another': () => {
    let said = ''
    return of(async function * (context) {
      said += textOf(context.content)
      await pause(5)
      yield * sound({ ...context, content: context.content === 'long' ? 'long' : said })
    })()
  },
  'does not come back to a session': of(async function * (context) {
    if (context.providerSessionId !== null) throw new Error('no')
    yield * sound(context)
  }),
  'hangs at content that it does not know': of(async function * (context) {
    if (typeof context.content !== 'string') await never()
    yield * sound(context)
  }),
  'does not look whether it was aborted before': of(async function * (context) {
    const { signal, content } = context
    yield * sound({ ...context, content: content === 'long' ? '' : content })
    if (content === 'long') await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
  }),
  'does not hear an abort': of((context) => sound({ ...context, signal: context.signal.aborted ? context.signal : new AbortController().signal })),
  'does not end when it is returned': of(async function * (context) {
    try {
      yield * sound(context)
    } finally {
      if (context.content === 'long' && !context.signal.aborted) await never()
    }
  }),
  'goes on when it is closed': of(sound, { close: async () => {} }),
  'does not get closed': of(sound, { close: never }),
  'cannot be closed twice': () => {
    const closing = new AbortController()
    return of((context) => sound({ ...context, signal: AbortSignal.any([context.signal, closing.signal]) }), {
      async close () {
        if (closing.signal.aborted) throw new Error('closed')
        closing.abort()
      }
    })()
  },
  'does not end sessions that it does not know': of(sound, { endSession: async () => { throw new Error('who?') } })
}

/** The name of the first test that a provider does not pass; null if it passes all. */
async function firstFailure (create: () => Provider): Promise<string | null> {
  const tests: Array<{ name: string, work: () => Promise<void> }> = []
  const harness: ProviderHarness = { create, content: 'hi', saying: (word) => word, longContent: 'long', deadlineMs: 200, runMs: 400 }
  providerSuite((name, work) => tests.push({ name, work }), harness)
  for (const { name, work } of tests) {
    try {
      await work()
    } catch {
      return name
    }
  }
  return null
}

test('the suite passes a provider that keeps the contract', async (t) => {
  t.equal(await firstFailure(of(sound)), null)
})

for (const [how, create] of Object.entries(BROKEN)) {
  test(`the suite notices a provider that ${how}`, async (t) => {
    const failure = await firstFailure(create)
    t.not(failure, null)
    t.comment(failure)
  })
}

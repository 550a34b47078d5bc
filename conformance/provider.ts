/* The provider contract (`lib/provider/provider.ts`) as tests that any adapter can be put through. */
import assert from 'node:assert/strict'
import { silentLogger } from '../lib/common/logger.ts'
import type { Event } from '../lib/protocol/event.ts'
import type { MessageContent } from '../lib/protocol/words.ts'
import { checkProviderEvent } from '../lib/provider/provider-event.ts'
import type { Provider, ProviderEvent, RunContext } from '../lib/provider/provider.ts'
import { type TestRunner, within } from './harness.ts'

/** An adapter, and what to say to it. */
export interface ProviderHarness {
  /** A provider of its own for each test; it is closed after it. */
  create: () => Provider | Promise<Provider>
  /** A message that is answered without failure. */
  content: MessageContent
  /** A message that makes it say a word. Without it, that sessions do not mix is only told by native ids and messageIds. */
  saying?: (word: string) => MessageContent
  /** A message that takes far longer than `deadlineMs`, but not long to its first event. Without it, nothing is aborted midway. */
  longContent?: MessageContent
  /** The options of all messages. Default none. */
  options?: Record<string, unknown>
  /** The trusted `context` of all messages. */
  context?: unknown
  /** How long the provider may take to end when it is told to, in ms. Default 5,000. */
  deadlineMs?: number
  /** How long a message may take, in ms. Default 30,000. */
  runMs?: number
}

/** What is not in `MessageContent` today may be tomorrow, and clients are ahead of adapters. */
const ODD_CONTENTS: Record<string, unknown> = {
  'an image': [{ type: 'text', text: 'Look.' }, { type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' }],
  'a file elsewhere': [{ type: 'file', mimeType: 'application/pdf', name: 'a.pdf', url: 'https://example.com/a.pdf' }],
  'a part of a type that nobody knows': [{ type: 'hologram', depth: 3 }]
}

/** Defines the tests of the provider contract with a runner. They may run in any order. */
export function providerSuite (test: TestRunner, harness: ProviderHarness): void {
  const { content, saying, longContent, deadlineMs = 5_000, runMs = 30_000 } = harness

  const define = (name: string, work: (provider: Provider) => Promise<void>): void => {
    test(`provider: ${name}`, async () => {
      const provider = await harness.create()
      try {
        await work(provider)
      } finally {
        await within(deadlineMs, 'close', Promise.resolve(provider.close?.()))
      }
    })
  }
  const start = (provider: Provider, more: Partial<RunContext> = {}): Started => new Started(provider, { ...contextOf(harness), ...more })
  const finished = async (run: Started): Promise<Started> => {
    await within(runMs, 'a run', run.all())
    return run
  }

  define('run answers at once with an iterable, and does not throw', async (provider) => {
    const iterable: unknown = provider.run(contextOf(harness))
    assert.equal(typeof (iterable as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator], 'function')
    await within(runMs, 'a run', drained(iterable as AsyncIterable<unknown>))
  })

  define('a run yields events that are fit for the log, and ends', async (provider) => {
    const { events } = await finished(start(provider))
    const complete = events.find(({ kind }) => kind === 'complete')
    assert.ok(complete?.kind !== 'complete' || (complete.exitCode ?? 0) === 0, 'the content of the harness should be answered without failure')
  })

  define('it runs in two sessions at once without mixing them', async (provider) => {
    const words = ['aubergine', 'zucchini']
    const runs = words.map((word, i) => start(provider, { session: sessionOf(`s${i}`), runId: `r${i}`, content: saying?.(word) ?? content }))
    await within(runMs, 'two runs', Promise.all(runs.map((run) => run.all())))
    const [one, two] = runs as [Started, Started]
    if (one.nativeId !== null) assert.notEqual(one.nativeId, two.nativeId, 'two sessions have one native id')
    assert.deepEqual([...one.messageIds].filter((id) => two.messageIds.has(id)), [], 'messages of two sessions have one id')
    if (saying === undefined) return
    for (const [run, own, other] of [[one, words[0]!, words[1]!], [two, words[1]!, words[0]!]] as const) {
      assert.ok(run.said.includes(own), `it should say ${own}`)
      assert.ok(!run.said.includes(other), `it says ${other} in the other session`)
    }
  })

  define('it goes on in a session by the native id that it announced', async (provider) => {
    const first = await finished(start(provider))
    await finished(start(provider, { runId: 'r2', providerSessionId: first.nativeId, history: historyOf(content) }))
  })

  define('content that it cannot take is a failure or is passed over, but does not hang', async (provider) => {
    for (const [what, odd] of Object.entries(ODD_CONTENTS)) {
      const run = start(provider, { content: odd as MessageContent })
      await within(runMs, `a message with ${what}`, run.all().catch(() => {}))
    }
    await finished(start(provider))
  })

  define('a run that is aborted before it begins ends', async (provider) => {
    const run = start(provider, { content: longContent ?? content, signal: AbortSignal.abort() })
    await within(deadlineMs, 'a run that was aborted', run.all().catch(() => {}))
  })

  if (longContent !== undefined) {
    define('a run ends when it is aborted, and others go on', async (provider) => {
      const run = start(provider, { content: longContent })
      await within(runMs, 'the first event', run.next())
      const other = start(provider, { session: sessionOf('other'), runId: 'other' })
      const rest = run.all().catch(() => {})
      run.abort()
      await within(deadlineMs, 'a run that was aborted', rest)
      await finished(other)
      await finished(start(provider, { runId: 'r2', providerSessionId: run.nativeId }))
    })

    define('a run ends when its iterator is returned', async (provider) => {
      const run = start(provider, { content: longContent })
      await within(runMs, 'the first event', run.next())
      await within(deadlineMs, 'a run whose iterator was returned', run.return())
      await finished(start(provider, { session: sessionOf('other'), runId: 'other' }))
    })

    define('closing ends what still runs', async (provider) => {
      if (provider.close === undefined) return
      const run = start(provider, { content: longContent })
      await within(runMs, 'the first event', run.next())
      const rest = run.all().catch(() => {})
      await within(deadlineMs, 'close', provider.close())
      await within(deadlineMs, 'a run whose provider was closed', rest)
    })
  }

  define('it can be closed twice, and sessions can be ended that it does not know', async (provider) => {
    await within(deadlineMs, 'endSession', Promise.resolve(provider.endSession?.('nowhere')))
    await finished(start(provider))
    await within(deadlineMs, 'endSession', Promise.resolve(provider.endSession?.('s')))
    for (let i = 0; i < 2; i++) await within(deadlineMs, 'close', Promise.resolve(provider.close?.()))
  })
}

/** A run under way, and what it yielded. */
class Started {
  readonly events: ProviderEvent[] = []
  readonly messageIds = new Set<string>()
  /** The native id last announced. */
  nativeId: string | null = null
  /** All that was said, as JSON. */
  said = ''
  readonly #abort = new AbortController()
  readonly #iterator: AsyncIterator<ProviderEvent>

  constructor (provider: Provider, context: RunContext) {
    context.signal.addEventListener('abort', () => this.#abort.abort())
    if (context.signal.aborted) this.#abort.abort()
    this.#iterator = provider.run({ ...context, signal: this.#abort.signal })[Symbol.asyncIterator]()
  }

  abort (): void {
    this.#abort.abort()
  }

  async return (): Promise<void> {
    await this.#iterator.return?.()
  }

  /** Takes one event, which must be fit for the log. Answers whether there was one. */
  async next (): Promise<boolean> {
    const { done, value } = await this.#iterator.next()
    if (done === true) return false
    const checked = checkProviderEvent(value)
    if (typeof checked === 'string') assert.fail(`what is yielded is no event: ${checked}`)
    const { kind, fields } = checked
    const json = JSON.stringify(fields)
    this.events.push(value)
    if (kind === 'session_created') this.nativeId = fields['newSessionId'] as string
    else this.said += json
    if (typeof fields['messageId'] === 'string') this.messageIds.add(fields['messageId'])
    return true
  }

  async all (): Promise<void> {
    while (await this.next());
  }
}

function contextOf ({ content, options = {}, context }: ProviderHarness): RunContext {
  return {
    session: sessionOf('s'),
    runId: 'r',
    content,
    options,
    context,
    providerSessionId: null,
    async * history () {},
    signal: new AbortController().signal,
    // Every request is allowed.
    requestPermission: async () => ({ allow: true }),
    log: silentLogger
  }
}

function sessionOf (id: string): RunContext['session'] {
  return { id, owner: '', metadata: {} }
}

/** What a session's history holds after one message. */
function historyOf (content: MessageContent): RunContext['history'] {
  const envelope = { sessionId: 's', runId: 'r', provider: 'p', timestamp: '2026-01-01T00:00:00.000Z' }
  const events: Event[] = [
    { ...envelope, kind: 'text', seq: 1, role: 'user', messageId: 'm1', content },
    { ...envelope, kind: 'text', seq: 2, role: 'assistant', messageId: 'm2', content: 'Yes.' },
    { ...envelope, kind: 'complete', seq: 3, exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 's' }
  ]
  return async function * () { yield * events }
}

async function drained (iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const event of iterable) assert.notEqual(event, undefined)
}

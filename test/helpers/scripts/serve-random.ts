/* Serves, on the database argv[2] (through an unsteady store if argv[3] is its seed), a provider that says whatever the seed in its message makes it say; forgets deltas early. */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import agentRuns, { type ProviderEvent, ProviderError, type RunContext } from '../../../index.ts'
import { sqliteStore } from '../../../db/sqlite/store.ts'
import { random } from '../random.ts'
import { NATIVE_MARKER, OF_THE_PROVIDER } from '../session-view.ts'
import { unsteadyStore } from '../unsteady-store.ts'

const WORDS = ['a', ' word', '\n', '\r\n\r\ndata: {}\n\n', '\u2028', '"\\', '\ud83d', '\ude00', '\0', 'id: 9\n', ' and so on and on']

/** Of a message `{"random":{"seed","events","size"}}`. */
interface Told { seed: number, events: number, size: number }

async function * play ({ content, signal }: RunContext): AsyncGenerator<ProviderEvent> {
  const { seed, events, size } = (JSON.parse(content as string) as { random: Told }).random
  const { below, chance, pick } = random(seed)
  const nativeId = `${NATIVE_MARKER}-${seed}`
  const filler = 'x'.repeat(size)
  const words = (): string => chance(0.03) ? `I am ${nativeId}.` : Array.from({ length: 1 + below(4) }, () => pick(WORDS)).join('') + filler
  // Not what its deltas were: what is made of those can be told from it.
  const whole = (): string => OF_THE_PROVIDER.repeat(1 + below(800))
  // Some name their messages, some of them, or none.
  const named = pick([0, 0.5, 1])
  const name = (): { messageId?: string } => chance(named) ? { messageId: pick(['a', 'b']) } : {}
  const kinds: Array<() => unknown> = [
    ...Array.from({ length: 12 }, () => () => ({ kind: 'stream_delta', ...name(), content: words() })),
    ...Array.from({ length: 4 }, () => () => ({ kind: 'thinking_delta', ...name(), content: words() })),
    () => ({ kind: 'stream_end', ...name() }),
    () => ({ kind: 'text', ...name(), content: whole() }),
    () => ({ kind: 'thinking', ...name(), content: whole() }),
    () => ({ kind: 'tool_use', toolId: 't', toolName: 'n', toolInput: { [nativeId]: [words()] } }),
    () => ({ kind: 'tool_update', toolId: 't', status: 'going on' }),
    () => ({ kind: 'tool_result', toolId: 't', toolResult: { content: words(), isError: chance(0.5) } }),
    () => ({ kind: 'status', text: words() }),
    () => ({ kind: 'usage', inputTokens: below(9) }),
    () => ({ kind: 'plan', entries: [words()] }),
    () => ({ kind: 'error', code: 'ODD', message: `in ${nativeId}` }),
    () => ({ kind: 'custom', name: 'mine', data: words(), transient: chance(0.5) }),
    () => pick([null, 5, {}, { kind: 'text' }, { kind: 'gap' }, { kind: 'stream_delta', content: '' }])
  ]
  yield { kind: 'session_created', newSessionId: nativeId }
  for (let i = 0; i < events; i++) {
    if (chance(0.3)) await nextTurn()
    if (chance(0.2)) await delay(1 + below(4), undefined, { signal })
    yield pick(kinds)() as ProviderEvent
  }
  switch (below(8)) {
    case 0: throw new Error(`failed in ${nativeId}`)
    case 1: throw new ProviderError('overloaded', { code: 'OVERLOADED', exitCode: 75 })
    case 2: yield { kind: 'complete', exitCode: below(3), usage: { of: nativeId } }
      yield { kind: 'text', content: 'after the end' }
      return
    case 3: // Waits to be stopped.
      await delay(2 ** 30, undefined, { signal })
      return
    case 4: // Does not hear of it.
      for (;;) {
        await delay(2)
        yield { kind: 'stream_delta', content: 'deaf ' }
      }
  }
}

const [path = '', seed] = process.argv.slice(2)
const app = Fastify()
await app.register(agentRuns, {
  providers: { random: { run: play } },
  store: seed === undefined ? path : unsteadyStore(sqliteStore({ path }), Number(seed)),
  retention: { maxTransientEventsPerRun: 64, completedRunMs: 300 },
  limits: { queuedPerSession: 4, messageBytes: 500 }
})
process.stdout.write(`listening ${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)

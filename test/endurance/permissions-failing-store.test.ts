/* A store that fails, or loses its answers, while approvals are asked for and answered. */
import { setTimeout as delay } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { EventOf, Provider, RunRegistry, Store } from '../../index.ts'
import { isRunsError, wireCode } from '../../lib/protocol/errors.ts'
import { logOf, settledOf, startAsking, story, TOOL, untilAsked, untilEvent } from '../helpers/approvals.ts'
import { eachCall, type Failure, FailingStore } from '../helpers/failing-store.ts'
import { openRegistry } from '../helpers/open-registry.ts'

/** Looks at the store do not keep a process alive; a server does. */
function stayAlive (t: Test): void {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
}

/** Asks twice, one after the other, and writes down what it is told: by the number of the request. */
function asker (told: string[]): Provider {
  return {
    async * run ({ requestPermission }) {
      for (const number of [1, 2]) {
        yield { kind: 'text', content: `step ${number}` }
        const { allow } = await requestPermission(TOOL)
        told.push(`${number} ${allow}`)
      }
    }
  }
}

/** What a client was told of one answer. */
interface Said { requestId: string, allow: boolean, came: string }

class Client {
  readonly said: Said[] = []
  readonly #registry: RunRegistry
  /** What the log says without anybody's failing. */
  readonly #inner: Store

  constructor (registry: RunRegistry, inner: Store) {
    this.#registry = registry
    this.#inner = inner
  }

  /** Answers each request as soon as it waits: no, and once more yes, until it is settled; until the run is over. */
  async serve (): Promise<void> {
    for (;;) {
      const session = await this.#inner.getSession('s', null)
      if (session?.isProcessing !== true) return
      const [pending] = session.pendingPermissions
      if (pending !== undefined) {
        await this.#answer(pending, false)
        await this.#answer(pending, true)
      }
      await delay(2)
    }
  }

  async #answer ({ requestId }: EventOf<'permission_request'>, allow: boolean): Promise<void> {
    const came = await this.#registry.answerPermission({ sessionId: 's', requestId, allow }).then(({ kind }) => kind as string, (error: unknown) => {
      if (!isRunsError(error)) throw error
      return wireCode(error)
    })
    this.said.push({ requestId, allow, came })
  }
}

async function check (t: Test, registry: RunRegistry, told: string[], said: Said[], what: string): Promise<void> {
  const session = (await registry.getSession('s'))!
  const events = await logOf(registry)
  const problems: string[] = []
  const requests = events.filter((event) => event.kind === 'permission_request').map(({ requestId }) => requestId)
  const outcomes = events.filter((event) => event.kind === 'permission_resolved' || event.kind === 'permission_cancelled')
  for (const requestId of requests) if (outcomes.filter((outcome) => outcome.requestId === requestId).length !== 1) problems.push('not one outcome')
  if (events.length > 0 && events.at(-1)?.kind !== 'complete') problems.push('no end')
  const resolved = events.filter((event) => event.kind === 'permission_resolved').map(({ requestId, allow }) => `${requests.indexOf(requestId) + 1} ${allow}`)
  const isFinished = story(events).at(-1) === 'complete finished'
  // A run that was ended otherwise may not have come to hear the last one.
  if (told.join() !== resolved.slice(0, told.length).join() || (isFinished && told.length !== 2)) problems.push(`the agent was told ${told.join()}`)
  for (const { requestId, allow, came } of said) {
    const holds = resolved.includes(`${requests.indexOf(requestId) + 1} ${allow}`)
    const isTrue = came === 'permission_resolved' ? holds : ['PERMISSION_ALREADY_RESOLVED', 'STORE_UNAVAILABLE'].includes(came)
    if (!isTrue) problems.push(`${allow} was ${came}`)
  }
  const won = said.filter(({ came }) => came === 'permission_resolved').map(({ requestId }) => requestId)
  if (new Set(won).size < won.length) problems.push('two answers hold')
  if (session.pendingPermissions.length > 0) problems.push('something waits')
  t.strictSame(problems, [], `${what}: ${story(events).join(', ')}`)
}

test('whichever call to the store fails, or loses its answer, each request has one outcome, and all are told that one', async (t) => {
  stayAlive(t)
  for (const failure of ['before', 'after'] as Failure[]) {
    await eachCall(t, async (t, k) => {
      const inner = sqliteStore({ path: ':memory:', leaseMs: 30 })
      const failing = new FailingStore(inner)
      const told: string[] = []
      const registry = await openRegistry(t, asker(told), failing.store)
      failing.calls.length = 0
      failing.fails = (index) => index === k ? failure : null
      const client = new Client(registry, inner)
      const post = (): Promise<unknown> => registry.startRun({ sessionId: 's', content: 'go', idempotencyKey: 'k' })
      await post().catch(post)
      await client.serve()
      const reached = k < failing.calls.length
      failing.fails = () => null
      await check(t, registry, told, client.said, `call ${k}, ${failing.calls[k]}, fails ${failure} it is executed`)
      return reached
    })
  }
})

test('every store call fails that approvals make, one after the other, in every possible pair', async (t) => {
  stayAlive(t)
  const METHODS = ['getPermission', 'answerPermission', 'append', 'listAnswers', 'listOwnRuns']
  for (const one of METHODS) {
    for (const other of METHODS) {
      const inner = sqliteStore({ path: ':memory:', leaseMs: 30 })
      const failing = new FailingStore(inner)
      const told: string[] = []
      const registry = await openRegistry(t, asker(told), failing.store)
      const left = [[one, 'after'], [other, 'before']]
      failing.fails = (_, method) => {
        if (left[0]?.[0] !== method) return null
        return left.shift()![1] as Failure
      }
      const client = new Client(registry, inner)
      await registry.startRun({ sessionId: 's', content: 'go' })
      await client.serve()
      await check(t, registry, told, client.said, `${one}, then ${other}`)
      t.equal(told.length, 2, 'the agent came to its end')
    }
  }
})

test('an answer that its run does not take in time is one of which nothing is known yet', async (t) => {
  stayAlive(t)
  const store = sqliteStore({ path: ':memory:' })
  const { registry, ask, answer, run } = await startAsking(t, {}, { store })
  const decided = settledOf(ask(TOOL))
  const [requestId] = await untilAsked(registry)
  const append = store.append.bind(store)
  let release = (): void => {}
  store.append = async (groups) => {
    await new Promise<void>((resolve) => { release = resolve })
    return append(groups)
  }
  const answered = settledOf(answer(requestId))
  // The store hangs for longer than anybody waits.
  t.match(await answered, { error: { code: 'STORE_UNAVAILABLE', statusCode: 503 } })
  release()
  t.strictSame(await decided, { value: { allow: true } })
  store.append = append
  run.end()
  await untilEvent(registry, 'complete')
  t.strictSame(story(await logOf(registry)), ['user go', 'asks 1', 'resolved 1 true', 'complete finished'])
})

/* Whose answer holds, who hears what of it, and what a failing store makes of that. */
import SqliteDatabase from 'better-sqlite3'
import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { PermissionAnswerRequest, PermissionDecision, RunRegistry } from '../../index.ts'
import { logOf, settledOf, startAsking, story, TOOL, untilAsked, untilEvent } from '../helpers/approvals.ts'
import { type Failure, FailingStore } from '../helpers/failing-store.ts'
import { latch } from '../helpers/latch.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

const refusedWith = (code: string, statusCode: number) => ({ error: { code: `AGENT_RUNS_${code}`, statusCode } })
const OPTIONS = [{ optionId: 'once', name: 'Once' }, { optionId: 'never', name: 'Never' }]

/** A timer that keeps the process alive while only looks at the store go on, which do not. */
function stayAlive (t: Test): void {
  const alive = setInterval(() => {}, 1e6)
  t.teardown(() => clearInterval(alive))
}

test('what is no answer is refused, and the approval waits on', async (t) => {
  const { registry, ask, answer, end } = await startAsking(t)
  const decided = ask({ ...TOOL, options: OPTIONS })
  void ask(TOOL)
  const [requestId, plain] = await untilAsked(registry, 2)
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const deep: unknown = Array.from({ length: 20_000 }).reduce((inner: unknown) => [inner], 0)
  const malformed: Array<[object, RegExp]> = [
    [{}, /"allow" is true or false/],
    [{ allow: 'yes' }, /"allow"/],
    [{ allow: null }, /"allow"/],
    [{ allow: true, message: 5 }, /"message" must be text/],
    [{ allow: true, optionId: 'twice' }, /no option "twice"/],
    [{ allow: true, optionId: 5 }, /no option "5"/],
    [{ allow: false, updatedInput: {} }, /"updatedInput"/],
    [{ allow: true, updatedInput: 1n }, /"updatedInput" must be JSON/],
    [{ allow: true, updatedInput: cycle }, /"updatedInput" must be JSON/],
    [{ allow: true, updatedInput: deep }, /"updatedInput" must be JSON/]
  ]
  const say = (given: object): Promise<unknown> => settledOf(registry.answerPermission({ sessionId: 's', requestId: requestId!, ...given } as PermissionAnswerRequest))
  for (const [given, message] of malformed) t.match(await say(given), { error: { code: 'INVALID_REQUEST', statusCode: 400, message } })
  t.match(await settledOf(registry.answerPermission({ sessionId: 's', requestId: plain!, allow: true, optionId: 'once' })), { error: { code: 'INVALID_REQUEST' } }, 'a request without options has none')
  t.equal((await registry.getSession('s'))?.pendingPermissions.length, 2)
  t.match(await say({ allow: false, optionId: 'never', message: '' }), { value: { kind: 'permission_resolved', allow: false, optionId: 'never' } })
  t.strictSame(await decided, { allow: false, optionId: 'never', message: '' })
  await answer(plain)
  t.strictSame(await end(), ['user go', 'asks 1', 'asks 2', 'resolved 1 false never', 'resolved 2 true', 'complete finished'])
})

test('the agent gets the decision as JSON has it', async (t) => {
  const { registry, ask } = await startAsking(t)
  const decided = ask(TOOL)
  const [requestId] = await untilAsked(registry)
  const updatedInput = { at: new Date(0), gone: undefined, nested: { list: [1, undefined] } }
  await registry.answerPermission({ sessionId: 's', requestId: requestId!, allow: true, updatedInput })
  t.strictSame(await decided, { allow: true, updatedInput: { at: '1970-01-01T00:00:00.000Z', nested: { list: [1, null] } } })
})

test('an approval is answered in its own session, by its owner, and exists for nobody else', async (t) => {
  const { registry, ask, answer } = await startAsking(t)
  void ask(TOOL)
  const [requestId] = await untilAsked(registry)
  await registry.createSession({ id: 'other', owner: 'ada' })
  const say = (sessionId: string, owner: string | null, id = requestId!): Promise<unknown> => settledOf(registry.answerPermission({ sessionId, requestId: id, owner, allow: true }))
  t.match(await say('nowhere', null), refusedWith('SESSION_NOT_FOUND', 404))
  t.match(await say('other', null), refusedWith('PERMISSION_NOT_FOUND', 404))
  t.match(await say('other', 'bob'), refusedWith('SESSION_NOT_FOUND', 404))
  t.match(await say('s', 'bob'), refusedWith('SESSION_NOT_FOUND', 404))
  t.match(await say('s', '', 'nobody-asked'), refusedWith('PERMISSION_NOT_FOUND', 404))
  t.match(await say('s', ''), { value: { kind: 'permission_resolved' } })
  t.match(await settledOf(answer(requestId)), { value: { kind: 'permission_resolved' } }, 'the same again')
  await registry.deleteSession('other')
  t.match(await say('other', 'ada'), refusedWith('SESSION_DELETED', 410))
  t.match(await say('other', 'bob'), refusedWith('SESSION_NOT_FOUND', 404))
})

test('a run that waits for its turn has asked for nothing', async (t) => {
  const { registry, answer } = await startAsking(t)
  const { runId } = await registry.startRun({ sessionId: 's', content: 'later', onBusy: 'queue' })
  t.match(await settledOf(answer(runId)), refusedWith('PERMISSION_NOT_FOUND', 404))
})

test('of many answers at once one holds, and the agent hears that one once', async (t) => {
  const { registry, run, ask, end } = await startAsking(t)
  const heard: PermissionDecision[] = []
  void ask(TOOL).then((decision) => { heard.push(decision) })
  const [requestId] = await untilAsked(registry)
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => settledOf(registry.answerPermission({ sessionId: 's', requestId: requestId!, allow: i % 2 === 0, message: `by ${i}` }))))
  const won = answers.flatMap((answer, i) => 'value' in (answer as object) ? [i] : [])
  t.equal(won.length, 1)
  for (const answer of answers) if ('error' in (answer as object)) t.match(answer, refusedWith('PERMISSION_ALREADY_RESOLVED', 409))
  await run.emit({ kind: 'text', content: 'on' })
  t.strictSame(heard, [{ allow: won[0]! % 2 === 0, message: `by ${won[0]!}` }])
  t.strictSame(await end(), ['user go', 'asks 1', `resolved 1 ${won[0]! % 2 === 0}`, 'assistant on', 'complete finished'])
})

/** Two instances on one database in memory; the first drives a run that waits for an approval. */
async function apart (t: Test) {
  stayAlive(t)
  const database = new SqliteDatabase(':memory:')
  t.teardown(() => { database.close() })
  const [here, there] = [sqliteStore({ database }), sqliteStore({ database })]
  const started = await startAsking(t, {}, { store: here })
  const other: RunRegistry = await openRegistry(t, scriptedProvider(), there)
  const decided = started.ask(TOOL)
  const [requestId] = await untilAsked(started.registry)
  return { ...started, other, there, decided, requestId: requestId! }
}

test('an answer at another instance reaches the one that drives the run, and both say the same', async (t) => {
  const { other, decided, requestId, end } = await apart(t)
  t.match(await other.answerPermission({ sessionId: 's', requestId, allow: false, message: 'no' }), { kind: 'permission_resolved', seq: 3, allow: false })
  t.strictSame(await decided, { allow: false, message: 'no' })
  t.strictSame(await end(), ['user go', 'asks 1', 'resolved 1 false', 'complete finished'])
})

test('of two answers at two instances one holds', async (t) => {
  const { registry, other, decided, requestId, end } = await apart(t)
  const answers = await Promise.all([other, registry].map((instance, i) => settledOf(instance.answerPermission({ sessionId: 's', requestId, allow: i === 0 }))))
  const won = answers.findIndex((answer) => 'value' in (answer as object))
  t.match(answers[won], { value: { allow: won === 0 } })
  t.match(answers[1 - won], refusedWith('PERMISSION_ALREADY_RESOLVED', 409))
  t.strictSame(await decided, { allow: won === 0 })
  t.strictSame(await end(), ['user go', 'asks 1', `resolved 1 ${won === 0}`, 'complete finished'])
})

test('an instance that decides and dies before the run takes it has answered all the same', async (t) => {
  const { there, decided, requestId, end } = await apart(t)
  // All that it came to.
  t.equal(await there.answerPermission('s', null, requestId, { allow: true, updatedInput: 'mine' }), true)
  t.strictSame(await decided, { allow: true, updatedInput: 'mine' })
  t.strictSame(await end(), ['user go', 'asks 1', 'resolved 1 true', 'complete finished'])
})

test('what was decided is taken by the next look though nobody tells of it', async (t) => {
  stayAlive(t)
  const store = sqliteStore({ path: ':memory:', leaseMs: 60 })
  store.watch = () => () => {}
  const { registry, ask, end } = await startAsking(t, {}, { store })
  const decisions = [ask(TOOL), ask(TOOL)]
  const requestIds = await untilAsked(registry, 2)
  for (const requestId of requestIds) await store.answerPermission('s', null, requestId, { allow: true })
  t.strictSame(await Promise.all(decisions), [{ allow: true }, { allow: true }])
  t.strictSame(await end(), ['user go', 'asks 1', 'asks 2', 'resolved 1 true', 'resolved 2 true', 'complete finished'])
})

test('looks that see a decision while it is being committed do not take it again', async (t) => {
  stayAlive(t)
  const store = sqliteStore({ path: ':memory:', leaseMs: 30 })
  const { registry, ask, answer, end } = await startAsking(t, {}, { store })
  const append = store.append.bind(store)
  const looked = latch()
  const { listAnswers } = store
  let looks = 0
  store.listAnswers = async (limit) => {
    const answers = await listAnswers.call(store, limit)
    if (answers.length > 0 && ++looks === 3) looked.open()
    return answers
  }
  store.append = async (groups) => {
    if (groups.some(({ events }) => events.some(({ kind }) => kind === 'permission_resolved'))) await looked.promise
    return append(groups)
  }
  const decided = ask(TOOL)
  const [requestId] = await untilAsked(registry)
  await answer(requestId)
  t.strictSame(await decided, { allow: true })
  t.strictSame(await end(), ['user go', 'asks 1', 'resolved 1 true', 'complete finished'])
})

test('the run of an instance that is dead cannot take an answer: the client hears that it came to nothing', async (t) => {
  const { store, other, there, run, requestId } = await apart(t)
  // It is as good as dead: it sees no answer, and writes nothing.
  store.listAnswers = async () => []
  const answered = settledOf(other.answerPermission({ sessionId: 's', requestId, allow: true }))
  while ((await there.getPermission('s', null, requestId))!.status === 'pending') await new Promise((resolve) => { setImmediate(resolve) })
  t.equal((await other.getSession('s'))?.pendingPermissions.length, 1, 'in the log it still waits')
  await there.closeRun(run.context.runId, { exitCode: 1, aborted: false, reason: 'interrupted' }, { promote: true })
  t.match(await answered, refusedWith('PERMISSION_ALREADY_RESOLVED', 409))
  await untilEvent(other, 'complete')
  t.strictSame(story(await logOf(other)), ['user go', 'asks 1', 'cancelled 1 interrupted', 'complete interrupted'])
})

test('an answer whose execution failed can be given again; one whose answer was lost holds, and is taken by the next look', async (t) => {
  stayAlive(t)
  const failing = new FailingStore(sqliteStore({ path: ':memory:', leaseMs: 60 }))
  const { registry, ask, end } = await startAsking(t, {}, { store: failing.store })
  const answer = (requestId: string, decision: PermissionDecision): Promise<unknown> => settledOf(registry.answerPermission({ sessionId: 's', requestId, ...decision }))
  const failAt = (failure: Failure): void => {
    failing.fails = (_, method) => {
      if (method !== 'answerPermission') return null
      failing.fails = () => null
      return failure
    }
  }
  const first = ask(TOOL)
  const [one] = await untilAsked(registry)
  failAt('before')
  t.match(await answer(one!, { allow: true }), { error: { code: 'STORE_UNAVAILABLE', statusCode: 503 } })
  t.match(await answer(one!, { allow: false }), { value: { kind: 'permission_resolved', allow: false } })
  t.strictSame(await first, { allow: false })

  const second = ask(TOOL)
  const [, two] = await untilAsked(registry, 2)
  failAt('after')
  t.match(await answer(two!, { allow: true }), { error: { code: 'STORE_UNAVAILABLE', statusCode: 503 } })
  t.match(await answer(two!, { allow: false }), { error: { code: 'PERMISSION_ALREADY_RESOLVED' } })
  t.strictSame(await second, { allow: true }, 'though nobody tells of it')
  t.strictSame(await end(), ['user go', 'asks 1', 'resolved 1 false', 'asks 2', 'resolved 2 true', 'complete finished'])
})

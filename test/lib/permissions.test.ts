/* How a run asks for leave, and what it is told. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import type { ProviderEvent } from '../../index.ts'
import { holdUp, logOf, settledOf, startAsking, story, TOOL, untilAsked, untilEvent } from '../helpers/approvals.ts'
import { openRegistry } from '../helpers/open-registry.ts'

const text = (content: string): ProviderEvent => ({ kind: 'text', content })

test('a request is an event that every client sees, its answer another one, and the agent hears what was decided', async (t) => {
  const { registry, ask, end } = await startAsking(t)
  const options = [{ optionId: 'once', name: 'Allow once', kind: 'allow_once' as const }, { optionId: 'never', name: 'Reject' }]
  const decided = ask({ toolId: 'tool-1', toolName: 'rm', input: { path: '/' }, options })
  const request = await untilEvent(registry, 'permission_request')
  t.match(request, { sessionId: 's', seq: 2, provider: 'agent', toolId: 'tool-1', toolName: 'rm', input: { path: '/' }, options })
  t.match(request.requestId, /^[0-9a-f-]{36}$/)
  t.strictSame((await registry.getSession('s'))?.pendingPermissions, [request])
  const decision = { allow: true, optionId: 'once', updatedInput: { path: '/tmp' }, message: 'mind the gap' }
  const resolved = await registry.answerPermission({ sessionId: 's', requestId: request.requestId, ...decision })
  const { timestamp, runId, ...rest } = resolved
  t.strictSame(rest, { kind: 'permission_resolved', sessionId: 's', seq: 3, provider: 'agent', requestId: request.requestId, allow: true, optionId: 'once' })
  t.strictSame([await decided, runId], [decision, request.runId])
  t.strictSame((await registry.getSession('s'))?.pendingPermissions, [])

  const second = ask(TOOL)
  const [, requestId] = await untilAsked(registry, 2)
  t.not(requestId, request.requestId, 'each request has an id of its own')
  await registry.answerPermission({ sessionId: 's', requestId: requestId!, allow: false })
  t.strictSame(await second, { allow: false })
  t.strictSame(await end(), ['user go', 'asks 1', 'resolved 1 true once', 'asks 2', 'resolved 2 false', 'complete finished'])
})

test('the outcome is in the log before the agent hears of it, and before the client that answered does', async (t) => {
  const { registry, store, ask, answer, end } = await startAsking(t)
  const { asked, release } = holdUp(store, 'permission_resolved')
  const told: string[] = []
  const decided = ask(TOOL).then(() => { told.push('agent') })
  const [requestId] = await untilAsked(registry)
  const answered = answer(requestId).then(() => { told.push('client') })
  await asked.promise
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  t.strictSame(told, [])
  t.equal((await registry.getSession('s'))?.pendingPermissions.length, 1, 'as long as the log has no outcome, it waits')
  t.match(await settledOf(answer(requestId, false)), { error: { code: 'PERMISSION_ALREADY_RESOLVED' } }, 'though it is decided')
  release()
  await Promise.all([decided, answered])
  t.strictSame(told.sort(), ['agent', 'client'])
  t.strictSame(await end(), ['user go', 'asks 1', 'resolved 1 true', 'complete finished'])
})

test('several wait at once, and are answered in any order', async (t) => {
  const { registry, ask, answer, end } = await startAsking(t)
  const decisions = [1, 2, 3].map((input) => ask({ toolName: 'n', input }))
  const requestIds = await untilAsked(registry, 3)
  t.strictSame((await registry.getSession('s'))?.pendingPermissions.map(({ input }) => input), [1, 2, 3])
  await answer(requestIds[2], false)
  t.strictSame((await registry.getSession('s'))?.pendingPermissions.map(({ input }) => input), [1, 2])
  await Promise.all([answer(requestIds[0]), answer(requestIds[1], false)])
  t.strictSame(await Promise.all(decisions), [{ allow: true }, { allow: false }, { allow: false }])
  t.strictSame(await end(), ['user go', 'asks 1', 'asks 2', 'asks 3', 'resolved 3 false', 'resolved 1 true', 'resolved 2 false', 'complete finished'])
})

test('an agent that streams on meanwhile, without a pause, does not hold up the answer', async (t) => {
  const MOST = 40_000
  let yielded = 0
  const registry = await openRegistry(t, {
    async * run ({ requestPermission }) {
      const heard = { decided: false }
      void requestPermission(TOOL).then(() => { heard.decided = true })
      for (; !heard.decided && yielded < MOST; yielded++) yield { kind: 'stream_delta', messageId: 'm', content: 'x' }
    }
  })
  await registry.startRun({ sessionId: 's', content: 'go' })
  const [requestId] = await untilAsked(registry)
  t.match(await registry.answerPermission({ sessionId: 's', requestId: requestId!, allow: true }), { kind: 'permission_resolved' })
  await untilEvent(registry, 'complete')
  t.ok(yielded < MOST, `the agent heard after ${yielded} events`)
})

test('what the agent takes back is cancelled: it hears its own reason, and an answer comes too late', async (t) => {
  const { registry, run, ask, answer, end } = await startAsking(t)
  const controller = new AbortController()
  const decided = settledOf(ask(TOOL, { signal: controller.signal }))
  const kept = ask(TOOL, { signal: new AbortController().signal })
  const [requestId, other] = await untilAsked(registry, 2)
  const reason = new Error('the user typed it')
  controller.abort(reason)
  t.equal((await decided as { error: unknown }).error, reason)
  const cancelled = await untilEvent(registry, 'permission_cancelled')
  t.match(cancelled, { requestId, reason: 'withdrawn' })
  t.strictSame((await registry.getSession('s'))?.pendingPermissions.map((request) => request.requestId), [other])
  t.match(await settledOf(answer(requestId)), { error: { code: 'PERMISSION_ALREADY_RESOLVED', statusCode: 409 } })
  await answer(other)
  t.strictSame(await kept, { allow: true })
  await run.emit(text('on'))
  t.strictSame(await end(), ['user go', 'asks 1', 'asks 2', 'cancelled 1 withdrawn', 'resolved 2 true', 'assistant on', 'complete finished'])
})

test('what is taken back before it is in the log is there with its outcome, and what is answered cannot be taken back', async (t) => {
  const { registry, store, ask, answer, end } = await startAsking(t)
  const first = new AbortController()
  const gone = settledOf(ask(TOOL, { signal: first.signal }))
  first.abort()
  t.match(await gone, { error: { name: 'AbortError' } })
  t.strictSame((await registry.getSession('s'))?.pendingPermissions, [])

  const { asked, release } = holdUp(store, 'permission_resolved')
  const second = new AbortController()
  const decided = ask(TOOL, { signal: second.signal })
  const [, requestId] = await untilAsked(registry, 2)
  const answered = answer(requestId)
  await asked.promise
  second.abort()
  release()
  t.match(await answered, { kind: 'permission_resolved' })
  t.strictSame(await decided, { allow: true }, 'the log says so')
  t.strictSame(await end(), ['user go', 'asks 1', 'cancelled 1 withdrawn', 'asks 2', 'resolved 2 true', 'complete finished'])
})

test('native ids in what is asked leave nowhere: not in the log, not among what waits', async (t) => {
  const { registry, run, ask, end } = await startAsking(t)
  await run.emit({ kind: 'session_created', newSessionId: 'native-session-1' })
  const input = { path: '/native-session-1/x', 'native-session-1': ['native-session-1'] }
  void ask({ toolId: 'call native-session-1', toolName: 'native-session-1', input, options: [{ optionId: 'o', name: 'in native-session-1' }] })
  const request = await untilEvent(registry, 'permission_request')
  t.match(request, { toolId: 'call s', toolName: 's', input: { path: '/s/x', s: ['s'] }, options: [{ optionId: 'o', name: 'in s' }] })
  const [frame] = await registry.subscribe('s').next().then(({ value }) => [value as { pendingPermissions: unknown }])
  t.strictSame([frame!.pendingPermissions, (await registry.getSession('s'))?.pendingPermissions], [[request], [request]])
  await end()
  t.notMatch(JSON.stringify(await logOf(registry)), /native/)
})

test('a message that was streamed and is over has its place before the request, as before a tool; one that is over meanwhile before the outcome', async (t) => {
  const { registry, run, ask, answer, end } = await startAsking(t)
  await run.emit({ kind: 'stream_delta', messageId: 'a', content: 'let me' }, { kind: 'stream_end', messageId: 'a' })
  const decided = ask(TOOL)
  const [requestId] = await untilAsked(registry)
  await run.emit({ kind: 'stream_delta', messageId: 'b', content: 'waiting' }, { kind: 'stream_end', messageId: 'b' }, { kind: 'stream_delta', messageId: 'c', content: 'half' })
  await answer(requestId)
  await decided
  t.strictSame(await end(), [
    'user go', 'stream_delta', 'stream_end', 'assistant let me', 'asks 1', 'stream_delta', 'stream_end', 'stream_delta', 'assistant waiting', 'resolved 1 true', 'assistant half', 'complete finished'
  ])
})

test('a listener of the run\'s abort that takes its requests back does not make them withdrawn', async (t) => {
  const { registry, run, ask } = await startAsking(t)
  const mine = new AbortController()
  run.context.signal.addEventListener('abort', () => mine.abort(new Error('mine')))
  const decisions = [settledOf(ask(TOOL, { signal: mine.signal })), settledOf(ask(TOOL, { signal: run.context.signal }))]
  await untilAsked(registry, 2)
  await registry.abortRun({ sessionId: 's' })
  for (const decided of decisions) t.match(await decided, { error: { name: 'AbortError', message: 'The run has ended.' } })
  t.strictSame(story(await logOf(registry)), ['user go', 'asks 1', 'asks 2', 'cancelled 1 aborted', 'cancelled 2 aborted', 'complete aborted'])
})

test('an agent may ask before its first event, and while it still makes its iterable', async (t) => {
  const registry = await openRegistry(t, {
    run ({ requestPermission }) {
      const decided = requestPermission(TOOL)
      return (async function * () { yield text(`allow ${(await decided).allow}`) })()
    }
  })
  await registry.startRun({ sessionId: 's', content: 'go' })
  const [requestId] = await untilAsked(registry)
  await registry.answerPermission({ sessionId: 's', requestId: requestId!, allow: true })
  await untilEvent(registry, 'complete')
  t.strictSame(story(await logOf(registry)), ['user go', 'asks 1', 'resolved 1 true', 'assistant allow true', 'complete finished'])
})

/* What is not asked of anybody, and what agents may do with their requests that they should not. */
import { getEventListeners } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import type { PermissionRequest } from '../../index.ts'
import { settledOf, startAsking, TOOL, untilAsked } from '../helpers/approvals.ts'

test('a request with a signal that is aborted already is never made', async (t) => {
  const { ask, end } = await startAsking(t)
  const reason = new Error('changed my mind')
  t.match(await settledOf(ask(TOOL, { signal: AbortSignal.abort(reason) })), { error: reason })
  t.strictSame(await end(), ['user go', 'complete finished'])
})

test('nobody is asked for a run that has ended', async (t) => {
  const { ask, end } = await startAsking(t)
  const lines = await end()
  t.match(await settledOf(ask(TOOL)), { error: { name: 'AbortError' } })
  t.strictSame(lines, ['user go', 'complete finished'])
})

test('more requests at once than may wait are refused, and one that is settled makes room', async (t) => {
  const { registry, ask, answer, end } = await startAsking(t, { pendingPermissions: 2 })
  const controller = new AbortController()
  const decisions = [ask(TOOL), ask(TOOL, { signal: controller.signal })].map(settledOf)
  const refused = await settledOf(ask(TOOL))
  t.match(refused, { error: { name: 'ProviderError', code: 'TOO_MANY_PERMISSIONS', message: 'The provider asked for more approvals at once than it may.' } })
  const [requestId] = await untilAsked(registry, 2)
  controller.abort()
  decisions.push(settledOf(ask(TOOL)))
  await answer(requestId)
  await decisions[0]
  decisions.push(settledOf(ask(TOOL)))
  t.match(await settledOf(ask(TOOL)), { error: { code: 'TOO_MANY_PERMISSIONS' } })
  t.strictSame(await end(), [
    'user go', 'asks 1', 'asks 2', 'cancelled 2 withdrawn', 'asks 3', 'resolved 1 true', 'asks 4', 'cancelled 3 finished', 'cancelled 4 finished', 'complete finished'
  ])
})

test('a request that is too large, or no JSON, is refused; the run goes on', async (t) => {
  const { registry, run, ask, answer, end } = await startAsking(t, { eventBytes: 2_000 })
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const deep = [256, 1_200, 20_000].map((levels) => Array.from({ length: levels }).reduce((inner: unknown) => [inner], 0))
  t.match(await settledOf(ask({ toolName: 'n', input: 'x'.repeat(3_000) })), { error: { name: 'ProviderError', code: 'EVENT_TOO_LARGE' } })
  for (const input of [10n, cycle, { toJSON () { throw new TypeError('no') } }]) t.match(await settledOf(ask({ toolName: 'n', input })), { error: { name: 'TypeError' } })
  for (const input of deep) t.match(await settledOf(ask({ toolName: 'n', input })), { error: { name: 'RangeError' } })
  await run.emit({ kind: 'text', content: 'still here' })
  const decided = ask(TOOL)
  const [requestId] = await untilAsked(registry)
  await answer(requestId)
  t.strictSame(await decided, { allow: true })
  t.strictSame(await end(), ['user go', 'assistant still here', 'asks 1', 'resolved 1 true', 'complete finished'])
})

test('a request that makes the run\'s events too many is refused; its outcome and its end are not counted', async (t) => {
  const { registry, ask, answer, end } = await startAsking(t, { maxEventsPerRun: 2 })
  const decisions = [ask(TOOL), ask(TOOL)]
  t.match(await settledOf(ask(TOOL)), { error: { code: 'TOO_MANY_EVENTS' } })
  const requestIds = await untilAsked(registry, 2)
  for (const requestId of requestIds) await answer(requestId)
  t.strictSame(await Promise.all(decisions), [{ allow: true }, { allow: true }])
  t.strictSame(await end(), ['user go', 'asks 1', 'asks 2', 'resolved 1 true', 'resolved 2 true', 'complete finished'])
})

test('a request that clients could not show is refused before anybody sees it', async (t) => {
  const { registry, ask, end } = await startAsking(t)
  const malformed: unknown[] = [
    undefined, null, 'rm', {}, { input: 1 }, { toolName: '', input: 1 }, { toolName: 5, input: 1 }, { ...TOOL, toolId: 5 }, { ...TOOL, options: 'yes' },
    { ...TOOL, options: [null] }, { ...TOOL, options: [{}] }, { ...TOOL, options: [{ optionId: 'x' }] }, { ...TOOL, options: [{ optionId: 5, name: 'x' }] }, { ...TOOL, options: new Array(1) },
    { toolName: 'n', input: () => {} }, { toolName: 'n', input: Symbol('x') }
  ]
  for (const request of malformed) t.match(await settledOf(ask(request as PermissionRequest)), { error: { name: 'TypeError' } }, JSON.stringify(request))
  t.match(await settledOf(ask(TOOL, null as unknown as { signal: AbortSignal })), { error: { name: 'TypeError' } })
  t.match(await settledOf(ask(TOOL, { signal: {} as AbortSignal })), { error: { name: 'TypeError' } })
  t.match(await settledOf(ask(TOOL, { signal: { throwIfAborted () {} } as AbortSignal })), { error: { name: 'TypeError' } })
  for (const input of [undefined, null]) void ask({ toolName: 'n', input, requestId: 'mine', kind: 'text', more: 1 } as PermissionRequest)
  await untilAsked(registry, 2)
  for (const request of (await registry.getSession('s'))!.pendingPermissions) {
    t.strictSame(Object.keys(request).sort(), ['input', 'kind', 'provider', 'requestId', 'runId', 'seq', 'sessionId', 'timestamp', 'toolName'], 'nothing but what a request has')
    t.match(request, { kind: 'permission_request', requestId: /^[0-9a-f-]{36}$/, input: null })
  }
  t.strictSame(await end(), ['user go', 'asks 1', 'asks 2', 'cancelled 1 finished', 'cancelled 2 finished', 'complete finished'])
})

test('an agent that does not listen to what comes of its requests takes nobody with it', async (t) => {
  const unhandled: unknown[] = []
  const note = (error: unknown): void => { unhandled.push(error) }
  process.on('unhandledRejection', note)
  t.teardown(() => { process.off('unhandledRejection', note) })
  const { registry, ask, end } = await startAsking(t, { pendingPermissions: 2, eventBytes: 1_000 })
  const controller = new AbortController()
  void ask(TOOL, { signal: controller.signal })
  void ask(TOOL)
  void ask(TOOL)
  await untilAsked(registry, 2)
  controller.abort()
  void ask(TOOL, { signal: controller.signal })
  void ask({ toolName: '', input: 1 })
  void ask({ toolName: 'n', input: 'x'.repeat(2_000) })
  void ask({ toolName: 'n', input: 1n })
  await end()
  void ask(TOOL)
  await nextTurn()
  await nextTurn()
  t.strictSame(unhandled, [])
})

test('only the run makes these events: what a provider yields under their names is dropped', async (t) => {
  const { registry, run, ask, answer, end } = await startAsking(t)
  const decided = ask(TOOL)
  const [requestId] = await untilAsked(registry)
  await run.emit(
    { kind: 'permission_request', requestId: 'forged', toolName: 'n', input: 1 },
    { kind: 'permission_resolved', requestId, allow: true },
    { kind: 'permission_cancelled', requestId, reason: 'aborted' }
  )
  t.equal((await registry.getSession('s'))?.pendingPermissions.length, 1)
  await answer(requestId, false)
  t.strictSame(await decided, { allow: false })
  t.strictSame(await end(), ['user go', 'asks 1', 'resolved 1 false', 'complete finished'])
})

test('a signal that outlives its requests is listened to only while they wait', async (t) => {
  const { registry, ask, answer, end } = await startAsking(t, { eventBytes: 1_000 })
  const { signal } = new AbortController()
  for (let count = 1; count <= 3; count++) {
    const decided = ask(TOOL, { signal })
    t.match(await settledOf(ask({ toolName: 'n', input: 'x'.repeat(2_000) }, { signal })), { error: { code: 'EVENT_TOO_LARGE' } })
    t.equal(getEventListeners(signal, 'abort').length, 1)
    await answer((await untilAsked(registry, count))[count - 1])
    await decided
  }
  const last = settledOf(ask(TOOL, { signal }))
  await end()
  await last
  t.strictSame(getEventListeners(signal, 'abort'), [])
})

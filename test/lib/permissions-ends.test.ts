/* Whatever ends a run that waits for approvals: they are cancelled right before its `complete`, and everybody hears so. */
import { test, type Test } from 'tap'
import { ProviderError, type RunRegistry } from '../../index.ts'
import { runsError } from '../../lib/protocol/errors.ts'
import { holdUp, logOf, settledOf, startAsking, type Started, story, TOOL, untilAsked, untilEvent } from '../helpers/approvals.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

const TOO_LATE = { error: { code: 'PERMISSION_ALREADY_RESOLVED', statusCode: 409 } }
const ENDED = { error: { name: 'AbortError', message: 'The run has ended.' } }

interface Waiting extends Started {
  requestIds: string[]
  heard: Promise<unknown[]>
}

/** A run that waits for two approvals while a message is half said. */
async function waiting (t: Test, options: Parameters<typeof startAsking>[2] = {}): Promise<Waiting> {
  const started = await startAsking(t, {}, options)
  const { registry, run, ask } = started
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'half' })
  const heard = Promise.all([settledOf(ask(TOOL)), settledOf(ask(TOOL))])
  return { ...started, requestIds: await untilAsked(registry, 2), heard }
}

/** What must be so after the end of a run that waited, whatever ended it. */
async function verify (t: Test, { registry, requestIds, heard }: Waiting, reason: string, complete: string): Promise<void> {
  for (const outcome of await heard) t.match(outcome, ENDED, `${complete}: the agent`)
  await untilEvent(registry, 'complete')
  t.strictSame(story(await logOf(registry)).slice(0, 8), [
    'user go', 'stream_delta', 'asks 1', 'asks 2', 'assistant half', `cancelled 1 ${reason}`, `cancelled 2 ${reason}`, complete
  ])
  t.strictSame((await registry.getSession('s'))?.pendingPermissions, [], complete)
  for (const requestId of requestIds) t.match(await settledOf(registry.answerPermission({ sessionId: 's', requestId, allow: true })), TOO_LATE, `${complete}: who answers`)
}

test('an abort cancels what waits', async (t) => {
  const run = await waiting(t)
  t.match(await run.registry.abortRun({ sessionId: 's' }), { reason: 'aborted', seq: 8 })
  await verify(t, run, 'aborted', 'complete aborted')
})

test('a message that interrupts cancels what waits, and its own run asks for itself', async (t) => {
  const run = await waiting(t)
  await run.registry.startRun({ sessionId: 's', content: 'now', onBusy: 'interrupt' })
  await verify(t, run, 'aborted', 'complete aborted')
  const [next] = await Promise.all([run.next(), run.run.stopped.promise])
  const decided = next.context.requestPermission(TOOL)
  const requestIds = await untilAsked(run.registry, 3)
  await run.answer(requestIds[2])
  t.strictSame(await decided, { allow: true })
  next.end()
  await untilEvent(run.registry, 'complete', { count: 2 })
  t.strictSame(story(await logOf(run.registry)).slice(8), ['user now', 'asks 3', 'resolved 3 true', 'complete finished'])
})

test('a run that takes longer than it may does not wait for ever', async (t) => {
  const run = await waiting(t, { runTimeoutMs: 500 })
  await verify(t, run, 'timeout', 'complete timeout RUN_TIMEOUT')
})

test('an agent that returns, throws or says that it is complete does not wait any more', async (t) => {
  const endings: Array<[(run: Waiting) => void, string, string]> = [
    [({ run }) => run.end(), 'finished', 'complete finished'],
    [({ run }) => run.fail(new Error('broken')), 'failed', 'complete failed PROVIDER_FAILED'],
    [({ run }) => run.fail(new ProviderError('busy', { code: 'OVERLOADED' })), 'failed', 'complete failed OVERLOADED'],
    [({ run }) => { void run.emit({ kind: 'complete', exitCode: 0 }) }, 'finished', 'complete finished'],
    [({ run }) => { void run.emit({ kind: 'complete', exitCode: 3 }) }, 'failed', 'complete failed'],
    [({ run }) => { void run.emit({ kind: 'custom', name: 'x', data: 1n }) }, 'failed', 'complete failed EVENT_NOT_SERIALISABLE']
  ]
  for (const [end, reason, complete] of endings) {
    const run = await waiting(t)
    end(run)
    await verify(t, run, reason, complete)
  }
})

test('a run that the app ends does not wait any more', async (t) => {
  const run = await waiting(t)
  const { runId } = run.run.context
  t.match(await run.registry.completeRun(runId, { exitCode: 0 }), { reason: 'finished' })
  await verify(t, run, 'finished', 'complete finished')
})

test('a shutdown lets approvals be answered while it waits for runs, and cancels what waits when it does not any more', async (t) => {
  const run = await waiting(t, { closeGraceMs: 0 })
  const { registry, store } = run
  await registry.close()
  const again = await openRegistry(t, scriptedProvider(), store)
  await verify(t, { ...run, registry: again }, 'interrupted', 'complete interrupted RUN_INTERRUPTED')

  const patient = await waiting(t, { closeGraceMs: 60_000 })
  const closed = patient.registry.close()
  for (const requestId of patient.requestIds) t.match(await patient.answer(requestId), { kind: 'permission_resolved' })
  t.strictSame(await patient.heard, [{ value: { allow: true } }, { value: { allow: true } }])
  patient.run.end()
  await closed
  t.strictSame(story(await logOf(patient.registry)).slice(4), ['resolved 1 true', 'resolved 2 true', 'assistant half', 'complete finished'])
})

test('a session that is deleted takes its approvals along: the agent is stopped, and who answers hears that it is gone', async (t) => {
  const { registry, heard, requestIds, answer, run } = await waiting(t)
  await registry.deleteSession('s')
  for (const outcome of await heard) t.match(outcome, ENDED)
  await run.stopped.promise
  for (const requestId of requestIds) t.match(await settledOf(answer(requestId)), { error: { code: 'SESSION_DELETED', statusCode: 410 } })
})

test('a run whose events the store refuses cancels what waits in the store itself', async (t) => {
  const run = await waiting(t)
  const { append } = run.store
  run.store.append = async () => {
    run.store.append = append
    throw runsError('STORE_FAILED')
  }
  await run.run.emit({ kind: 'custom', name: 'refused' })
  await verify(t, run, 'failed', 'complete failed STORE_REFUSED')
})

test('an answer on its way into the log when the run ends is there before the end; its agent is not told behind its abort', async (t) => {
  const { registry, store, answer, requestIds, heard, run } = await waiting(t)
  const { asked, release } = holdUp(store, 'permission_resolved')
  const answered = answer(requestIds[1], false)
  await asked.promise
  const aborted = registry.abortRun({ sessionId: 's' })
  await run.stopped.promise
  release()
  t.match(await answered, { kind: 'permission_resolved', requestId: requestIds[1], allow: false })
  t.match(await aborted, { reason: 'aborted' })
  for (const outcome of await heard) t.match(outcome, ENDED)
  t.strictSame(story(await logOf(registry)).slice(4), ['resolved 2 false', 'assistant half', 'cancelled 1 aborted', 'complete aborted'])
})

test('an answer that was decided, but not taken when the run is ended in the store, is one that came too late', async (t) => {
  const { registry, store, answer, requestIds, heard } = await waiting(t)
  const { asked, release } = holdUp(store, 'permission_resolved')
  const answered = settledOf(answer(requestIds[0]))
  await asked.promise
  await registry.startRun({ sessionId: 's', content: 'now', onBusy: 'interrupt' })
  release()
  t.match(await answered, TOO_LATE)
  for (const outcome of await heard) t.match(outcome, ENDED)
  t.strictSame(story(await logOf(registry)).slice(4, 9), ['assistant half', 'cancelled 1 aborted', 'cancelled 2 aborted', 'complete aborted', 'user now'])
})

test('who follows sees the cancellations before the end, and who comes then is told that nothing waits', async (t) => {
  const { registry } = await waiting(t)
  const lines: string[] = []
  const following = (async (registry: RunRegistry) => {
    for await (const { kind } of registry.subscribe('s', { after: 4 })) {
      lines.push(kind)
      if (kind === 'complete') break
    }
  })(registry)
  await registry.abortRun({ sessionId: 's' })
  await following
  t.strictSame(lines, ['chat_subscribed', 'text', 'permission_cancelled', 'permission_cancelled', 'complete'])
  t.match((await registry.subscribe('s').next()).value, { kind: 'chat_subscribed', isProcessing: false, pendingPermissions: [] })
})

/* What becomes of a message: every case of what is there and what is asked for. */
import { test } from 'tap'
import { newRun } from '../../conformance/store/driven-run.ts'
import { decideEnd, decideStart, decideTurn, type StartSnapshot } from '../../lib/store/decisions.ts'
import { parseEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import type { NewRun } from '../../lib/store/store.ts'

const NOTHING: StartSnapshot<string> = { again: undefined, named: undefined, isStopped: false, running: undefined, next: undefined, queue: { length: 0, first: null, last: null } }
const WAITING = { next: 'first', queue: { length: 2, first: 3, last: 7 } }

function decide (there: Partial<StartSnapshot<string>>, asked: Partial<NewRun>): string {
  try {
    const decision = decideStart({ ...NOTHING, ...there }, newRun('r', asked))
    if (decision.outcome !== 'accept') return 'run' in decision ? `${decision.outcome} ${decision.run}` : decision.outcome
    return [`at ${decision.position}`, ...decision.interrupts ? ['interrupts'] : [], ...decision.promotes ? ['promotes'] : [], ...decision.isCancelled ? ['cancelled'] : []].join(' ')
  } catch (error) {
    return (error as { code: string }).code
  }
}

const CASES: Array<[Partial<StartSnapshot<string>>, Partial<NewRun>, string]> = [
  [{}, { onBusy: 'reject' }, 'at 1 promotes'],
  [{}, { onBusy: 'queue' }, 'at 1 promotes'],
  [{}, { onBusy: 'interrupt' }, 'at 0 promotes'],
  [{}, { onBusy: 'reject', admit: 'queue' }, 'refused'],
  [{}, { onBusy: 'queue', admit: 'queue' }, 'at 1'],
  [{}, { onBusy: 'interrupt', admit: 'queue' }, 'at 0'],
  [{}, { onBusy: 'queue', admit: 'queue', maxQueued: 0 }, 'AGENT_RUNS_QUEUE_FULL'],
  [{}, { onBusy: 'queue', maxQueued: 0 }, 'at 1 promotes'],
  [{}, { admit: 'nothing' }, 'refused'],
  [{ running: 'x' }, { onBusy: 'reject' }, 'busy x'],
  [{ running: 'x' }, { onBusy: 'reject', admit: 'queue' }, 'busy x'],
  [{ running: 'x' }, { onBusy: 'queue' }, 'at 1'],
  [{ running: 'x' }, { onBusy: 'queue', maxQueued: 0 }, 'AGENT_RUNS_QUEUE_FULL'],
  [{ running: 'x' }, { onBusy: 'interrupt', maxQueued: 0 }, 'at 0 interrupts promotes'],
  [{ running: 'x' }, { onBusy: 'interrupt', admit: 'queue' }, 'at 0 interrupts'],
  [WAITING, { onBusy: 'reject' }, 'busy first'],
  [WAITING, { onBusy: 'queue' }, 'at 8 promotes'],
  [WAITING, { onBusy: 'interrupt' }, 'at 2 promotes'],
  [{ ...WAITING, running: 'x' }, { onBusy: 'queue', maxQueued: 2 }, 'AGENT_RUNS_QUEUE_FULL'],
  [{ ...WAITING, running: 'x' }, { onBusy: 'interrupt' }, 'at 2 interrupts promotes'],
  [{ isStopped: true }, { onBusy: 'reject' }, 'at 1 promotes cancelled'],
  [{ isStopped: true }, { onBusy: 'reject', admit: 'queue' }, 'at 1 promotes cancelled'],
  [{ isStopped: true }, { admit: 'nothing' }, 'refused'],
  [{ isStopped: true, running: 'x' }, { onBusy: 'reject' }, 'busy x'],
  [{ isStopped: true, running: 'x' }, { onBusy: 'interrupt' }, 'at 1 cancelled'],
  [{ ...WAITING, isStopped: true, running: 'x' }, { onBusy: 'interrupt' }, 'at 8 cancelled'],
  [{ ...WAITING, isStopped: true, running: 'x' }, { onBusy: 'interrupt', maxQueued: 2 }, 'AGENT_RUNS_QUEUE_FULL'],
  [{ again: 'r', named: { run: 'k', isSame: false }, running: 'x' }, { onBusy: 'reject', admit: 'nothing' }, 'repeat r'],
  [{ named: { run: 'k', isSame: true }, running: 'x' }, { onBusy: 'reject', admit: 'nothing' }, 'repeat k'],
  [{ named: { run: 'k', isSame: false } }, {}, 'AGENT_RUNS_IDEMPOTENCY_KEY_REUSED']
]

test('a message becomes what the session allows', async (t) => {
  for (const [there, asked, expected] of CASES) t.equal(decide(there, asked), expected, JSON.stringify([there, asked]).slice(0, 90))
})

const RUN = { sessionId: 's', runId: 'r', provider: 'p' }
const told = (events: StoredEvent[]): unknown[] => events.map((event) => {
  const { timestamp, sessionId, runId, provider, ...rest } = parseEvent(event)
  return rest
})

test('a message whose turn comes is appended; one that was cancelled ends at once', (t) => {
  const at = new Date('2026-01-02T03:04:05.678Z')
  const message = { run: RUN, fields: '{"role":"user","content":"hi"}', lastSeq: 7 }
  const { events, completeSeq } = decideTurn({ ...message, isCancelled: false }, at)
  t.equal(completeSeq, null)
  t.strictSame(events.map(parseEvent), [{ kind: 'text', ...RUN, seq: 8, timestamp: at.toISOString(), role: 'user', content: 'hi' }])
  const cancelled = decideTurn({ ...message, isCancelled: true }, at)
  t.equal(cancelled.completeSeq, 9)
  t.match(told(cancelled.events), [{ kind: 'text', seq: 8 }, { kind: 'complete', seq: 9, reason: 'aborted', aborted: true, actualSessionId: 's' }])
  t.end()
})

test('an end from outside keeps what the deltas said, cancels approvals, and completes last', (t) => {
  const envelope = { ...RUN, timestamp: '2026-01-02T03:04:05.678Z' }
  const events = decideEnd({
    run: RUN,
    lastSeq: 4,
    messages: [
      { ...envelope, kind: 'text', seq: 1, role: 'user', messageId: 'm', content: 'hi' },
      { ...envelope, kind: 'thinking_delta', seq: 2, messageId: 'a', content: 'hm' },
      { ...envelope, kind: 'stream_delta', seq: 3, messageId: 'b', content: 'hal' },
      { ...envelope, kind: 'stream_delta', seq: 4, messageId: 'b', content: 'f' }
    ],
    unsettled: ['one', 'two']
  }, INTERRUPTED)
  t.match(told(events), [
    { kind: 'thinking', seq: 5, messageId: 'a', content: 'hm' },
    { kind: 'text', seq: 6, role: 'assistant', messageId: 'b', content: 'half' },
    { kind: 'permission_cancelled', seq: 7, requestId: 'one', reason: 'interrupted' },
    { kind: 'permission_cancelled', seq: 8, requestId: 'two', reason: 'interrupted' },
    { kind: 'complete', seq: 9, reason: 'interrupted', success: false }
  ])
  t.equal(events.length, 5)
  t.end()
})

/* What the property test asks of two stores: random commands. */
import fc from 'fast-check'
import { delta, custom, status, text } from '../../conformance/store/driven-run.ts'
import { type PendingEvent, pendingEvent } from '../../lib/protocol/event.ts'
import { ABORTED, FINISHED, INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import type { Owner } from '../../lib/protocol/session.ts'
import type { NewRun } from '../../lib/store/store.ts'

/** A time after all others. */
export const FAR = 8_000_000_000_000

const by = fc.constantFrom(0, 0, 0, 1)
const sessionId = fc.constantFrom('a', 'a', 'b')
const owner = fc.constantFrom<Owner>('ada', 'ada', 'ada', null, 'bob')
/** A run by when it was asked for: the newest is 0. */
const back = fc.constantFrom(0, 0, 1, 1, 2, 3, 5, 8)
/** An approval likewise. */
const recent = fc.constantFrom(0, 0, 0, 1, 1, 2, 4)
const ending = fc.constantFrom(FINISHED, ABORTED, INTERRUPTED)
const event = fc.constantFrom<PendingEvent>(
  delta('m', 'a'), delta('m', 'b'), delta('n', 'c'), delta('n', 'a longer piece of text'), pendingEvent('text', { role: 'assistant', messageId: 'm', content: 'ab' }),
  pendingEvent('thinking_delta', { messageId: 'm', content: 'h' }), pendingEvent('stream_end', { messageId: 'm' }), text('whole'), status('busy'), custom({ n: 1 })
)
const names = fc.uniqueArray(fc.record({ name: fc.constantFrom('k', 'l', 'm'), hash: fc.constantFrom('h', 'h', 'h', 'i', null) }), { maxLength: 2, selector: ({ name }) => name })

const arbitraries = {
  start: fc.record({
    by,
    more: fc.record<Partial<NewRun>>({
      sessionId,
      owner,
      provider: fc.constantFrom('p', 'q'),
      createSession: fc.constantFrom(true, true, false),
      onBusy: fc.constantFrom('reject', 'queue', 'queue', 'interrupt'),
      admit: fc.constantFrom('run', 'run', 'run', 'queue', 'nothing'),
      maxQueued: fc.constantFrom(0, 1, 2, 5, 5),
      names
    })
  }),
  claim: fc.record({ by }),
  cancel: fc.record({ by, back }),
  stop: fc.record({ by, sessionId, owner, name: fc.constantFrom('k', 'l', 'm') }),
  append: fc.record({ by, back, events: fc.array(event, { minLength: 1, maxLength: 4 }), off: fc.constantFrom(0, 0, 0, 0, 0, 0, -1, 1) }),
  end: fc.record({ by, back, ending, promote: fc.boolean(), events: fc.array(event, { maxLength: 2 }) }),
  again: fc.record({ by, back: fc.constantFrom(0, 0, 0, 1) }),
  ask: fc.record({ by, back, events: fc.array(event, { maxLength: 2 }), requests: fc.constantFrom(1, 1, 2), off: fc.constantFrom(0, 0, 0, 0, 0, 0, 1) }),
  answer: fc.record({ by, back: recent, sessionId: fc.constantFrom(null, null, null, null, 'a', 'b'), owner, decision: fc.constantFrom({ allow: true, optionId: 'o' }, { allow: false, message: 'no' }) }),
  settle: fc.record({ by, back: recent, kind: fc.constantFrom('resolved', 'cancelled'), ending: fc.option(ending, { freq: 4 }) }),
  close: fc.record({ by, back, ending, promote: fc.boolean() }),
  compact: fc.record({ by, back, keep: fc.constantFrom(0, 1, 3) }),
  create: fc.record({ by, sessionId, owner: fc.constantFrom('ada', 'bob') }),
  update: fc.record({ by, sessionId, owner, patch: fc.constantFrom({ title: 't' }, { title: null }, { metadata: { m: [1] } }, {}) }),
  delete: fc.record({ by, sessionId, owner, options: fc.constantFrom({}, { idleSince: FAR }, { idleSince: 1 }) }),
  native: fc.record({ by, sessionId, provider: fc.constantFrom('p', 'q'), id: fc.constantFrom('n1', 'n2') }),
  page: fc.record({ by, sessionId, owner, after: fc.nat(12), rows: fc.constantFrom(1, 3), before: fc.option(fc.nat(12)) })
}

export type Command = { [K in keyof typeof arbitraries]: { ask: K } & (typeof arbitraries)[K] extends fc.Arbitrary<infer V> ? { ask: K } & V : never }[keyof typeof arbitraries]

const WEIGHTS: Record<keyof typeof arbitraries, number> = {
  start: 10, claim: 3, cancel: 3, stop: 2, append: 8, end: 5, again: 3, ask: 5, answer: 5, settle: 3, close: 3, compact: 3, create: 1, update: 1, delete: 1, native: 1, page: 2
}

/** One thing to ask. */
export const commandArbitrary = fc.oneof(...Object.entries(arbitraries).map(([ask, arbitrary]) => ({
  weight: WEIGHTS[ask as keyof typeof arbitraries],
  arbitrary: (arbitrary as fc.Arbitrary<object>).map((values) => ({ ask, ...values }) as Command)
})))
